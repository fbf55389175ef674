"""How weights and scratch lie in memory for the kernels: panels of columns, whole vectors, whole cache lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nerlite.ops.cpu import Level
from nerlite.ops.parameters import LinearParameters

# Bytes: of a line of the caches, and of what Linux maps at once where it can.
ALIGNMENT, HUGE_PAGE = 64, 2 << 20


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


def side_by_side(kinds: Sequence[tuple[tuple[int, ...], type]]) -> list[np.ndarray]:
    """Return arrays of these shapes and types, not yet filled, in one stretch of memory, each on a line of its own.

    No vector of theirs then lies across two lines, and each takes one access. For a stretch so large that NumPy asks
    Linux for huge pages it begins with one: a pass over all weights then takes few entries of the CPU's table of
    pages, and leaves those of other code there.
    """
    sizes = [padded(math.prod(shape) * np.dtype(kind).itemsize, ALIGNMENT) for shape, kind in kinds]
    boundary = HUGE_PAGE if sum(sizes) >= 2 * HUGE_PAGE else ALIGNMENT
    memory = np.empty(sum(sizes) + boundary, np.uint8)
    stops = np.cumsum(sizes) + -memory.ctypes.data % boundary
    return [memory[stop - size:][:math.prod(shape) * np.dtype(kind).itemsize].view(kind).reshape(shape)
            for stop, size, (shape, kind) in zip(stops.tolist(), sizes, kinds, strict=True)]


def panel_shapes(d_in: int, d_out: int, level: Level, *, is_int8: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of what `pack` fills; d_in a multiple of four for int8."""
    n_panels, columns = -(-d_out // level.columns), level.columns
    if not is_int8:
        return (n_panels, d_in, columns), (n_panels, 3, columns)
    n_stretches = 1 + -(-d_in // (4 * level.stretch)) if level.stretch else 0
    return (n_panels, d_in // 4, columns, 4), (n_panels, 3 + padded(n_stretches, columns) // columns, columns)


def pack(kernels: Any, parameters: LinearParameters, panels: np.ndarray, constants: np.ndarray) -> None:
    """Cut a weight into panels of columns, zeros where a size is no multiple.

    panels: (n_panels, d_in, columns) float32 or (n_panels, d_in / 4, columns, 4) int8; constants: (n_panels, 3 or
    more, columns) float32, column sums (of an int8 weight), scales (1 where there are none), biases, and as int32
    `pack_int8`'s stretches.
    """
    weight, bias, scale = parameters
    n_panels, columns, d_out = len(panels), panels.shape[2], len(bias)
    wide = np.zeros((3, n_panels * columns), np.float32)
    wide[1, :d_out], wide[2, :d_out] = 1 if scale is None else scale, bias
    whole = panels.size // (n_panels * columns), n_panels * columns
    if weight.shape != whole:
        weight, narrow = np.zeros(whole, weight.dtype), weight
        weight[:len(narrow), :d_out] = narrow
    if scale is None:
        panels[:] = weight.reshape(-1, n_panels, columns).swapaxes(0, 1)
    else:
        sums = np.empty((n_panels, columns), np.int32)
        stretches = np.zeros((n_panels, constants.shape[1] - 3, columns), np.int32)
        kernels.pack_int8(weight, panels.view(np.int32)[..., 0], sums, stretches.reshape(n_panels, -1))
        wide[0] = sums.reshape(-1)
        constants.view(np.int32)[:, 3:] = stretches
    constants[:, :3] = wide.reshape(3, n_panels, columns).swapaxes(0, 1)


def packed(kernels: Any, level: Level, layers: Sequence[LinearParameters], d_in: int) -> list[np.ndarray]:
    """Return `pack`'s panels and constants of layers of one size; d_in: rows to make of a weight's own, by zeros."""
    is_int8 = layers[0].scale is not None
    panels, constants = panel_shapes(d_in, len(layers[0].bias), level, is_int8=is_int8)
    room = side_by_side([((len(layers), *panels), np.int8 if is_int8 else np.float32),
                         ((len(layers), *constants), np.float32)])
    for layer, *rooms in zip(layers, *room, strict=True):
        pack(kernels, layer, *rooms)
    return room
