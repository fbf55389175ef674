"""The encoder's kernels: all layers in one call, the work shared out among the threads that make the same call.

A layer has one step that rows cannot take alone: attention reads the keys and values of a whole sequence. So the
work is cut there. A phase takes rows through the end of one layer (attention, feed-forward network) and the beginning
of the next (queries, keys, values); the last phase makes the last layer's queries, only of the rows it is asked for.
Threads claim chunks of a phase's rows until none is left, then wait for those that others claimed; a thread that comes
late, or never, costs time but changes nothing.

Where rows are so few that one chunk has them all, threads claim shares of each of its steps instead: of the heads, of a
product's columns, of the rows. They then meet at every step, and fetch each weight once among them.

Rows are padded with zeros: the hidden size (d) and the inner one (d_inner) to whole panels of COLUMNS, and each
head's numbers (size) to a multiple of WIDTH.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nerlite.kernels.atomics import claim, cut, finish, linger, ring, share_out, wait
from nerlite.kernels.attention import (
    Heads,
    arrange_float,
    arrange_int16,
    attend_float,
    attend_int16,
    keys_float,
    keys_int16,
    queries_float,
    queries_int16,
)
from nerlite.kernels.elementwise import COARSE_GELU, F4, GELU, NO_ACTIVATION, normalize
from nerlite.kernels.head import score_float, score_int8
from nerlite.kernels.jit import kernel
from nerlite.kernels.linear import linear_float, linear_int8, quantize_rows
from nerlite.kernels.simd import LANES, load, store, to_float
from nerlite.kernels.tiles import COLUMNS, ROWS
from nerlite.ops.signatures import STEPS

# The end of a weight's panels, however many there are.
ALL = 1 << 30


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


class Scratch(NamedTuple):
    """What each thread has of its own; those that share out the steps of a chunk have the last six in common."""

    total: np.ndarray  # (INT8_ROWS or ROWS, COLUMNS) int32 or float32: a tile's sums, as in the next
    narrow_total: np.ndarray  # (ROWS, WIDTH)
    columns: np.ndarray  # (the longest sequence's panels, size / 2, WIDTH, 2) int16 or (…, size, WIDTH): a head's keys
    key_scales: np.ndarray  # (the longest sequence in whole panels,) float32: theirs
    pairs: np.ndarray  # (size / WIDTH, the longest sequence in whole panels / 2, WIDTH, 2) int16: the head's values
    value_scales: np.ndarray  # (the longest sequence in whole panels,) float32: theirs
    totals: np.ndarray  # (ROWS, the longest sequence in whole panels), of narrow_total's type
    scores: np.ndarray  # (ROWS, as many) float32
    weights: np.ndarray  # (ROWS, as many) int16
    factors: np.ndarray  # (ROWS,)
    quantized: np.ndarray  # (chunk, the longest row) uint8
    row_scales: np.ndarray  # (chunk, 2): a row's scale and lowest number
    qkv: np.ndarray  # (chunk, 3 * n_heads * size, whole panels)
    mixed: np.ndarray  # (chunk, n_heads * size and zeros)
    hidden: np.ndarray  # (chunk, d)
    inner: np.ndarray  # (chunk, d_inner)


class Embedded(NamedTuple):
    """Int8 tables of embeddings, none where rows are embedded already, and what each row is in them."""

    words: np.ndarray  # (vocab_size, d)
    word_scale: np.ndarray
    places: np.ndarray  # (max_positions, d)
    place_scale: np.ndarray
    ids: np.ndarray  # (n_rows,)
    positions: np.ndarray


@kernel(inline=True)
def _embed(tables, row, out):
    """out = a row's embeddings, as the reference."""
    index, position = tables.ids[row], tables.positions[row]
    word, place = tables.words[index], tables.places[position]
    for j in range(0, len(word), LANES):
        store(out, j, to_float(load(word, j)) * tables.word_scale[index]
              + to_float(load(place, j)) * tables.place_scale[position])


