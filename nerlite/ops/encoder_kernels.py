"""The encoder's kernels: all layers in one call, rows shared out among the threads that make the same call.

A layer has one step that rows cannot take alone: attention reads the keys and values of a whole sequence. So the
work is cut there. A phase takes rows through the end of one layer (attention, feed-forward network) and the beginning
of the next (queries, keys, values). Threads claim chunks of a phase's rows until none is left, then wait for those
that others claimed; a thread that comes late, or never, costs time but changes nothing.

Rows are padded with zeros: the hidden size (d) and the inner one (d_inner) to whole panels of COLUMNS, and each
head's numbers (size) to a multiple of WIDTH.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nerlite.ops.atomics import claim, finish, wait
from nerlite.ops.elementwise import (
    F4,
    GELU,
    I4,
    NO_ACTIVATION,
    ONE,
    ZERO,
    exp,
    highest_float,
    normalize,
    whole,
)
from nerlite.ops.jit import kernel
from nerlite.ops.linear_kernels import linear_float, linear_int8
from nerlite.ops.numpy_ops import ATTENTION_LEVELS
from nerlite.ops.simd import (
    LANES,
    bits_of,
    counting_from,
    floats,
    highest,
    ints,
    load,
    store,
    store_apart,
    to_float,
    total,
    where,
    widen,
)
from nerlite.ops.tiles import ROWS, WIDTH, float_narrow, int16_narrow

LEVELS = F4(ATTENTION_LEVELS)
MINUS_INFINITY = F4(-np.inf)


class Layers(NamedTuple):
    """The weights of all layers, one after another: panels, constants (see `linear_int8`), norms (n_layers, 2, d)."""

    qkv: np.ndarray
    qkv_constants: np.ndarray
    attention_out: np.ndarray
    attention_out_constants: np.ndarray
    ffn_in: np.ndarray
    ffn_in_constants: np.ndarray
    ffn_out: np.ndarray
    ffn_out_constants: np.ndarray
    attention_norm: np.ndarray
    ffn_norm: np.ndarray


class Batch(NamedTuple):
    """A ragged batch, and the rows whose last hidden state is asked for."""

    everything: np.ndarray  # (n_rows,): 0, 1, 2, …
    offsets: np.ndarray  # (n_seqs + 1,) of the rows
    rows: np.ndarray  # (n_asked,)
    row_offsets: np.ndarray  # (n_seqs + 1,) of the rows asked for
    asked: np.ndarray  # (n_rows,): each row's index in rows, or -1
    lanes: np.ndarray  # (n_rows,): each row's lane, counted over all panels of keys
    panels: np.ndarray  # (n_seqs,): each sequence's first panel of keys


class Heads(NamedTuple):
    """What attention reads, for an int8 encoder: int16, and the float32 scales of each row's numbers of a head.

    A sequence's keys and values lie in panels of WIDTH of its own. A float32 encoder has float32 numbers, keys (…,
    size, WIDTH), and no scales.
    """

    queries: np.ndarray  # (2, n_heads, n_rows, size): one layer's are read as the next one's are written
    query_scales: np.ndarray  # (2, n_heads, n_rows)
    keys: np.ndarray  # (2, n_panels, n_heads, size / 2, WIDTH, 2)
    key_scales: np.ndarray  # (2, n_heads, n_panels * WIDTH)
    values: np.ndarray  # (2, n_panels * WIDTH, n_heads, size)
    value_scales: np.ndarray  # (2, n_heads, n_panels * WIDTH), 0 where a panel has no key


class Scratch(NamedTuple):
    """What each thread has of its own."""

    quantized: np.ndarray  # (chunk, the longest row) uint8
    row_scales: np.ndarray  # (chunk, 2): a row's scale and lowest number
    total: np.ndarray  # (INT8_ROWS or ROWS, COLUMNS) int32 or float32: a tile's sums, as in the next
    narrow_total: np.ndarray  # (ROWS, WIDTH)
    head: np.ndarray  # (size,) int16: a row's keys of one head
    pairs: np.ndarray  # (size / WIDTH, the longest sequence in whole panels / 2, WIDTH, 2) int16: a head's values
    totals: np.ndarray  # (ROWS, the longest sequence in whole panels), of narrow_total's type
    scores: np.ndarray  # (ROWS, as many) float32
    weights: np.ndarray  # (ROWS, as many) int16
    factors: np.ndarray  # (ROWS,)
    qkv: np.ndarray  # (chunk, 3 * n_heads * size, whole panels)
    mixed: np.ndarray  # (chunk, n_heads * size and zeros)
    hidden: np.ndarray  # (chunk, d)
    inner: np.ndarray  # (chunk, d_inner)


@kernel()
def lay_out(offsets, rows, everything, asked, lanes, panels):
    """Fill the last four with what `Batch` says of them."""
    n_panels = 0
    for sequence in range(len(panels)):
        start, stop = offsets[sequence], offsets[sequence + 1]
        panels[sequence] = n_panels
        for row in range(start, stop):
            everything[row], asked[row], lanes[row] = row, -1, n_panels * WIDTH + row - start
        n_panels += (stop - start + WIDTH - 1) // WIDTH
    for i in range(len(rows)):
        asked[rows[i]] = i


@kernel()
def embed(words, word_scale, places, place_scale, ids, positions, out):
    """As the reference, for int8 tables."""
    for i in range(len(ids)):
        word, place = words[ids[i]], places[positions[i]]
        for j in range(0, out.shape[1], LANES):
            store(out[i], j, to_float(load(word, j)) * word_scale[ids[i]]
                  + to_float(load(place, j)) * place_scale[positions[i]])


@kernel(inline=True)
def _linear_int8(x, first, n_rows, scratch, panels, constants, activation, out):
    linear_int8(x, first, n_rows, scratch.quantized, scratch.row_scales, scratch.total, panels, constants, activation,
                out)


@kernel(inline=True)
def _linear_float(x, first, n_rows, scratch, panels, constants, activation, out):
    linear_float(x, first, n_rows, scratch.total, panels, constants, activation, out)


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
def _store_int16(qkv, row, buffer, panel, lane, factor, heads, scratch):
    """Keep one row's queries (as row `row`, if not -1) times a factor, and its keys and values as a panel's lane.

    qkv: (3 * n_heads * size, …) float32; buffer: which of the two.
    """
    _, n_heads, _, size = heads.queries.shape
    place, head16 = panel * WIDTH + lane, scratch.head
    for head in range(n_heads):
        if row >= 0:
            scale = _quantize_head(qkv, head * size, heads.queries[buffer, head, row])
            heads.query_scales[buffer, head, row] = scale * factor
        heads.key_scales[buffer, head, place] = _quantize_head(qkv, (n_heads + head) * size, head16)
        twos = head16.view(np.int32)
        for k in range(0, len(twos), LANES):
            store_apart(heads.keys[buffer, panel, head].view(np.int32), k * WIDTH + lane, WIDTH, load(twos, k))
        heads.value_scales[buffer, head, place] = _quantize_head(qkv, (2 * n_heads + head) * size,
                                                                 heads.values[buffer, place, head])


@kernel(inline=True)
def _store_float(qkv, row, buffer, panel, lane, factor, heads, scratch):
    """As `_store_int16`."""
    _, n_heads, _, size = heads.queries.shape
    for head in range(n_heads):
        query, key, value = head * size, (n_heads + head) * size, (2 * n_heads + head) * size
        columns = heads.keys[buffer, panel, head]
        for k in range(0, size if row >= 0 else 0, LANES):
            store(heads.queries[buffer, head, row], k, load(qkv, query + k) * factor)
        for k in range(0, size, LANES):
            store_apart(columns, k * WIDTH + lane, WIDTH, load(qkv, key + k))
            store(heads.values[buffer, panel * WIDTH + lane, head], k, load(qkv, value + k))


@kernel(inline=True)
def _weights_int16(totals, scale, key_scales, value_scales, first, n, scores, weights):
    """weights (…,) int16 = softmax of (totals * scale * key_scales), times value_scales; return their scale.

    totals: (…,) int32 and scores: (…,) scratch, up to the end of the n keys' panels; those keys' scales begin at first.
    """
    top = floats(MINUS_INFINITY)
    for j in range(0, n, LANES):
        score = (to_float(load(totals, j)) * scale) * load(key_scales, first + j)
        score = where(counting_from(I4(j)) < I4(n), score, floats(MINUS_INFINITY))
        top = max(top, score)
        store(scores, j, score)
    most, sums, top = highest_float(top), widen(floats(ZERO)), floats(ZERO)
    for j in range(0, n, LANES):
        weight = exp(load(scores, j) - most)
        sums = sums + widen(weight)
        weight = weight * load(value_scales, first + j)
        top = max(top, weight)
        store(scores, j, weight)
    most = I4(highest(bits_of(top))).view(F4)
    inverse = LEVELS / most if most > ZERO else ZERO
    for j in range(0, n, LANES):
        store(weights, j, whole(load(scores, j) * inverse))
    return most / LEVELS / F4(total(sums))


@kernel(inline=True)
def _pair_int16(buffer, panel, n, head, heads, scratch):
    """Lay the values of n keys side by side, two and two; panel: their first."""
    place, pairs = panel * WIDTH, scratch.pairs.view(np.int32)
    for k in range((n + 1) // 2):
        one, other = heads.values[buffer, place + 2 * k, head], heads.values[buffer, place + 2 * k + 1, head]
        for p in range(len(pairs)):
            target = pairs[p, k, :, 0]
            for j in range(0, WIDTH, LANES):
                store(target, j, (load(one, p * WIDTH + j) & I4(0xFFFF)) + (load(other, p * WIDTH + j) << I4(16)))


@kernel(inline=True)
def _pair_float(buffer, panel, n, head, heads, scratch):
    """Do nothing: float32 values are read as they lie."""


@kernel(inline=True)
def _attend_int16(row, n_rows, buffer, panel, n, head, heads, scratch, first):
    """scratch.mixed[first:first + n_rows] = attention of as many queries to n keys; panel: their first."""
    totals, narrow_total, size = scratch.totals, scratch.narrow_total, heads.queries.shape[3]
    for p in range((n + WIDTH - 1) // WIDTH):
        int16_narrow(heads.queries[buffer, head], row, n_rows, heads.keys[buffer, panel + p, head],
                     totals[:, p * WIDTH:])
    for i in range(n_rows):
        scratch.factors[i] = _weights_int16(
            totals[i], heads.query_scales[buffer, head, row + i], heads.key_scales[buffer, head],
            heads.value_scales[buffer, head], panel * WIDTH, n, scratch.scores[i], scratch.weights[i])
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
def _attend_float(row, n_rows, buffer, panel, n, head, heads, scratch, first):
    """As `_attend_int16`."""
    scores, narrow_total, size = scratch.totals, scratch.narrow_total, heads.queries.shape[3]
    for p in range((n + WIDTH - 1) // WIDTH):
        float_narrow(heads.queries[buffer, head], row, n_rows, heads.keys[buffer, panel + p, head],
                     scores[:, p * WIDTH:])
    for i in range(n_rows):
        scratch.factors[i] = _weights_float(scores[i], n)
    for p in range(size // WIDTH):
        values = heads.values[buffer, panel * WIDTH:panel * WIDTH + n, head, p * WIDTH:(p + 1) * WIDTH]
        float_narrow(scores, 0, n_rows, values, narrow_total)
        place = head * size + p * WIDTH
        for i in range(n_rows):
            factor, target, sums = scratch.factors[i], scratch.mixed[first + i], narrow_total[i]
            for j in range(0, WIDTH, LANES):
                store(target, place + j, load(sums, j) * factor)


def _make_encode(linear, store, pair, attend):
    """Return the kernel that runs all layers, of the parts that differ between int8 and float32."""

    @kernel(inline=True)
    def start_layer(x, first, n, layer, slots, factor, layers, batch, heads, scratch):
        """Keep the queries, keys and values of rows first:first + n; slots: where each row's queries go, or -1."""
        linear(x, first, n, scratch, layers.qkv[layer], layers.qkv_constants[layer], NO_ACTIVATION, scratch.qkv)
        for i in range(n):
            lane = batch.lanes[first + i]
            store(scratch.qkv[i], slots[first + i], layer % 2, lane // WIDTH, lane % WIDTH, factor, heads, scratch)

    @kernel(inline=True)
    def end_layer(x, first, n, layer, rows, row_offsets, d, eps, layers, batch, heads, scratch, out):
        """out[first:first + n] = what the layer makes of x[rows[first:first + n]]; x itself may be out."""
        for sequence in range(len(row_offsets) - 1):
            start, stop = max(first, row_offsets[sequence]), min(first + n, row_offsets[sequence + 1])
            n_keys = batch.offsets[sequence + 1] - batch.offsets[sequence]
            for head in range(heads.queries.shape[1] if start < stop else 0):
                pair(layer % 2, batch.panels[sequence], n_keys, head, heads, scratch)
                for row in range(start, stop, ROWS):
                    attend(row, min(ROWS, stop - row), layer % 2, batch.panels[sequence], n_keys, head, heads, scratch,
                           row - first)
        hidden, norm = scratch.hidden, layers.attention_norm[layer]
        linear(scratch.mixed, 0, n, scratch, layers.attention_out[layer], layers.attention_out_constants[layer],
               NO_ACTIVATION, hidden)
        for i in range(n):
            normalize(hidden[i], x[rows[first + i]], norm[0], norm[1], eps, d, out[first + i])
        linear(out, first, n, scratch, layers.ffn_in[layer], layers.ffn_in_constants[layer], GELU, scratch.inner)
        linear(scratch.inner, 0, n, scratch, layers.ffn_out[layer], layers.ffn_out_constants[layer], NO_ACTIVATION,
               hidden)
        norm = layers.ffn_norm[layer]
        for i in range(n):
            normalize(hidden[i], out[first + i], norm[0], norm[1], eps, d, out[first + i])

    @kernel()
    def encode(d, zeros, embedding_norm, qkv, qkv_constants, attention_out, attention_out_constants, ffn_in,
               ffn_in_constants, ffn_out, ffn_out_constants, attention_norm, ffn_norm, factor, eps, chunk, last_chunk,
               everything, offsets, rows, row_offsets, asked, lanes, panels, queries, query_scales, keys, key_scales,
               values, value_scales, counters, x, out, quantized, row_scales, total, narrow_total, head, pairs, totals,
               scores, weights, factors, qkv_rows, mixed, hidden, inner):
        """out = last hidden state of the rows asked for; x: (n_rows, d and padding), embeddings not yet normalized.

        chunk: rows that a thread takes at once; last_chunk: of those asked for, in the last layer, at most as many.
        Every thread passes the same arrays but for those from quantized on, and counters: (n_layers + 1, 2), zeros.
        """
        layers = Layers(qkv, qkv_constants, attention_out, attention_out_constants, ffn_in, ffn_in_constants, ffn_out,
                        ffn_out_constants, attention_norm, ffn_norm)
        batch = Batch(everything, offsets, rows, row_offsets, asked, lanes, panels)
        heads = Heads(queries, query_scales, keys, key_scales, values, value_scales)
        scratch = Scratch(quantized, row_scales, total, narrow_total, head, pairs, totals, scores, weights, factors,
                          qkv_rows, mixed, hidden, inner)
        n_layers, factor = len(attention_norm), F4(factor)
        for phase in range(n_layers + 1):
            mine, mine_offsets, target, size = everything, offsets, x, chunk
            if phase == n_layers:
                mine, mine_offsets, target, size = rows, row_offsets, out, last_chunk
            n_chunks = (len(mine) + size - 1) // size
            while True:
                first = claim(counters, phase) * size
                n = min(size, len(mine) - first)
                if n <= 0:
                    break
                if phase == 0:
                    for i in range(first, first + n):
                        normalize(x[mine[i]], zeros, embedding_norm[0], embedding_norm[1], eps, d, target[i])
                else:
                    end_layer(x, first, n, phase - 1, mine, mine_offsets, d, eps, layers, batch, heads, scratch,
                              target)
                if phase < n_layers:
                    slots = asked if phase == n_layers - 1 else everything
                    start_layer(x, first, n, phase, slots, factor, layers, batch, heads, scratch)
                finish(counters, phase)
            wait(counters, phase, n_chunks)

    return encode


encode_int8 = _make_encode(_linear_int8, _store_int16, _pair_int16, _attend_int16)
encode_float = _make_encode(_linear_float, _store_float, _pair_float, _attend_float)
