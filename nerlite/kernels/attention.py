"""Attention's kernels: what is kept of queries, keys and values, and what a few queries make of a sequence's keys.

Each head's numbers (size) are padded with zeros to a multiple of WIDTH.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nerlite.kernels.elementwise import F4, I4, ONE, ZERO, coarse_exp, exp, highest_float, whole
from nerlite.kernels.jit import kernel
from nerlite.kernels.simd import (
    LANES,
    bits_of,
    counting_from,
    floats,
    highest,
    ints,
    load,
    store,
    to_float,
    total,
    transpose,
    where,
    widen,
)
from nerlite.kernels.tiles import WIDTH, float_narrow, int16_narrow
from nerlite.ops.formulas import ATTENTION_LEVELS

LEVELS = F4(ATTENTION_LEVELS)
MINUS_INFINITY = F4(-np.inf)


class Heads(NamedTuple):
    """What is kept of each row for attention: of an int8 encoder int16, and the scales of each head's numbers.

    A row's lie together, so that threads that write neighbouring rows don't wait for each other's lines. A float32
    encoder has float32 numbers and no scales.
    """

    queries: np.ndarray  # (2, n_rows, n_heads, size): one layer's are read as the next one's are written; the last
    # layer has them of the rows asked for, one after another
    query_scales: np.ndarray  # (2, n_rows, n_heads)
    keys: np.ndarray  # as queries
    key_scales: np.ndarray
    values: np.ndarray
    value_scales: np.ndarray


@kernel(inline=True)
def _quantize_head(row, start, out):
    """out (size,) int16 = row[start:start + size] as whole numbers up to LEVELS; return their scale."""
    top = ints(I4(0))
    for j in range(0, len(out), LANES):
        top = max(top, bits_of(load(row, start + j)) & I4(0x7FFFFFFF))
    most = I4(highest(top)).view(F4)
    inverse = LEVELS / most if most > ZERO else ZERO
    for j in range(0, len(out), LANES):
        store(out, j, whole(load(row, start + j) * inverse))
    return most / LEVELS


@kernel(inline=True)
def queries_int16(qkv, row, buffer, factor, heads):
    """Keep one row's queries times a factor; qkv: (3 * n_heads * size, …) float32; buffer: which of the two."""
    _, _, n_heads, size = heads.queries.shape
    for head in range(n_heads):
        scale = _quantize_head(qkv, head * size, heads.queries[buffer, row, head])
        heads.query_scales[buffer, row, head] = scale * factor


@kernel(inline=True)
def keys_int16(qkv, row, buffer, heads):
    """Keep one row's keys and values, as `queries_int16`."""
    _, _, n_heads, size = heads.keys.shape
    for head in range(n_heads):
        key, value = (n_heads + head) * size, (2 * n_heads + head) * size
        heads.key_scales[buffer, row, head] = _quantize_head(qkv, key, heads.keys[buffer, row, head])
        heads.value_scales[buffer, row, head] = _quantize_head(qkv, value, heads.values[buffer, row, head])


@kernel(inline=True)
def queries_float(qkv, row, buffer, factor, heads):
    """As `queries_int16`."""
    _, _, n_heads, size = heads.queries.shape
    for head in range(n_heads):
        for k in range(0, size, LANES):
            store(heads.queries[buffer, row, head], k, load(qkv, head * size + k) * factor)


@kernel(inline=True)
def keys_float(qkv, row, buffer, heads):
    """As `keys_int16`."""
    _, _, n_heads, size = heads.keys.shape
    for head in range(n_heads):
        key, value = (n_heads + head) * size, (2 * n_heads + head) * size
        for k in range(0, size, LANES):
            store(heads.keys[buffer, row, head], k, load(qkv, key + k))
            store(heads.values[buffer, row, head], k, load(qkv, value + k))


@kernel(inline=True)
def _lay_keys(keys, buffer, start, n, head, columns):
    """columns (n_panels, depth, WIDTH) = a head's keys of n rows from start on, a row's as a panel's lane.

    keys: (2, n_rows, n_heads, depth), 32 bits each.
    """
    _, n_rows, n_heads, depth = keys.shape
    first, step = ((buffer * n_rows + start) * n_heads + head) * depth, n_heads * depth
    for i in range(0, n, LANES):
        target = i // WIDTH * depth * WIDTH + i % WIDTH
        for k in range(0, depth, LANES):
            transpose(keys, first + i * step + k, step, n - i, columns, target + k * WIDTH, WIDTH)


