"""How weights lie in memory for the kernels: panels of columns, whole vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nerlite.ops.arguments import Linear, PackInt8
from nerlite.ops.levels import Level
from nerlite.ops.parameters import LinearParameters


def padded(n: int, multiple: int) -> int:
    """Return the next multiple from n on."""
    return -(-n // multiple) * multiple


def widen(array: np.ndarray, size: int, wider: int) -> np.ndarray:
    """Put zeros behind each block of `size` numbers of the last axis: (…, n * size) → (…, n * wider)."""
    blocks = array.reshape(*array.shape[:-1], -1, size)
    return np.pad(blocks, [(0, 0)] * (blocks.ndim - 1) + [(0, wider - size)]).reshape(*array.shape[:-1], -1)


def widen_columns(parameters: LinearParameters, size: int, wider: int) -> LinearParameters:
    """Put zeros behind each block of a layer's columns: (d_in, n * size) → (d_in, n * wider)."""
    weight, bias, scale = parameters
    return LinearParameters(widen(weight, size, wider), widen(bias, size, wider),
                            None if scale is None else widen(scale, size, wider))


def widen_rows(parameters: LinearParameters, size: int, wider: int) -> LinearParameters:
    """Put zeros behind each block of a layer's rows: (n * size, d_out) → (n * wider, d_out)."""
    return parameters._replace(weight=np.ascontiguousarray(widen(parameters.weight.T, size, wider).T))


def lengths_of(d_in: int, d_out: int, level: Level, *, is_int8: bool) -> dict[str, int]:
    """Return the lengths of a `Linear`; d_in: rows to make of a weight's own, by zeros; a multiple of four for int8."""
    n_stretches = 1 + -(-d_in // (4 * level.stretch)) if is_int8 and level.stretch else 0
    return {"n_panels": -(-d_out // level.columns), "depth": d_in // 4 if is_int8 else d_in, "columns": level.columns,
            "n_constants": 3 + padded(n_stretches, level.columns) // level.columns, "is_int8": is_int8}


def pack(kernels: Any, parameters: LinearParameters, into: Linear) -> None:
    """Cut a weight into panels of columns, zeros where a size is no multiple."""
    weight, bias, scale = parameters
    panels, constants = into.panels, into.constants
    n_panels, depth, columns = panels.shape
    d_out, whole = len(bias), (depth * (1 if scale is None else 4), n_panels * columns)
    wide = np.zeros((3, n_panels * columns), np.float32)
    wide[1, :d_out], wide[2, :d_out] = 1 if scale is None else scale, bias
    if weight.shape != whole:
        weight, narrow = np.zeros(whole, weight.dtype), weight
        weight[:len(narrow), :d_out] = narrow
    if scale is None:
        panels.view(np.float32)[:] = weight.reshape(-1, n_panels, columns).swapaxes(0, 1)
    else:
        sums = np.empty((n_panels, columns), np.int32)
        stretches = np.zeros((n_panels, constants.shape[1] - 3, columns), np.int32)
        kernels.pack_int8(PackInt8(weight=np.ascontiguousarray(weight), panels=panels, sums=sums,
                                   stretches=stretches.reshape(n_panels, -1)))
        if (in_turn := kernels.level.in_turn) > 1:
            panels[:] = panels.reshape(n_panels, -1, in_turn, columns).swapaxes(2, 3).reshape(panels.shape)
        wide[0] = sums.reshape(-1)
        constants.view(np.int32)[:, 3:] = stretches
    constants[:, :3] = wide.reshape(3, n_panels, columns).swapaxes(0, 1)


def packed(kernels: Any, layers: Sequence[LinearParameters], d_in: int) -> list[Linear]:
    """Return layers of one size, in one stretch of memory; d_in: rows to make of a weight's own, by zeros."""
    lengths = lengths_of(d_in, len(layers[0].bias), kernels.level, is_int8=layers[0].scale is not None)
    room = Linear.allocate_each([lengths] * len(layers))
    for layer, into in zip(layers, room, strict=True):
        pack(kernels, layer, into)
    return room
