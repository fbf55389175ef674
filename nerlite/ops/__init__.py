"""The network's operations: one module a backend, with the same names."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType


def load_ops(backend: str) -> ModuleType:
    """Return the operations of a backend: "numpy", "numba", or "auto" for numba where it is installed."""
    if backend == "auto":
        backend = "numba" if importlib.util.find_spec("numba") else "numpy"
    if backend not in ("numpy", "numba"):
        raise ValueError(f'backend: expected "auto", "numpy" or "numba", got {backend!r}')
    return importlib.import_module(f"nerlite.ops.{backend}_ops")
