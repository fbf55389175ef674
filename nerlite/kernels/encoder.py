"""The encoder's kernel: all layers in one call, the work shared out among the threads that make the same call.

A layer has one step that rows cannot take alone: attention reads the keys and values of a whole sequence. So the
work is cut there. A phase takes rows through the end of one layer (attention, feed-forward network) and the beginning
of the next (queries, keys, values); the last phase makes the last layer's queries, only of the rows it is asked for.
Threads claim chunks of a phase's rows until none is left, then wait for those that others claimed; a thread that comes
late, or never, costs time but changes nothing.

Where rows are so few that one chunk has them all, threads claim shares of each of its steps instead: of the heads, of a
product's columns, of the rows. They then meet at every step, and fetch each weight once among them.

What `run`, `weights`, `chunk` and the others are made of: see `nerlite.ops.arguments.Encode`. Rows are padded with
zeros: the hidden size (d) and the inner one (d_inner) to whole panels of COLUMNS, and each head's numbers (size) to a
multiple of `Level.head`.
"""

from __future__ import annotations

from nerlite.kernels.atomics import claim, cut, finish, linger, ring, share_out, wait
from nerlite.kernels.attention import attend, keep_keys, keep_queries
from nerlite.kernels.elementwise import COARSE_GELU, F4, GELU, NO_ACTIVATION, normalize
from nerlite.kernels.head import score
from nerlite.kernels.jit import kernel
from nerlite.kernels.linear import linear, quantize_rows
from nerlite.kernels.simd import LANES, load, store, to_float
from nerlite.kernels.tiles import COLUMNS
from nerlite.ops.arguments import STEPS