@kernel(inline=True)
def _quantize(share, n_shares, x, first, n, quantized, row_scales):
    """Prepare x[first:first + n] for a product: a share of the rows."""
    quantize_rows(x, first, cut(share, n_shares, n), cut(share + 1, n_shares, n), quantized, row_scales)


@kernel(inline=True)
def _leave(share, n_shares, x, first, n, quantized, row_scales):
    """Do nothing: float32 rows are multiplied as they are."""


@kernel(inline=True)
def _linear_int8(share, n_shares, x, first, n, quantized, row_scales, total, panels, constants, activation, out, begin,
                 end):
    """out[:n] = activation(x[first:first + n] @ weight + bias), of prepared rows: a share of panels begin:end."""
    n_panels = min(end, len(panels)) - begin
    linear_int8(n, quantized, row_scales, total, panels, constants, activation, out,
                begin + cut(share, n_shares, n_panels), begin + cut(share + 1, n_shares, n_panels))


@kernel(inline=True)
def _linear_float(share, n_shares, x, first, n, quantized, row_scales, total, panels, constants, activation, out, begin,
                  end):
    n_panels = min(end, len(panels)) - begin
    linear_float(x, first, n, total, panels, constants, activation, out,
                 begin + cut(share, n_shares, n_panels), begin + cut(share + 1, n_shares, n_panels))


