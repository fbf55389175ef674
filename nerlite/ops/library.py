"""Kernels compiled ahead of time: a shared library for each level of CPU, called without numba."""

from __future__ import annotations

import ctypes
import os
import struct
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nerlite.ops.arrays import are_as_expected
from nerlite.ops.cpu import Level
from nerlite.ops.signatures import SIGNATURES
from nerlite.ops.stamp import FOLDER, stamp

_WORD, _DOUBLE = struct.Struct("q"), struct.Struct("d")


class NoLibraryError(ImportError):
    """No library of kernels fits; says which were looked for, where, and what is there instead."""


def library_path(level: Level) -> str:
    """Return where a level's library lies: its name says of which level and which sources it is."""
    return os.path.join(FOLDER, f"{level.name}-{stamp()}.so")


def load_library(levels: Sequence[Level]) -> Library:
    """Return the kernels for the first of the levels that has a library.

    Raises `NoLibraryError` where none of them has one that fits these sources, this Python and this system.
    """
    if not are_as_expected():
        raise NoLibraryError("this Python keeps NumPy arrays in another way than kernels expect")
    refused = []
    for level in levels:
        if os.path.exists(path := library_path(level)):
            try:
                return Library(level, ctypes.CDLL(path))
            except (OSError, AttributeError) as error:  # AttributeError: a kernel is missing
                refused.append(str(error))
    raise NoLibraryError("; ".join(refused) or _what_is_there(levels))


def _what_is_there(levels: Sequence[Level]) -> str:
    """Say which libraries were looked for, and which lie there instead."""
    there = sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else []
    libraries = [name for name in there if name.endswith(".so")]
    names = [level.name for level in levels if level.machine]
    stale = [name for name in libraries if name.rpartition("-")[0] in names]
    if stale:
        found = f"those there are of other sources: {', '.join(stale)}"
    else:
        found = f"there are only {', '.join(libraries)}" if libraries else "there are none"
    return f"looked in {FOLDER} for kernels for {' or '.join(names) or 'this kind of CPU'}, stamp {stamp()}: {found}"


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
