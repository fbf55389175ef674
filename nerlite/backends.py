"""Which operations this machine gets: kernels compiled ahead of time, by numba, or none, and why."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

from nerlite.ops import Ops
from nerlite.ops.answers import wrong
from nerlite.ops.compiled import CompiledOps
from nerlite.ops.cpu import Level, cpu_levels
from nerlite.ops.library import Kernels, NoLibraryError, library_path, load_library

BACKENDS = ("auto", "native", "numba", "numpy")


def load_ops(backend: str) -> Ops:
    """Return the operations of a backend.

    "native": kernels compiled ahead of time; "numba": the same, compiled when first called; "numpy": none;
    "auto": the first of these that there is here, with a `RuntimeWarning` where that is not the first. Raises
    `ImportError` where the one asked for is not, with the reason.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")
    if backend in ("auto", "native"):
        try:
            return _proved(CompiledOps("native", load_library(cpu_levels())))
        except NoLibraryError as error:
            if backend == "native":
                raise
            reason = f"no kernels are ready for this CPU: {error}"
    if backend in ("auto", "numba"):
        try:
            entries: Any = importlib.import_module("nerlite.kernels.entries")
            importlib.import_module("nerlite.kernels.notice").announce()
        except ImportError:  # not installed, or not for this NumPy
            if backend == "numba":
                raise
        else:
            if backend == "auto":
                _warn(reason, "numba compiles them when they are first called")
            return CompiledOps("numba", Kernels(entries.LEVEL, entries.ENTRIES))
    if backend == "auto":
        _warn(reason, "NumPy does their work, many times slower")
    return importlib.import_module("nerlite.ops.numpy_ops")


def _proved(ops: CompiledOps) -> CompiledOps:
    """Return the operations, which answer what is known; raise NoLibraryError where they do not."""
    if names := wrong(ops):
        raise NoLibraryError(f"{library_path(ops.level)} computes otherwise than it should on this CPU: "
                             f"{', '.join(names)}")
    return ops


def kernels_of(backend: str) -> str:
    """Say where a backend's compiled kernels are kept, and which are missed that would be faster."""
    levels = cpu_levels()
    if backend == "numba":
        where = _kept_by_numba()
    elif backend == "numpy":
        where = "not used by this backend"
    else:
        level = load_library(levels).level
        where, levels = library_path(level), levels[:levels.index(level)]
    missed = _missed(levels) if levels else ""
    return f"{where}; {missed}" if missed else where


def _missed(levels: Sequence[Level]) -> str:
    """Say why none of these levels has a library; nothing where one has."""
    try:
        load_library(levels)
    except NoLibraryError as error:
        return str(error)
    return ""


def _kept_by_numba() -> str:
    compiled: list[Any] = list(importlib.import_module("nerlite.kernels.entries").ENTRIES.values())
    folders = {kernel.stats.cache_path for kernel in compiled} - {None}
    if not folders:
        return "none: no folder is writable, so every process compiles its kernels (NUMBA_CACHE_DIR names one)"
    kept = [kernel for kernel in compiled if kernel.stats.cache_path and kernel._cache.holds_code()]
    return f"{len(kept)} of {len(compiled)} are compiled, in {', '.join(sorted(folders))}"


def _warn(reason: str, instead: str) -> None:
    warnings.warn(f"{reason}; {instead}. nerlite's README says how they are built", RuntimeWarning, stacklevel=3)
