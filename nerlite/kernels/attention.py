"""Attention's kernels: what is kept of queries, keys and values, and what a few queries make of a sequence's keys.

Each head's numbers (size) are padded with zeros to a multiple of the level's. In an int8 encoder they are whole numbers
of 8 or 16 bits, as the level's instructions take them (`Level.parts`). heads, tiles, chunk: see `arguments`.
"""

from __future__ import annotations

import numpy as np

from nerlite.kernels.atomics import cut
from nerlite.kernels.elementwise import F4, I4, ONE, ZERO, coarse_exp, exp, highest_float, whole
from nerlite.kernels.jit import LEVEL, kernel
from nerlite.kernels.simd import (
    BLOCK,
    LANES,
    added,
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
from nerlite.kernels.tiles import ROWS, WIDTH, count_tiles, end_of_tile, float_narrow, mix_product, score_product
from nerlite.ops.formulas import ATTENTION_LEVELS
from nerlite.ops.levels.base import AT_ONCE

LEVELS, PARTS, KEY_SHIFT = F4(ATTENTION_LEVELS), LEVEL.parts, LEVEL.key_shift
WHOLE = np.int8 if PARTS == 4 else np.int16
MINUS_INFINITY = F4(-np.inf)


@kernel(inline=True)
def _quantize_head(row, start, shift, out):
    """out (size,) WHOLE = row[start:start + size] as whole numbers up to LEVELS, plus shift; return their scale."""
    top = ints(I4(0))
    for j in range(0, len(out), LANES):
        top = max(top, bits_of(load(row, start + j)) & I4(0x7FFFFFFF))
    most = I4(highest(top)).view(F4)
    inverse = LEVELS / most if most > ZERO else ZERO
    for j in range(0, len(out), LANES):
        store(out, j, whole(load(row, start + j) * inverse) + I4(shift))
    return most / LEVELS


@kernel(inline=True)
def _sum(numbers):
    sums = ints(I4(0))
    for j in range(0, len(numbers), LANES):
        sums = sums + load(numbers, j)
    return added(sums)


@kernel()
def keep_queries(is_int8, qkv, row, factor, heads):
    """Keep one row's queries times a factor; qkv: (3 * n_heads * size, …) float32."""
    if is_int8:
        queries, scales = heads.queries.view(WHOLE), heads.query_scales
        for head in range(queries.shape[1]):
            scales[row, head] = factor * _quantize_head(qkv, head * queries.shape[2], 0, queries[row, head])
            if KEY_SHIFT > 0:
                heads.query_sums[row, head] = KEY_SHIFT * _sum(queries[row, head])
    else:
        numbers = heads.queries.view(np.float32)
        _, n_heads, size = numbers.shape
        for head in range(n_heads):
            for k in range(0, size, LANES):
                store(numbers[row, head], k, load(qkv, head * size + k) * factor)


@kernel()
def keep_keys(is_int8, qkv, row, heads):
    """Keep one row's keys and values, as `keep_queries`."""
    if is_int8:
        keys, values = heads.keys.view(WHOLE), heads.values.view(WHOLE)
        key_scales, value_scales = heads.key_scales, heads.value_scales
        _, n_heads, size = keys.shape
        for head in range(n_heads):
            key, value = (n_heads + head) * size, (2 * n_heads + head) * size
            key_scales[row, head] = _quantize_head(qkv, key, KEY_SHIFT, keys[row, head])
            value_scales[row, head] = _quantize_head(qkv, value, 0, values[row, head])
    else:
        float_keys, float_values = heads.keys.view(np.float32), heads.values.view(np.float32)
        _, n_heads, size = float_keys.shape
        for head in range(n_heads):
            key, value = (n_heads + head) * size, (2 * n_heads + head) * size
            for k in range(0, size, LANES):
                store(float_keys[row, head], k, load(qkv, key + k))
                store(float_values[row, head], k, load(qkv, value + k))


@kernel()
def _lay_keys(keys, start, n, head, columns):
    """columns (n_panels, depth, WIDTH) = a head's keys of n rows from start on, a row's as a panel's lane.

    keys: (n_rows, n_heads, depth); 32 bits each.
    """
    _, n_heads, depth = keys.shape
    first, step = (start * n_heads + head) * depth, n_heads * depth
    for i in range(0, n, LANES):
        target = i // WIDTH * depth * WIDTH + i % WIDTH
        for k in range(0, depth, BLOCK):
            transpose(keys, first + i * step + k, step, n - i, columns, target + k * WIDTH, WIDTH)


@kernel(inline=True)
def _side_by_side(values, row, last, head, j):
    """Return words of what PARTS rows have at the same places; behind the last row any: their weights are zero."""
    first, second = load(values[row, head], j), load(values[min(row + 1, last), head], j)
    if PARTS == 2:
        return (first & I4(0xFFFF)) + (second << I4(16))
    third, fourth = load(values[min(row + 2, last), head], j), load(values[min(row + 3, last), head], j)
    return (first & I4(255)) + ((second & I4(255)) << I4(8)) + ((third & I4(255)) << I4(16)) + (fourth << I4(24))


@kernel()
def _lay_values(start, n, head, heads, tiles):
    """Lay out a head's values, PARTS rows side by side, and the scales of its keys and values."""
    values, groups = heads.values.view(WHOLE), tiles.groups
    key_scales, value_scales = heads.key_scales, heads.value_scales
    for i in range(n):
        tiles.key_scales[i] = key_scales[start + i, head]
        tiles.value_scales[i] = value_scales[start + i, head]
    for i in range(n, (n + LANES - 1) // LANES * LANES):
        tiles.value_scales[i] = ZERO
    for k in range((n + PARTS - 1) // PARTS):
        for p in range(len(groups)):
            for j in range(0, WIDTH, LANES):
                store(groups[p, k], j, _side_by_side(values, start + PARTS * k, start + n - 1, head, p * WIDTH + j))


@kernel(inline=True)
def _whole_weights(totals, shift, scale, key_scales, value_scales, n, scores, weights):
    """weights (…,) WHOLE = softmax of (totals - shift) * scale * key_scales, times value_scales; return their scale.

    totals: (…,) int32 and scores: (…,) scratch, up to the end of the n keys' panels; value_scales: 0 from n on.
    """
    top, whole_vectors = floats(MINUS_INFINITY), n // LANES * LANES
    for j in range(0, whole_vectors, LANES):
        score = (to_float(load(totals, j) - shift) * scale) * load(key_scales, j)
        top = max(top, score)
        store(scores, j, score)
    if whole_vectors < n:
        score = (to_float(load(totals, whole_vectors) - shift) * scale) * load(key_scales, whole_vectors)
        score = where(counting_from(I4(whole_vectors)) < I4(n), score, floats(MINUS_INFINITY))
        top = max(top, score)
        store(scores, whole_vectors, score)
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
    for j in range((n + LANES - 1) // LANES * LANES, (n + AT_ONCE - 1) // AT_ONCE * AT_ONCE, LANES):
        store(weights, j, ints(I4(0)))
    return most / LEVELS / F4(total(sums))


@kernel()
def _attend_whole(row, n_rows, n, head, heads, tiles, mixed, first):
    """mixed[first:first + n_rows] = attention of as many queries to the n keys that are laid out."""
    queries, query_scales, columns, groups = heads.queries.view(WHOLE), heads.query_scales, tiles.columns, tiles.groups
    totals, sums, weights, factors = tiles.totals.view(np.int32), tiles.narrow_total.view(np.int32), tiles.weights.view(
        WHOLE), tiles.factors
    size = queries.shape[2]
    for p in range((n + WIDTH - 1) // WIDTH):
        score_product(queries[:, head], row, n_rows, queries.strides[0], columns[p], totals[:, p * WIDTH:], 0, 0)
    for i in range(n_rows):
        shift = heads.query_sums[row + i, head] if KEY_SHIFT > 0 else I4(0)
        factors[i] = _whole_weights(totals[i], shift, query_scales[row + i, head], tiles.key_scales, tiles.value_scales,
                                    n, tiles.scores[i], weights[i])
    for p in range(size // WIDTH):
        mix_product(weights, 0, n_rows, weights.strides[0], groups[p, :(n + PARTS - 1) // PARTS], sums, 0, 0)
        place = head * size + p * WIDTH
        for i in range(n_rows):
            target = mixed[first + i]
            for j in range(0, WIDTH, LANES):
                store(target, place + j, to_float(load(sums[i], j)) * factors[i])


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


@kernel()
def _attend_float(row, n_rows, start, n, head, heads, tiles, mixed, first):
    """As `_attend_whole`; start: the first row of the values, which are read as they lie."""
    queries, values, columns = (heads.queries.view(np.float32), heads.values.view(np.float32),
                                tiles.columns.view(np.float32))
    scores, sums, factors, size = tiles.totals, tiles.narrow_total, tiles.factors, queries.shape[2]
    for p in range((n + WIDTH - 1) // WIDTH):
        float_narrow(queries[:, head], row, n_rows, queries.strides[0], columns[p], scores[:, p * WIDTH:], 0, 0)
    for i in range(n_rows):
        factors[i] = _weights_float(scores[i], n)
    for p in range(size // WIDTH):
        float_narrow(scores, 0, n_rows, scores.strides[0], values[start:start + n, head, p * WIDTH:(p + 1) * WIDTH],
                     sums, 0, 0)
        place = head * size + p * WIDTH
        for i in range(n_rows):
            target = mixed[first + i]
            for j in range(0, WIDTH, LANES):
                store(target, place + j, load(sums[i], j) * factors[i])


@kernel()
def attend(share, n_shares, is_int8, first, n, row_offsets, offsets, heads, tiles, mixed):
    """mixed[:n] = attention of the queries first:first + n, each to its sequence's keys: a share of the heads."""
    n_heads = heads.keys.shape[1]
    for sequence in range(len(row_offsets) - 1):
        start, stop = max(first, row_offsets[sequence]), min(first + n, row_offsets[sequence + 1])
        key, n_keys = offsets[sequence], offsets[sequence + 1] - offsets[sequence]
        for head in range(cut(share, n_shares, n_heads), cut(share + 1, n_shares, n_heads) if start < stop else 0):
            _lay_keys(heads.keys, key, n_keys, head, tiles.columns)
            if is_int8:
                _lay_values(key, n_keys, head, heads, tiles)
            row, n_tiles = start, count_tiles(stop - start, ROWS)
            for tile in range(n_tiles):
                n_rows = start + end_of_tile(tile, n_tiles, stop - start, 1) - row
                if is_int8:
                    _attend_whole(row, n_rows, n_keys, head, heads, tiles, mixed, row - first)
                else:
                    _attend_float(row, n_rows, key, n_keys, head, heads, tiles, mixed, row - first)
                row += n_rows