@kernel(inline=True)
def arrange_int16(buffer, start, n, head, heads, scratch):
    """Lay out one head of a sequence as products read it: keys as columns, values side by side, two and two.

    start: its first row; n: its rows.
    """
    _lay_keys(heads.keys.view(np.int32), buffer, start, n, head, scratch.columns.view(np.int32))
    for i in range(n):
        scratch.key_scales[i] = heads.key_scales[buffer, start + i, head]
        scratch.value_scales[i] = heads.value_scales[buffer, start + i, head]
    for i in range(n, (n + LANES - 1) // LANES * LANES):
        scratch.value_scales[i] = ZERO
    pairs = scratch.pairs.view(np.int32)
    for k in range((n + 1) // 2):
        one = heads.values[buffer, start + 2 * k, head]
        other = heads.values[buffer, start + min(2 * k + 1, n - 1), head]  # behind the last one any: its weight is zero
        for p in range(len(pairs)):
            target = pairs[p, k, :, 0]
            for j in range(0, WIDTH, LANES):
                store(target, j, (load(one, p * WIDTH + j) & I4(0xFFFF)) + (load(other, p * WIDTH + j) << I4(16)))


@kernel(inline=True)
def arrange_float(buffer, start, n, head, heads, scratch):
    """As `arrange_int16`; float32 values are read as they lie."""
    _lay_keys(heads.keys, buffer, start, n, head, scratch.columns)


@kernel(inline=True)
def _weights_int16(totals, scale, key_scales, value_scales, n, scores, weights):
    """weights (…,) int16 = softmax of (totals * scale * key_scales), times value_scales; return their scale.

    totals: (…,) int32 and scores: (…,) scratch, up to the end of the n keys' panels; value_scales: 0 from n on.
    """
    top = floats(MINUS_INFINITY)
    for j in range(0, n, LANES):
        score = (to_float(load(totals, j)) * scale) * load(key_scales, j)
        score = where(counting_from(I4(j)) < I4(n), score, floats(MINUS_INFINITY))
        top = max(top, score)
        store(scores, j, score)
    most, sums, top = highest_float(top), widen(floats(ZERO)), floats(ZERO)
    for j in range(0, n, LANES):
        weight = coarse_exp(load(scores, j) - most)
        sums = sums + widen(weight)
        weight = weight * load(value_scales, j)
        top = max(top, weight)
        store(scores, j, weight)
    most = I4(highest(bits_of(top))).view(F4)
    inverse = LEVELS / most if most > ZERO else ZERO
    for j in range(0, n, LANES):
        store(weights, j, whole(load(scores, j) * inverse))
    return most / LEVELS / F4(total(sums))


@kernel(inline=True)
def attend_int16(row, n_rows, buffer, start, n, head, heads, scratch, first):
    """scratch.mixed[first:first + n_rows] = attention of as many queries to the n keys that are laid out."""
    totals, narrow_total, size = scratch.totals, scratch.narrow_total, heads.queries.shape[3]
    for p in range((n + WIDTH - 1) // WIDTH):
        int16_narrow(heads.queries[buffer, :, head], row, n_rows, scratch.columns[p], totals[:, p * WIDTH:])
    for i in range(n_rows):
        scratch.factors[i] = _weights_int16(totals[i], heads.query_scales[buffer, row + i, head], scratch.key_scales,
                                            scratch.value_scales, n, scratch.scores[i], scratch.weights[i])
    for p in range(size // WIDTH):
        int16_narrow(scratch.weights, 0, n_rows, scratch.pairs[p, :(n + 1) // 2], narrow_total)
        place = head * size + p * WIDTH
        for i in range(n_rows):
            factor, target, sums = scratch.factors[i], scratch.mixed[first + i], narrow_total[i]
            for j in range(0, WIDTH, LANES):
                store(target, place + j, to_float(load(sums, j)) * factor)


@kernel(inline=True)
def _weights_float(scores, n):
    """scores = exp(scores - the highest of the first n); return the sum of n, inverted."""
    top = floats(MINUS_INFINITY)
    for j in range(0, n, LANES):
        top = max(top, where(counting_from(I4(j)) < I4(n), load(scores, j), floats(MINUS_INFINITY)))
    most, sums = highest_float(top), widen(floats(ZERO))
    for j in range(0, n, LANES):
        weight = exp(load(scores, j) - most)
        sums = sums + widen(where(counting_from(I4(j)) < I4(n), weight, floats(ZERO)))
        store(scores, j, weight)
    return ONE / F4(total(sums))


@kernel(inline=True)
def attend_float(row, n_rows, buffer, start, n, head, heads, scratch, first):
    """As `attend_int16`; start: the first row of the values."""
    scores, narrow_total, size = scratch.totals, scratch.narrow_total, heads.queries.shape[3]
    for p in range((n + WIDTH - 1) // WIDTH):
        float_narrow(heads.queries[buffer, :, head], row, n_rows, scratch.columns[p], scores[:, p * WIDTH:])
    for i in range(n_rows):
        scratch.factors[i] = _weights_float(scores[i], n)
    for p in range(size // WIDTH):
        values = heads.values[buffer, start:start + n, head, p * WIDTH:(p + 1) * WIDTH]
        float_narrow(scores, 0, n_rows, values, narrow_total)
        place = head * size + p * WIDTH
        for i in range(n_rows):
            factor, target, sums = scratch.factors[i], scratch.mixed[first + i], narrow_total[i]
            for j in range(0, WIDTH, LANES):
                store(target, place + j, load(sums, j) * factor)