@kernel(inline=True)
def _embed(weights, batch, row, out):
    """out = a row's embeddings, as the reference."""
    index, position, n = batch.ids[row], batch.positions[row], len(weights.words)
    word, place, shape = weights.words[index % n], weights.places[position], weights.shapes[index // n]
    word_scale, place_scale = weights.word_scale[index % n], weights.place_scale[position]
    for j in range(0, len(word), LANES):
        seen = to_float(load(word, j)) * word_scale + to_float(load(place, j)) * place_scale
        store(out, j, seen + load(shape, j))


@kernel()
def _normalize_embeddings(share, n_shares, weights, batch, x, rows, first, n, out, quantized):
    """out[first:first + n] = x[rows[first:first + n]], normalized, which are embedded first where there are tables."""
    start, stop = first + cut(share, n_shares, n), first + cut(share + 1, n_shares, n)
    for i in range(start, stop):
        if len(weights.words) > 0:
            _embed(weights, batch, rows[i], x[rows[i]])
        normalize(x[rows[i]], weights.zeros, weights.norm, weights.eps, weights.d, out[i])
    if weights.is_int8:
        quantize_rows(out, first, start - first, stop - first, n, out.shape[1], quantized)


@kernel()
def _add_and_normalize(share, n_shares, weights, norm, x, residual, rows, first, n, out, quantized):
    """out[first:first + n] = x[:n] + residual[rows[first:first + n]], normalized: a share of the rows."""
    start, stop = cut(share, n_shares, n), cut(share + 1, n_shares, n)
    for i in range(start, stop):
        normalize(x[i], residual[rows[first + i]], norm, weights.eps, weights.d, out[first + i])
    if weights.is_int8:
        quantize_rows(out, first, start, stop, n, out.shape[1], quantized)


@kernel()
def _pick(share, n_shares, weights, x, rows, first, n, out, quantized):
    """out[:n] = x[rows[first:first + n]]: a share of the rows."""
    start, stop = cut(share, n_shares, n), cut(share + 1, n_shares, n)
    for i in range(start, stop):
        for j in range(0, out.shape[1], LANES):
            store(out[i], j, load(x[rows[first + i]], j))
    _quantize(share, n_shares, weights, out, n, quantized)


@kernel()
def _quantize(share, n_shares, weights, x, n, quantized):
    """Prepare x[:n] for a product of int8 weights: a share of the rows."""
    if weights.is_int8:
        quantize_rows(x, 0, cut(share, n_shares, n), cut(share + 1, n_shares, n), n, x.shape[1], quantized)


@kernel()
def _keep(share, n_shares, weights, qkv, first, n, queries, keys, heads):
    """Keep the queries, or the keys and values, or both, of rows first:first + n: a share of them."""
    for i in range(cut(share, n_shares, n), cut(share + 1, n_shares, n)):
        if queries:
            keep_queries(weights.is_int8, qkv[i], first + i, F4(weights.factor), heads)
        if keys:
            keep_keys(weights.is_int8, qkv[i], first + i, heads)


@kernel()
def _project(share, n_shares, layer, x, first, n, tiles, quantized, activation, out):
    """out[:n] = activation(x[first:first + n] @ weight + bias): a share of the panels."""
    n_panels = len(layer.panels)
    linear(layer, x, first, n, quantized, tiles.total, activation, out, cut(share, n_shares, n_panels),
           cut(share + 1, n_shares, n_panels))


@kernel()
def _project_qkv(share, n_shares, layer, x, first, n, run, queries, keys):
    """chunk.qkv[:n] = those of x[first:first + n]: queries, or keys and values, or both; a share of their panels."""
    # The panels that have columns of queries, and those of keys and values; one may have both.
    n_queries, n_panels = run.weights.n_heads * run.weights.size, len(layer.panels)
    begin = 0 if queries else n_queries // COLUMNS
    n_panels = (n_panels if keys else min(n_panels, (n_queries + COLUMNS - 1) // COLUMNS)) - begin
    linear(layer, x, first, n, run.chunk.quantized, run.tiles.total, NO_ACTIVATION, run.chunk.qkv,
           begin + cut(share, n_shares, n_panels), begin + cut(share + 1, n_shares, n_panels))


@kernel()
def _finish_layer(run, layer, heads, rows, row_offsets, first, n, out, step):
    """out[first:first + n] = what a layer makes of the rows[first:first + n] of x: all but queries, keys and values."""
    weights, tiles, chunk, batch, x = run.weights, run.tiles, run.chunk, run.batch, run.room.x
    n_shares, counters, quantized = batch.n_shares, batch.counters, chunk.quantized
    mixed, hidden, inner = chunk.mixed, chunk.hidden, chunk.inner
    gelu = COARSE_GELU if weights.is_int8 else GELU
    share_out(attend, (weights.is_int8, first, n, row_offsets, batch.offsets, heads, tiles, mixed), n_shares, counters,
              step + 1)
    share_out(_quantize, (weights, mixed, n, quantized), n_shares, counters, step + 2)
    share_out(_project, (layer.attention_out, mixed, 0, n, tiles, quantized, NO_ACTIVATION, hidden), n_shares, counters,
              step + 3)
    share_out(_add_and_normalize, (weights, layer.attention_norm, hidden, x, rows, first, n, out, quantized), n_shares,
              counters, step + 4)
    share_out(_project, (layer.ffn_in, out, first, n, tiles, quantized, gelu, inner), n_shares, counters, step + 5)
    share_out(_quantize, (weights, inner, n, quantized), n_shares, counters, step + 6)
    share_out(_project, (layer.ffn_out, inner, 0, n, tiles, quantized, NO_ACTIVATION, hidden), n_shares, counters,
              step + 7)
    share_out(_add_and_normalize, (weights, layer.ffn_norm, hidden, out, run.room.everything, first, n, out, quantized),
              n_shares, counters, step + 8)


@kernel()
def _phase(run, phase, rows, row_offsets, first, n, out):
    """Take rows[first:first + n] through a phase; out: x, or in the last one the rows asked for."""
    weights, chunk, batch, room = run.weights, run.chunk, run.batch, run.room
    n_shares, counters, step, n_layers = batch.n_shares, batch.counters, phase * STEPS, len(weights.layers)
    if phase == 0:
        share_out(_normalize_embeddings, (weights, batch, room.x, rows, first, n, out, chunk.quantized), n_shares,
                  counters, step + 1)
    else:
        layer, heads = weights.layers[phase - 1], room.heads[(phase - 1) % 2]
        if phase == n_layers:
            share_out(_pick, (weights, room.x, rows, first, n, chunk.hidden, chunk.quantized), n_shares, counters,
                      step + 9)
            share_out(_project_qkv, (layer.qkv, chunk.hidden, 0, n, run, True, False), n_shares, counters, step + 10)
            share_out(_keep, (weights, chunk.qkv, first, n, True, False, heads), n_shares, counters, step + 11)
        _finish_layer(run, layer, heads, rows, row_offsets, first, n, out, step)
    if phase < n_layers:
        queries = phase < n_layers - 1
        share_out(_project_qkv, (weights.layers[phase].qkv, out, first, n, run, queries, True), n_shares, counters,
                  step + 9)
        share_out(_keep, (weights, chunk.qkv, first, n, queries, True, room.heads[phase % 2]), n_shares, counters,
                  step + 10)


@kernel()
def encode(run):
    """room.out (n_asked, d) = last hidden state of the rows asked for, or words.emissions its scores; run: `Encode`."""
    batch, room, index = run.batch, run.room, run.index
    n_shares, counters, n_layers = batch.n_shares, batch.counters, len(run.weights.layers)
    n_rows, last = batch.offsets[len(batch.offsets) - 1], len(counters) - 1
    if index == 0:
        counters[last, 0] = ring(run.weights.bell)
    for phase in range(n_layers + 1):
        rows, row_offsets, out, size = room.everything[:n_rows], batch.offsets, room.x, batch.chunk
        if phase == n_layers:
            rows, row_offsets, out, size = batch.rows, batch.row_offsets, room.out, batch.last_chunk
        n_chunks, step = (len(rows) + size - 1) // size, phase * STEPS
        taken = claim(counters, step) if n_shares == 1 else 0
        while taken < n_chunks:
            _phase(run, phase, rows, row_offsets, taken * size, min(size, len(rows) - taken * size), out)
            taken = n_chunks
            if n_shares == 1:
                finish(counters, step)
                taken = claim(counters, step)
        if n_shares == 1:
            wait(counters, step, n_chunks)
    if len(run.head.emission.panels) > 0 and index < batch.head_shares:
        score(run.head, run.work, run.words, room.out, run.weights.d, room.everything, counters,
              (n_layers + 1) * STEPS, index, batch.head_shares)
    if index > 0 and batch.lingers:
        # Who comes after the next call's ring, or before this one's, has no time to lose.
        linger(run.weights.bell, counters[last, 0])
