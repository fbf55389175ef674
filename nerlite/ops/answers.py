"""Questions of two milliseconds whose answers are known, by which compiled kernels prove themselves on this CPU."""

from __future__ import annotations

import numpy as np

from nerlite.ops import Ops
from nerlite.ops.parameters import (
    Embeddings,
    EncoderParameters,
    HeadParameters,
    LayerParameters,
    LinearParameters,
    LSTMParameters,
    Norm,
)

# Two sequences, which are more rows than a tile of any level has; the rows that are asked for.
_OFFSETS, _ROWS, _ROW_OFFSETS = np.array([0, 19, 23]), np.array([0, 1, 5, 18, 20, 22]), np.array([0, 4, 6])
_N_HEADS, _D, _D_INNER, _HIDDEN, _N_TAGS = 2, 24, 40, 8, 5
# What the NumPy reference answers, as one number each.
EXPECTED = {"encoder": 219.94545, "head": 98.68072, "viterbi": 49.18568}
_TOLERANCE = 1e-3


def wrong(ops: Ops) -> list[str]:
    """Return the names of operations that do not answer as the NumPy reference does."""
    return [name for name, answer in answers(ops).items() if not abs(answer - EXPECTED[name]) < _TOLERANCE]


def answers(ops: Ops) -> dict[str, float]:
    """Return what an int8 encoder of one layer, its head and Viterbi's algorithm make of always the same numbers."""
    n = int(_OFFSETS[-1])
    layer = LayerParameters(_linear(_D, 3 * _D), _linear(_D, _D), _norm(), _linear(_D, _D_INNER),
                            _linear(_D_INNER, _D), _norm())
    tables = Embeddings(_numbers(n, _D), np.ones(n, np.float32), _numbers(n, _D), np.ones(n, np.float32),
                        _numbers(2, _D))
    encoder = ops.EncoderLayers(EncoderParameters(tables, _norm(), [layer], 1, _N_HEADS, 1e-5))
    rows = np.arange(n)
    hidden = encoder(n * (rows % 2) + rows[::-1], rows, _OFFSETS, _ROWS, _ROW_OFFSETS)
    direction = LSTMParameters(_linear(_D, 4 * _HIDDEN), _linear(_HIDDEN, 4 * _HIDDEN), _numbers(3, _HIDDEN))
    head = ops.Head(HeadParameters(True, _linear(_D, _D), [(direction, direction)], False,
                                   LinearParameters(_numbers(2 * _HIDDEN, _N_TAGS), _numbers(_N_TAGS))))
    scores = head(None, _numbers(len(_ROWS), _D), _ROW_OFFSETS)
    emissions, transitions = 3 * _numbers(n, _N_TAGS), _numbers(_N_TAGS, _N_TAGS)
    path = ops.viterbi(emissions, _OFFSETS, transitions[0], transitions, transitions[1])
    return {name: float(answer.ravel() @ np.sqrt(np.arange(1, answer.size + 1)))
            for name, answer in (("encoder", hidden), ("head", scores), ("viterbi", path))}


def _numbers(*shape: int) -> np.ndarray:
    """Return numbers between -1 and 1 that look like any, and are the same everywhere."""
    counts = np.arange(1, int(np.prod(shape)) + 1, dtype=np.int64)
    return (((counts * 7919 % 2003) - 1001) / np.float32(1001)).astype(np.float32).reshape(shape)


def _linear(d_in: int, d_out: int) -> LinearParameters:
    return LinearParameters((63 * _numbers(d_in, d_out)).astype(np.int8), _numbers(d_out),
                            np.full(d_out, 0.005, np.float32))


def _norm() -> Norm:
    return Norm(1 + _numbers(_D) / np.float32(4), _numbers(_D))
