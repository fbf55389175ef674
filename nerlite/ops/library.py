"""Kernels compiled ahead of time: a shared library for each level of CPU, called without numba."""

from __future__ import annotations

import ctypes
import os
import struct
import zlib
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np

from nerlite.ops.cpu import Level
from nerlite.ops.signatures import SIGNATURES

_HERE = os.path.dirname(__file__)
FOLDER = os.path.join(_HERE, "libraries")
_KERNELS = os.path.join(os.path.dirname(_HERE), "kernels")
# Files of this folder that machine code depends on.
_SHARED = ("cpu.py", "formulas.py", "library.py", "signatures.py")
# Where a NumPy array object keeps its data's address and its shape's, for a Python with the GIL (NumPy's C API).
DATA, SHAPE = 16, 32
_WORD, _DOUBLE = struct.Struct("q"), struct.Struct("d")


def source_stamp() -> str:
    """Return a checksum of the source files that all kernels depend on."""
    stamp = 0
    own = sorted(name for name in os.listdir(_KERNELS) if name.endswith(".py"))
    for path in (*(os.path.join(_KERNELS, name) for name in own), *(os.path.join(_HERE, name) for name in _SHARED)):
        with open(path, "rb") as file:
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
            function = getattr(library, f"nerlite_{name}")
            function.argtypes, function.restype = [ctypes.c_void_p], None
            setattr(self, name, Kernel(name, function))

    @staticmethod
    def bind(kernel: Kernel, *arguments: Any) -> Kernel:
        """Return the kernel with its first arguments given, as `functools.partial` does."""
        return Kernel(kernel.name, kernel.function, (*kernel.bound, *arguments))


class Kernel:
    """A library's kernel behind a check of its arguments, since machine code believes what it is given."""

    def __init__(self, name: str, function: Callable[[int], None], bound: tuple[Any, ...] = ()) -> None:
        """Give every call its first arguments, `bound`.

        function: takes the address of 64 bits for each parameter, an array object's address or a number.
        """
        self.name, self.function, self.bound = name, function, bound
        self._begin = self._words(bound, SIGNATURES[name][:len(bound)])
        self._parameters = SIGNATURES[name][len(bound):]

    def __call__(self, *arguments: Any) -> None:
        """Run the kernel; arguments: those that are not bound."""
        words = self._begin + self._words(arguments, self._parameters)
        self.function(words.buffer_info()[0])

    def _words(self, arguments: tuple[Any, ...], parameters: list[tuple[str, np.dtype[Any], int]]) -> array[int]:
        words = []
        for argument, (parameter, dtype, n) in zip(arguments, parameters, strict=True):
            if not n:
                words.append(argument if dtype.kind == "i" else _WORD.unpack(_DOUBLE.pack(argument))[0])
            elif argument.dtype == dtype and argument.ndim == n and argument.flags.c_contiguous:
                words.append(id(argument))
            else:
                raise TypeError(f"{self.name}: {parameter}: expected {dtype} in {n} dimensions, "
                                f"got {argument.dtype} {argument.shape}, strides {argument.strides}")
        return array("q", words)
