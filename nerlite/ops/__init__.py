"""The network's operations: one module a backend, with the same names."""

from __future__ import annotations

import importlib
from types import ModuleType


def load_ops(backend: str) -> ModuleType:
    """Return the operations of a backend: "numpy", "numba", or "auto" for numba where it can be imported."""
    if backend not in ("auto", "numpy", "numba"):
        raise ValueError(f'backend: expected "auto", "numpy" or "numba", got {backend!r}')
    if backend != "numpy":
        try:
            return importlib.import_module("nerlite.ops.numba_ops")
        except ImportError:  # not installed, or not for this NumPy
            if backend == "numba":
                raise
    return importlib.import_module("nerlite.ops.numpy_ops")
