"""The network's operations: one backend or another, with the same names."""

from __future__ import annotations

import importlib
from typing import Any

# What `load_ops` returns: `numpy_ops` itself, or a `CompiledOps` with the same names.
Ops = Any
BACKENDS = ("auto", "native", "numba", "numpy")


def load_ops(backend: str) -> Ops:
    """Return the operations of a backend.

    "native": kernels compiled ahead of time; "numba": the same, compiled when first called; "numpy": none;
    "auto": the first of these that there is here. Raises `ImportError` where the one asked for is not.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")
    if backend in ("auto", "native"):
        from nerlite.ops.cpu import cpu_level
        from nerlite.ops.library import load_library

        if library := load_library(cpu_level()):
            from nerlite.ops.compiled import CompiledOps

            return CompiledOps("native", library.level, library)
        if backend == "native":
            raise ImportError(f"backend: no kernels are compiled for this machine ({cpu_level().name})")
    if backend in ("auto", "numba"):
        try:
            return importlib.import_module("nerlite.kernels.entries").OPS
        except ImportError:  # not installed, or not for this NumPy
            if backend == "numba":
                raise
    return importlib.import_module("nerlite.ops.numpy_ops")
