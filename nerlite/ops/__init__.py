"""The network's operations: one backend or another, with the same names."""

from __future__ import annotations

from typing import Any

# What `nerlite.backends` returns: `numpy_ops` itself, or a `CompiledOps` with the same names.
Ops = Any
