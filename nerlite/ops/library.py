"""Kernels compiled ahead of time: a shared library for each level of CPU, called without numba."""

from __future__ import annotations

import ctypes
import os
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from nerlite.ops.cpu import Level
from nerlite.ops.signatures import SIGNATURES

_SOURCES = os.path.dirname(__file__)
FOLDER = os.path.join(_SOURCES, "libraries")
# Where a NumPy array object keeps its data's address and its shape's, for a Python with the GIL (NumPy's C API).
DATA, SHAPE = 16, 32


def source_stamp() -> str:
    """Return what all kernels depend on: a checksum of this folder's source files."""
    stamp = 0
    for name in sorted(os.listdir(_SOURCES)):
        if name.endswith(".py"):
            with open(os.path.join(_SOURCES, name), "rb") as file:
                stamp = zlib.crc32(file.read(), stamp)
    return f"{stamp:08x}"


def library_path(level: Level) -> str:
    """Return where a level's library lies; the name changes with the sources, so that no old one is loaded."""
    return os.path.join(FOLDER, f"{level.name}-{source_stamp()}.so")


def load_library(level: Level) -> Library | None:
    """Return the kernels for a level of CPU, or None where no library fits it, these sources and this Python."""
    probe, word = np.empty((3, 5)), ctypes.c_size_t.from_address
    if word(id(probe) + DATA).value != probe.ctypes.data or word(word(id(probe) + SHAPE).value).value != len(probe):
        return None
    try:
        return Library(level, ctypes.CDLL(library_path(level)))
    except OSError:
        return None


class Library:
    """A library's kernels as attributes: functions of the arrays and scalars that `SIGNATURES` lists."""

    def __init__(self, level: Level, library: ctypes.CDLL) -> None:
        """Take the kernels out of a library that is loaded."""
        self.level = level
        for name in SIGNATURES:
            setattr(self, name, _checked(name, getattr(library, f"nerlite_{name}")))


def _checked(name: str, function: Any) -> Callable[..., None]:
    """Return the function behind a check of its arguments, since machine code believes what it is given."""
    scalars = {"i": ctypes.c_int64, "f": ctypes.c_double}
    signature = SIGNATURES[name]
    function.argtypes = [ctypes.py_object if n else scalars[dtype.kind] for _, dtype, n in signature]
    function.restype = None

    def call(*arguments: Any) -> None:
        for argument, (parameter, dtype, n) in zip(arguments, signature, strict=True):
            if n and not (argument.dtype == dtype and argument.ndim == n and argument.flags.c_contiguous):
                raise TypeError(f"{name}: {parameter}: expected {dtype} in {n} dimensions, "
                                f"got {argument.dtype} {argument.shape}, strides {argument.strides}")
        function(*arguments)

    return call
