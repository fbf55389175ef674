"""Kernels compiled ahead of time: a shared library for each level of CPU, called without numba."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nerlite.ops.arguments import KERNELS
from nerlite.ops.arrays import are_as_expected
from nerlite.ops.levels import Level
from nerlite.ops.records import Record
from nerlite.ops.stamp import FOLDER, stamp

SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


class NoLibraryError(ImportError):
    """No library of kernels fits; says which were looked for, where, and what is there instead."""


def library_path(level: Level, suffix: str = SUFFIX) -> str:
    """Return where a level's library lies: its name says of which level, which sources and which system it is."""
    return os.path.join(FOLDER, f"{level.name}-{stamp()}{suffix}")


def load_library(levels: Sequence[Level]) -> Kernels:
    """Return the kernels for the first of the levels that has a library.

    Raises `NoLibraryError` where none of them has one that fits these sources, this Python and this system.
    """
    if not are_as_expected():
        raise NoLibraryError("this Python keeps NumPy arrays in another way than kernels expect")
    refused = []
    for level in levels:
        if os.path.exists(path := library_path(level)):
            try:
                return Kernels(level, _functions(ctypes.CDLL(path)))
            except (OSError, AttributeError) as error:  # AttributeError: a kernel is missing
                refused.append(str(error))
    raise NoLibraryError("; ".join(refused) or _what_is_there(levels))


def _functions(library: ctypes.CDLL) -> dict[str, Callable[[int], Any]]:
    """Return a library's kernels, by name."""
    functions = {}
    for name in KERNELS:
        functions[name] = function = getattr(library, f"nerlite_{name}")
        function.argtypes, function.restype = [ctypes.c_void_p], None
    return functions


def _what_is_there(levels: Sequence[Level]) -> str:
    """Say which libraries were looked for, and which lie there instead."""
    there = sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else []
    libraries = [name for name in there if name.endswith(SUFFIX)]
    names = [level.name for level in levels if level.machine]
    stale = [name for name in libraries if name.rpartition("-")[0] in names]
    if stale:
        found = f"those there are of other sources: {', '.join(stale)}"
    else:
        found = f"there are only {', '.join(libraries)}" if libraries else "there are none"
    return f"looked in {FOLDER} for kernels for {' or '.join(names) or 'this kind of CPU'}, stamp {stamp()}: {found}"


class Kernels:
    """The kernels as attributes: functions of the records in `KERNELS`."""

    def __init__(self, level: Level, functions: Mapping[str, Callable[[int], Any]]) -> None:
        """functions: each takes the address of its record's words."""
        self.level = level
        for name, record in KERNELS.items():
            setattr(self, name, Kernel(name, record, functions[name]))

    def __getattr__(self, name: str) -> Kernel:
        """For type checkers, which don't see that every kernel is an attribute."""
        raise AttributeError(name)


class Kernel:
    """A kernel behind a check of its argument, since machine code believes what it is given; see also `Record`."""

    def __init__(self, name: str, record: type[Record], function: Callable[[int], Any]) -> None:
        """Remember what it takes."""
        self.name, self.record, self.function = name, record, function

    def __call__(self, arguments: Record) -> None:
        """Run the kernel."""
        if type(arguments) is not self.record:
            raise TypeError(f"{self.name}: expected {self.record.__name__}, got {type(arguments).__name__}")
        self.function(arguments.address)
