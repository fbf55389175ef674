"""The operations of `nerlite.ops.numpy_ops` as compiled kernels: same names, same signatures, same results.

Kernels take preallocated C-contiguous arrays and scalars, allocate nothing and raise nothing; the function of the
same name without underscore allocates and calls them. What NumPy does well already is passed through.
"""

from __future__ import annotations

import numpy as np

from nerlite.ops import tiles
from nerlite.ops.jit import kernel
from nerlite.ops.numba_crf import forward_backward, span_log_probabilities, viterbi
from nerlite.ops.numpy_ops import (
    ERF_LIMIT,
    ERF_P,
    ERF_Q,
    EXP_POLYNOMIAL,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    embed,
)
from nerlite.ops.tiles import COLUMNS, ROWS, WIDE_COLUMNS, float_tile, int8_tile, wide_tile

__all__ = ["Linear", "attention", "char_cnn", "embed", "forward_backward", "layer_norm", "lstm",
           "span_log_probabilities", "viterbi"]

F4 = np.float32
ZERO, HALF, ONE, TWO = F4(0), F4(0.5), F4(1), F4(2)
E5, E4, E3, E2, E1, E0 = EXP_POLYNOMIAL
P5, P4, P3, P2, P1, P0 = ERF_P
Q5, Q4, Q3, Q2, Q1, Q0 = ERF_Q
NO_ACTIVATION, GELU, RELU = range(3)
# Rows that pass through one panel before the next is fetched: they stay in the second-level cache.
ROW_BLOCK = 48 * ROWS


@kernel(inline=True)
def _exp(x):
    k = np.rint(x * LOG2_E)
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    polynomial = ((((E5 * r + E4) * r + E3) * r + E2) * r + E1) * r + E0
    value = (polynomial * (r * r) + r) + ONE
    power = np.int32((np.int32(min(max(k, F4(-126)), F4(127))) + np.int32(127)) << np.int32(23)).view(np.float32)
    return ZERO if x < F4(-87) else value * power


@kernel(inline=True)
def _sigmoid(x):
    return ONE / (ONE + _exp(-min(max(x, F4(-80)), F4(80))))


@kernel(inline=True)
def _tanh(x):
    return TWO / (ONE + _exp(F4(-2) * min(max(x, F4(-40)), F4(40)))) - ONE


@kernel(inline=True)
def _gelu(x):
    z = min(max(x * F4(0.70710678), -ERF_LIMIT), ERF_LIMIT)
    t = z * z
    p = ((((P5 * t + P4) * t + P3) * t + P2) * t + P1) * t + P0
    q = ((((Q5 * t + Q4) * t + Q3) * t + Q2) * t + Q1) * t + Q0
    return (x * HALF) * (ONE + min(max(z * p / q, -ONE), ONE))


@kernel(inline=True)
def _gate(x, hard):
    return min(max(F4(0.2) * x + HALF, ZERO), ONE) if hard else _sigmoid(x)


