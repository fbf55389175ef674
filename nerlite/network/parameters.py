"""How layers take their parameters out of a model's tensors."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from nerlite.config import ModelError
from nerlite.weights import Tensors


def floats(tensors: Tensors, name: str) -> np.ndarray:
    """Return a tensor as a float32 array of its own (kernels want memory that is aligned and not read-only).

    `ModelError` for NaN and for infinity, but that -inf may forbid a transition: such a model would find nothing.
    """
    array = np.array(tensors[name], np.float32)
    if not (array < np.inf).all():
        raise ModelError(f"{name}: expected numbers, got NaN or infinity among them")
    return array


def linear(ops: ModuleType, tensors: Tensors, name: str, activation: str | None = None) -> Any:
    """Return the backend's Linear of NAME.weight and NAME.bias, int8 where it is stored with a scale."""
    weight = tensors[f"{name}.weight"]
    scale = floats(tensors, f"{name}.weight.scale") if weight.dtype == np.int8 else None
    return ops.Linear(weight, floats(tensors, f"{name}.bias"), scale, activation)