def _make_encode(quantize, linear, keep_queries, keep_keys, arrange, attend, score, gelu):
    """Return the kernel that runs all layers, of the parts that differ between int8 and float32."""

    @kernel(inline=True)
    def normalize_embeddings(share, n_shares, tables, x, zeros, rows, first, n, norm, eps, d, out, quantized,
                             row_scales):
        """As `normalize_rows`, of x[rows[first:first + n]] alone, which are embedded first where there are tables."""
        for i in range(first + cut(share, n_shares, n), first + cut(share + 1, n_shares, n)):
            if len(tables.words):
                _embed(tables, rows[i], x[rows[i]])
            normalize(x[rows[i]], zeros, norm[0], norm[1], eps, d, out[i])
        quantize(share, n_shares, out, first, n, quantized, row_scales)

    @kernel(inline=True)
    def normalize_rows(share, n_shares, x, residual, rows, first, n, norm, eps, d, out, quantized, row_scales):
        """out[first:first + n] = x[:n] + residual[rows[first:first + n]], normalized: a share of the rows."""
        for i in range(cut(share, n_shares, n), cut(share + 1, n_shares, n)):
            normalize(x[i], residual[rows[first + i]], norm[0], norm[1], eps, d, out[first + i])
        quantize(share, n_shares, out, first, n, quantized, row_scales)

    @kernel(inline=True)
    def attend_all(share, n_shares, first, n, buffer, row_offsets, offsets, heads, scratch):
        """scratch.mixed[:n] = attention of the queries first:first + n: a share of the heads."""
        n_heads = heads.keys.shape[2]
        for sequence in range(len(row_offsets) - 1):
            start, stop = max(first, row_offsets[sequence]), min(first + n, row_offsets[sequence + 1])
            key, n_keys = offsets[sequence], offsets[sequence + 1] - offsets[sequence]
            for head in range(cut(share, n_shares, n_heads),
                              cut(share + 1, n_shares, n_heads) if start < stop else 0):
                arrange(buffer, key, n_keys, head, heads, scratch)
                for row in range(start, stop, ROWS):
                    attend(row, min(ROWS, stop - row), buffer, key, n_keys, head, heads, scratch, row - first)

    @kernel(inline=True)
    def keep(share, n_shares, qkv, first, n, queries, keys, buffer, factor, heads):
        """Keep the queries, or the keys and values, or both, of rows first:first + n: a share of them."""
        for i in range(cut(share, n_shares, n), cut(share + 1, n_shares, n)):
            if queries:
                keep_queries(qkv[i], first + i, buffer, factor, heads)
            if keys:
                keep_keys(qkv[i], first + i, buffer, heads)

    @kernel(inline=True)
    def pick(share, n_shares, x, rows, first, n, out, quantized, row_scales):
        """out[:n] = x[rows[first:first + n]]: a share of the rows."""
        for i in range(cut(share, n_shares, n), cut(share + 1, n_shares, n)):
            for j in range(0, out.shape[1], LANES):
                store(out[i], j, load(x[rows[first + i]], j))
        quantize(share, n_shares, out, 0, n, quantized, row_scales)

    @kernel()
    def encode(words, word_scale, places, place_scale, d, zeros, embedding_norm, qkv, qkv_constants, attention_out,
               attention_out_constants, ffn_in, ffn_in_constants, ffn_out, ffn_out_constants, attention_norm, ffn_norm,
               factor, eps, bell, dense, dense_constants, w_ih, w_ih_constants, w_hh, w_hh_constants, peepholes,
               emission, emission_constants, residual, total, narrow_total, columns, key_lanes, pairs, value_lanes,
               totals, scores, weights, factors, quantized, row_scales, qkv_rows, mixed, hidden, inner, everything,
               numbers, scales, x, out, head_x, head_quantized, head_scales, y, gates, states, h, cell, h_quantized,
               h_scales, head_total, float_total, z, chunk, last_chunk, n_shares, ids, positions, offsets, rows,
               row_offsets, counters, lingers, index, head_shares, characters, by_length, emissions):
        """out (n_asked, d) = last hidden state of the rows asked for.

        words … place_scale, ids, positions: see `Embedded`; everything: 0, 1, 2, …; x: (n_rows or more, d and padding),
        embeddings not yet normalized, or with tables what becomes them; offsets: (n_seqs + 1,) of the rows; rows:
        (n_asked,) and row_offsets: (n_seqs + 1,), those that are asked for, of which alone the last layer has queries;
        numbers (3, …) and scales (3, …): those of `Heads`.
        chunk: rows that a thread takes at once; last_chunk: of those asked for, in the last layer, at most as many.
        n_shares: 1, or where one chunk has all rows, how many shares threads make of each of its steps.
        index: this thread's, 0 for the one that others help; bell: that one rings it as it begins; lingers: whether the
        others, when they have done their part, wait for that a while, see `linger`.
        dense … residual, head_x … z, characters … emissions: what `score` takes, which then makes scores of the hidden
        states, in head_shares by as many threads; emission has no panels where these are what is asked for.
        Every thread passes the same arrays but for those of `Scratch`, and counters: ((n_layers + 1) * STEPS, those of
        the head, and one for the bell, 2), zeros.
        """
        everything = everything[:offsets[len(offsets) - 1]]
        layers = Layers(qkv, qkv_constants, attention_out, attention_out_constants, ffn_in, ffn_in_constants, ffn_out,
                        ffn_out_constants, attention_norm, ffn_norm)
        tables = Embedded(words, word_scale, places, place_scale, ids, positions)
        heads = Heads(numbers[0], scales[0], numbers[1], scales[1], numbers[2], scales[2])
        scratch = Scratch(total, narrow_total, columns, key_lanes, pairs, value_lanes, totals, scores, weights, factors,
                          quantized, row_scales, qkv_rows, mixed, hidden, inner)
        n_layers, factor = len(attention_norm), F4(factor)
        # The panels that have columns of queries, and those of keys and values; one may have both.
        n_queries = heads.queries.shape[2] * heads.queries.shape[3]
        end_of_queries, first_of_keys = (n_queries + COLUMNS - 1) // COLUMNS, n_queries // COLUMNS
        last = len(counters) - 1
        if index == 0:
            counters[last, 0] = ring(bell)
        for phase in range(n_layers + 1):
            mine, mine_offsets, target, size = everything, offsets, x, chunk
            if phase == n_layers:
                mine, mine_offsets, target, size = rows, row_offsets, out, last_chunk
            layer, n_chunks, step = phase - 1, (len(mine) + size - 1) // size, phase * STEPS
            taken = claim(counters, step) if n_shares == 1 else 0
            while taken < n_chunks:
                first = taken * size
                n = min(size, len(mine) - first)
                if phase == 0:
                    share_out(normalize_embeddings, (tables, x, zeros, mine, first, n, embedding_norm, eps, d, target,
                                                     quantized, row_scales), n_shares, counters, step + 1)
                else:
                    if phase == n_layers:
                        share_out(pick, (x, mine, first, n, hidden, quantized, row_scales), n_shares, counters,
                                  step + 9)
                        share_out(linear, (hidden, 0, n, quantized, row_scales, total, layers.qkv[layer],
                                           layers.qkv_constants[layer], NO_ACTIVATION, qkv_rows, 0, end_of_queries),
                                  n_shares, counters, step + 10)
                        share_out(keep, (qkv_rows, first, n, True, False, layer % 2, factor, heads),
                                  n_shares, counters, step + 11)
                    share_out(attend_all, (first, n, layer % 2, mine_offsets, offsets, heads, scratch),
                              n_shares, counters, step + 1)
                    share_out(quantize, (mixed, 0, n, quantized, row_scales), n_shares, counters, step + 2)
                    share_out(linear, (mixed, 0, n, quantized, row_scales, total, layers.attention_out[layer],
                                       layers.attention_out_constants[layer], NO_ACTIVATION, hidden, 0, ALL),
                              n_shares, counters, step + 3)
                    share_out(normalize_rows, (hidden, x, mine, first, n, layers.attention_norm[layer], eps, d, target,
                                               quantized, row_scales), n_shares, counters, step + 4)
                    share_out(linear, (target, first, n, quantized, row_scales, total, layers.ffn_in[layer],
                                       layers.ffn_in_constants[layer], gelu, inner, 0, ALL), n_shares, counters,
                              step + 5)
                    share_out(quantize, (inner, 0, n, quantized, row_scales), n_shares, counters, step + 6)
                    share_out(linear, (inner, 0, n, quantized, row_scales, total, layers.ffn_out[layer],
                                       layers.ffn_out_constants[layer], NO_ACTIVATION, hidden, 0, ALL),
                              n_shares, counters, step + 7)
                    share_out(normalize_rows, (hidden, target, everything, first, n, layers.ffn_norm[layer], eps, d,
                                               target, quantized, row_scales), n_shares, counters, step + 8)
                if phase < n_layers:
                    has_queries = phase < n_layers - 1
                    share_out(linear, (target, first, n, quantized, row_scales, total, layers.qkv[phase],
                                       layers.qkv_constants[phase], NO_ACTIVATION, qkv_rows,
                                       0 if has_queries else first_of_keys, ALL), n_shares, counters, step + 9)
                    share_out(keep, (qkv_rows, first, n, has_queries, True, phase % 2, factor, heads),
                              n_shares, counters, step + 10)
                taken = n_chunks
                if n_shares == 1:
                    finish(counters, step)
                    taken = claim(counters, step)
            if n_shares == 1:
                wait(counters, step, n_chunks)
        if len(emission) > 0 and index < head_shares:
            score(dense, dense_constants, w_ih, w_ih_constants, w_hh, w_hh_constants, peepholes, emission,
                  emission_constants, residual, head_x, head_quantized, head_scales, y, gates, states, h, cell,
                  h_quantized, h_scales, head_total, float_total, z, index, head_shares, counters,
                  (n_layers + 1) * STEPS, out, d, everything, row_offsets, characters, by_length, emissions)
        if index > 0 and lingers:
            # Who comes after the next call's ring, or before this one's, has no time to lose.
            linger(bell, counters[last, 0])

    return encode


encode_int8 = _make_encode(_quantize, _linear_int8, queries_int16, keys_int16, arrange_int16, attend_int16, score_int8,
                           COARSE_GELU)
encode_float = _make_encode(_leave, _linear_float, queries_float, keys_float, arrange_float, attend_float, score_float,
                            GELU)