class Linear:
    """activation(x @ weight + bias) with a float32 or an int8 weight."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray, scale: np.ndarray | None = None,
                 activation: str | None = None) -> None:
        """Pack the weight into the panels of this CPU's tiles; arguments as in the reference."""
        self._panels = tiles.pack(weight)
        self._bias, self._scale = _padded(bias, len(self._panels)), None
        if scale is not None:
            self._scale = _padded(scale, len(self._panels))
            self._column_sums = _padded(weight.sum(axis=0, dtype=np.int32), len(self._panels))
        self._d_out = len(bias)
        self._activation = {None: NO_ACTIVATION, "gelu": GELU, "relu": RELU}[activation]

    def __call__(self, x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """x: (n_rows, d_in) float32; offsets: (n_seqs + 1,) → (n_rows, d_out) float32."""
        n_rows = len(x)
        padded_rows = -(-n_rows // ROWS) * ROWS
        out = np.empty((n_rows, self._d_out), np.float32)
        if self._scale is None:
            rows = np.zeros((padded_rows, self._panels.shape[1]), np.float32)
            rows[:n_rows, :x.shape[1]] = x
            _linear_float(rows, self._panels, self._bias, self._activation, np.empty((ROWS, COLUMNS), np.float32),
                          np.empty(COLUMNS, np.float32), out)
        else:
            rows = np.zeros((padded_rows, 4 * self._panels.shape[1]), np.uint8)
            scale, lowest = np.zeros((2, padded_rows), np.float32)
            _quantize_rows(np.ascontiguousarray(x), rows, scale, lowest)
            _linear_int8(rows, scale, lowest, self._panels, self._column_sums, self._scale, self._bias,
                         self._activation, np.empty((ROWS, COLUMNS), np.int32), np.empty(COLUMNS, np.float32), out)
        return out


def _padded(vector: np.ndarray, n_panels: int) -> np.ndarray:
    """Return the vector as float32 (n_panels, COLUMNS), zeros behind its end."""
    result = np.zeros((n_panels, COLUMNS), np.float32)
    result.flat[:len(vector)] = vector
    return result


@kernel(inline=True)
def _ordered(bits):
    """Turn a float32's bits into an int32 that orders as the float does, or back: integer extremes vectorize."""
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel()
def _extremes(row):
    bits = row.view(np.int32)
    lowest = highest = _ordered(bits[0])
    for j in range(len(bits)):
        value = _ordered(bits[j])
        lowest, highest = min(lowest, value), max(highest, value)
    return np.int32(_ordered(lowest)).view(np.float32), np.int32(_ordered(highest)).view(np.float32)


@kernel()
def _quantize_rows(x, out, scales, lowests):
    for i in range(x.shape[0]):
        lowest, highest = _extremes(x[i])
        spread = highest - lowest
        inverse = F4(127) / spread if spread > ZERO else ZERO
        scales[i], lowests[i] = spread / F4(127), lowest
        for j in range(x.shape[1]):
            out[i, j] = np.uint8(np.int32(min(np.rint((x[i, j] - lowest) * inverse), F4(127))))


@kernel()
def _activate(activation, y):
    if activation == GELU:
        for j in range(COLUMNS):
            y[j] = _gelu(y[j])
    elif activation == RELU:
        for j in range(COLUMNS):
            y[j] = max(y[j], ZERO)


@kernel()
def _linear_float(x, panels, bias, activation, total, y, out):
    """total: (ROWS, COLUMNS), y: (COLUMNS,) scratch; a row of a tile is finished in y, then copied."""
    n_rows, d_out = out.shape
    for block in range(0, n_rows, ROW_BLOCK):
        for p in range(panels.shape[0]):
            panel_bias, first = bias[p], p * COLUMNS
            for row in range(block, min(block + ROW_BLOCK, n_rows), ROWS):
                float_tile(x, row, panels[p], total)
                for i in range(min(ROWS, n_rows - row)):
                    for j in range(COLUMNS):
                        y[j] = total[i, j] + panel_bias[j]
                    _activate(activation, y)
                    for j in range(min(COLUMNS, d_out - first)):
                        out[row + i, first + j] = y[j]


@kernel()
def _linear_int8(x, scales, lowests, panels, column_sums, column_scales, bias, activation, total, y, out):
    """Scratch as in `_linear_float`; column_sums, column_scales and bias: (n_panels, COLUMNS)."""
    n_rows, d_out = out.shape
    for block in range(0, n_rows, ROW_BLOCK):
        for p in range(panels.shape[0]):
            panel_sums, panel_scales, panel_bias, first = column_sums[p], column_scales[p], bias[p], p * COLUMNS
            for row in range(block, min(block + ROW_BLOCK, n_rows), ROWS):
                int8_tile(x, row, panels[p], total)
                for i in range(min(ROWS, n_rows - row)):
                    scale, lowest = scales[row + i], lowests[row + i]
                    for j in range(COLUMNS):
                        y[j] = (scale * F4(total[i, j]) + lowest * panel_sums[j]) * panel_scales[j] + panel_bias[j]
                    _activate(activation, y)
                    for j in range(min(COLUMNS, d_out - first)):
                        out[row + i, first + j] = y[j]


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """Normalize each row to mean 0 and variance 1, then scale and shift; as the reference."""
    out = np.empty_like(x)
    _layer_norm(x, weight, bias, eps, out)
    return out


@kernel(sums=True)
def _moments(row, eps):
    mean = np.float64(0)
    for value in row:
        mean += value
    mean /= len(row)
    variance = np.float64(0)
    for value in row:
        variance += (value - mean) * (value - mean)
    return mean, 1 / np.sqrt(variance / len(row) + eps)


@kernel()
def _layer_norm(x, weight, bias, eps, out):
    for i in range(x.shape[0]):
        mean, inverse = _moments(x[i], eps)
        for j in range(x.shape[1]):
            out[i, j] = F4((x[i, j] - mean) * inverse) * weight[j] + bias[j]


def attention(qkv: np.ndarray, offsets: np.ndarray, n_heads: int, rows: np.ndarray,
              row_offsets: np.ndarray) -> np.ndarray:
    """Scaled dot-product attention of rows to all rows of their sequence; as the reference."""
    d, longest = qkv.shape[1] // 3, int(np.diff(offsets).max(initial=0))
    size, padded = d // n_heads, -(-longest // WIDE_COLUMNS) * WIDE_COLUMNS
    out = np.empty((len(rows), d), np.float32)
    _attention(qkv, offsets, n_heads, rows, row_offsets, np.zeros((np.diff(row_offsets).max(initial=0) + ROWS, size)),
               np.zeros((padded // WIDE_COLUMNS, size, WIDE_COLUMNS)),
               np.zeros((-(-size // WIDE_COLUMNS), longest, WIDE_COLUMNS)), np.empty(padded, np.float32),
               np.zeros((ROWS, padded)), np.empty((ROWS, WIDE_COLUMNS)), np.empty(ROWS), out)
    return out


@kernel(sums=True)
def _attention(qkv, offsets, n_heads, rows, row_offsets, queries, keys, values, scores, weights, total, sums, out):
    """Take one head after the other, its queries as rows, its keys and values as panels of `wide_tile`.

    All from queries to sums is scratch. scores: (padded,) float32, as many as the keys' panels have columns;
    weights: (ROWS, padded); total: (ROWS, WIDE_COLUMNS); sums: (ROWS,).
    """
    d = out.shape[1]
    size = d // n_heads
    scale = 1 / np.sqrt(size)
    for sequence in range(len(offsets) - 1):
        first, n = offsets[sequence], offsets[sequence + 1] - offsets[sequence]
        asking, n_asking = row_offsets[sequence], row_offsets[sequence + 1] - row_offsets[sequence]
        n_key_panels = (n + WIDE_COLUMNS - 1) // WIDE_COLUMNS
        for head in range(n_heads):
            query, key, value = head * size, d + head * size, 2 * d + head * size
            for i in range(n_asking):
                for k in range(size):
                    queries[i, k] = qkv[rows[asking + i], query + k]
            for panel in range(n_key_panels):
                for j in range(min(WIDE_COLUMNS, n - panel * WIDE_COLUMNS)):
                    for k in range(size):
                        keys[panel, k, j] = qkv[first + panel * WIDE_COLUMNS + j, key + k]
            for panel in range(values.shape[0]):
                for j in range(n):
                    for k in range(min(WIDE_COLUMNS, size - panel * WIDE_COLUMNS)):
                        values[panel, j, k] = qkv[first + j, value + panel * WIDE_COLUMNS + k]
            for row in range(0, n_asking, ROWS):
                n_rows = min(ROWS, n_asking - row)
                for panel in range(n_key_panels):
                    wide_tile(queries, row, keys[panel], total)
                    for i in range(n_rows):
                        for j in range(WIDE_COLUMNS):
                            weights[i, panel * WIDE_COLUMNS + j] = total[i, j]
                for i in range(n_rows):
                    sums[i] = _softmax_numerators(weights[i], n, scale, scores)
                for panel in range(values.shape[0]):
                    wide_tile(weights, 0, values[panel, :n], total)
                    for i in range(n_rows):
                        for k in range(min(WIDE_COLUMNS, size - panel * WIDE_COLUMNS)):
                            out[asking + row + i, query + panel * WIDE_COLUMNS + k] = F4(total[i, k] / sums[i])


@kernel(sums=True)
def _softmax_numerators(weights, n, scale, scores):
    """weights[:n] = exp(weights * scale - their highest); return their sum. scores: scratch, float32."""
    highest = F4(-np.inf)
    for j in range(n):
        scores[j] = F4(weights[j] * scale)
        highest = max(highest, scores[j])
    total = np.float64(0)
    for j in range(n):
        weights[j] = _exp(scores[j] - highest)
        total += weights[j]
    return total


def char_cnn(ids: np.ndarray, offsets: np.ndarray, taps: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve each word's characters with width 3, ReLU, maximum over its positions; as the reference."""
    out = np.zeros((len(offsets) - 1, len(bias)), np.float32)
    _char_cnn(ids, offsets, taps, bias, out)
    return out


@kernel()
def _char_cnn(ids, offsets, taps, bias, out):
    for word in range(len(offsets) - 1):
        first, last = offsets[word], offsets[word + 1] - 1
        for position in range(first, last + 1):
            at = ids[position]
            for j in range(len(bias)):
                before = taps[0, ids[position - 1], j] if position > first else ZERO
                after = taps[2, ids[position + 1], j] if position < last else ZERO
                out[word, j] = max(out[word, j], ((before + taps[1, at, j]) + after) + bias[j])


def lstm(gates: np.ndarray, rows: np.ndarray, offsets: np.ndarray, w_hh: np.ndarray, *, reverse: bool = False,
         final: bool = False, hard_sigmoid: bool = False, peepholes: np.ndarray | None = None) -> np.ndarray:
    """Run one LSTM direction over each sequence of a ragged batch, from zero states; as the reference."""
    hidden = w_hh.shape[0]
    if peepholes is None:
        peepholes = np.zeros((3, hidden), np.float32)
    out = np.empty((len(offsets) - 1 if final else len(rows), hidden), np.float32)
    _lstm(gates, rows, offsets, w_hh, reverse, final, hard_sigmoid, peepholes, np.empty(4 * hidden, np.float32),
          np.empty(hidden, np.float32), out)
    return out


@kernel(sums=True)
def _lstm(gates, rows, offsets, w_hh, reverse, final, hard_sigmoid, peepholes, z, cell, out):
    hidden = w_hh.shape[0]
    for sequence in range(len(offsets) - 1):
        first, n = offsets[sequence], offsets[sequence + 1] - offsets[sequence]
        cell[:] = 0
        for step in range(n):
            row = first + (n - 1 - step if reverse else step)
            source, place = rows[row], sequence if final else row
            for j in range(4 * hidden):
                z[j] = gates[source, j]
            if step > 0:
                previous = out[place if final else (row + 1 if reverse else row - 1)]
                for k in range(0, hidden - 3, 4):  # four at a time: z comes from memory and goes back less often
                    a, b, c, d = previous[k], previous[k + 1], previous[k + 2], previous[k + 3]
                    for j in range(4 * hidden):
                        z[j] += a * w_hh[k, j] + b * w_hh[k + 1, j] + c * w_hh[k + 2, j] + d * w_hh[k + 3, j]
                for k in range(hidden // 4 * 4, hidden):
                    for j in range(4 * hidden):
                        z[j] += previous[k] * w_hh[k, j]
            for j in range(hidden):
                old = cell[j]
                enter = _gate(z[j] + old * peepholes[0, j], hard_sigmoid)
                forget = _gate(z[hidden + j] + old * peepholes[1, j], hard_sigmoid)
                new = forget * old + enter * _tanh(z[2 * hidden + j])
                cell[j] = new
                out[place, j] = _gate(z[3 * hidden + j] + new * peepholes[2, j], hard_sigmoid) * _tanh(new)
