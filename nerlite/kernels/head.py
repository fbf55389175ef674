"""The kernels of what stands on the encoder, but for the CRF: characters' features, and all up to a word's scores.

What `head`, `work` and `words` are made of: see `nerlite.ops.arguments.Encode`.
"""

from __future__ import annotations

from nerlite.kernels.atomics import cut, share_out
from nerlite.kernels.elementwise import NO_ACTIVATION, RELU, ZERO, gate, tanh
from nerlite.kernels.jit import kernel
from nerlite.kernels.linear import linear, quantize_rows
from nerlite.kernels.simd import LANES, floats, load, store
from nerlite.kernels.tiles import COLUMNS, ROWS
from nerlite.ops.arguments import HEAD_STEPS, LAYER_STEPS


@kernel()
def _convolve(taps, bias, ids, first, stop, padding, out):
    """out[:n_filters] = the most that any position of ids[first:stop], and so many 0 behind, gives each filter."""
    for position in range(first, stop + padding):
        previous, at = ids[position - 1] if position <= stop else 0, ids[position] if position < stop else 0
        following = ids[position + 1] if position + 1 < stop else 0
        for j in range(len(bias)):
            before = taps[0, previous, j] if position > first else ZERO
            after = taps[2, following, j] if position + 1 < stop + padding else ZERO
            out[j] = max(out[j], ((before + taps[1, at, j]) + after) + bias[j])


@kernel()
def _cell(gates, start, z, cell, peepholes, hard_sigmoid, h):
    """One step of one sequence; gates from start on."""
    hidden = len(h)
    for j in range(0, hidden, LANES):
        old, at = load(cell, j), start + j
        z_i, z_f = load(gates, at) + load(z, j), load(gates, at + hidden) + load(z, hidden + j)
        z_g = load(gates, at + 2 * hidden) + load(z, 2 * hidden + j)
        z_o = load(gates, at + 3 * hidden) + load(z, 3 * hidden + j)
        enter = gate(z_i + old * load(peepholes[0], j), hard_sigmoid)
        forget = gate(z_f + old * load(peepholes[1], j), hard_sigmoid)
        new = forget * old + enter * tanh(z_g)
        store(cell, j, new)
        store(h, j, gate(z_o + new * load(peepholes[2], j), hard_sigmoid) * tanh(new))


@kernel()
def _run(direction, weights, hard_sigmoid, final, gates, rows, offsets, by_length, work, out):
    """Run an LSTM over the sequences, ROWS at a time, so that each step fetches the weights once for all of them.

    direction: 0 or 1, backward; weights: a `Direction`, whose hidden size is here a multiple of LANES; gates: those of
    both directions, and out: both directions' states, side by side; by_length: sequences, the longest first; work: a
    `DirectionWork`; the rest as in the reference.
    """
    h, cell, z, w_hh, peepholes = work.h, work.cell, work.z, weights.w_hh, weights.peepholes
    hidden = h.shape[1]
    for group in range(0, len(by_length), ROWS):
        running = min(ROWS, len(by_length) - group)
        for i in range(running):
            for j in range(0, hidden, LANES):
                store(h[i], j, floats(ZERO))
                store(cell[i], j, floats(ZERO))
        for step in range(offsets[by_length[group] + 1] - offsets[by_length[group]]):
            while offsets[by_length[group + running - 1] + 1] - offsets[by_length[group + running - 1]] <= step:
                running -= 1
            if w_hh.is_int8:
                quantize_rows(h, 0, 0, running, running, hidden, work.quantized)
            linear(w_hh, h, 0, running, work.quantized, work.total, NO_ACTIVATION, z, 0, len(w_hh.panels))
            for i in range(running):
                sequence = by_length[group + i]
                row = offsets[sequence] + step if direction == 0 else offsets[sequence + 1] - 1 - step
                _cell(gates[rows[row]], direction * 4 * hidden, z[i], cell[i], peepholes, hard_sigmoid, h[i])
                for j in range(0, hidden, LANES):
                    store(out[sequence if final else row], direction * hidden + j, load(h[i], j))


@kernel()
def char_layers(features):
    """out = what a convolution and an LSTM make of each word's characters; features: a `CharFeatures`."""
    weights, ids, offsets, padding = features.weights, features.ids, features.offsets, features.padding
    states, out, n_filters = features.states, features.out, len(weights.bias)
    hidden, size = (out.shape[1] - n_filters) // 2, states.shape[1] // 2
    for word in range(len(out) if n_filters > 0 else 0):
        _convolve(weights.taps, weights.bias, ids, offsets[word], offsets[word + 1], padding[word], out[word])
    for direction in range(2 if hidden > 0 else 0):
        _run(direction, weights.directions[direction], weights.hard_sigmoid, 1, weights.gates, ids, offsets,
             features.by_length, features.work, states)
        for word in range(len(out)):
            for j in range(hidden):
                out[word, n_filters + direction * hidden + j] = states[word, direction * size + j]


@kernel(inline=True)
def _prepare(share, n_shares, x, width, layer, work):
    """Prepare x[:, :width] for a product with a layer's weights, where that is of int8: a share of the rows."""
    if layer.is_int8:
        n = len(x)
        quantize_rows(x, 0, cut(share, n_shares, n), cut(share + 1, n_shares, n), n, width, work.quantized)


@kernel()
def _gather(share, n_shares, head, characters, vectors, d, work, x, y):
    """x = a word's characters and vector, and zeros where y has more numbers than the dense layer: some rows."""
    dense_width, n = len(head.dense.panels) * COLUMNS, characters.shape[1]
    for i in range(cut(share, n_shares, len(x)), cut(share + 1, n_shares, len(x))):
        for j in range(n):
            x[i, j] = characters[i, j]
        for j in range(d):
            x[i, n + j] = vectors[i, j]
        if dense_width > 0:
            y[i, dense_width:] = ZERO
    if dense_width > 0:
        _prepare(share, n_shares, x, head.x_width, head.dense, work)


@kernel()
def _transform(share, n_shares, dense, x, work, y):
    """y = ReLU(x @ weight + bias): a share of the panels."""
    n_panels = len(dense.panels)
    linear(dense, x, 0, len(x), work.quantized, work.directions[share].total, RELU, y, cut(share, n_shares, n_panels),
           cut(share + 1, n_shares, n_panels))


@kernel()
def _recur(share, n_shares, layer, y, everything, words, work):
    """states = LSTM(y): a share of the directions."""
    for direction in range(cut(share, n_shares, 2), cut(share + 1, n_shares, 2)):
        n, own = len(layer.w_ih.panels) // 2, work.directions[direction]
        linear(layer.w_ih, y, 0, len(y), work.quantized, own.total, NO_ACTIVATION, work.gates, direction * n,
               direction * n + n)
        _run(direction, layer.directions[direction], 0, 0, work.gates, everything, words.offsets, words.by_length, own,
             work.states)


@kernel()
def _add(share, n_shares, head, next_layer, work, y):
    """y += states, or y = states: a share of the rows, prepared for the next layer."""
    n, states = work.states.shape[1], work.states
    for i in range(cut(share, n_shares, len(y)), cut(share + 1, n_shares, len(y))):
        for j in range(0, n, LANES):
            store(y[i], j, load(y[i], j) + load(states[i], j) if head.residual else load(states[i], j))
        if not head.residual:
            y[i, n:] = ZERO
    if next_layer < len(head.layers):
        _prepare(share, n_shares, y, head.y_width, head.layers[next_layer].w_ih, work)


@kernel()
def score(head, work, words, vectors, d, everything, counters, step, index, n_shares):
    """words.emissions (n_words, n_panels * COLUMNS) = scores.

    vectors: (n_words, d and padding); everything: 0, 1, 2, … up to n_words at least.
    index: this thread's, 0 for the one that others help; n_shares: how many shares threads make of each step, at
    most 2; counters, from `step` on: see `share_out`.
    """
    n, n_layers = len(words.characters), len(head.layers)
    x, y = work.x[:n], work.y[:n]
    share_out(_gather, (head, words.characters, vectors, d, work, x, y), n_shares, counters, step)
    if len(head.dense.panels) > 0:
        share_out(_transform, (head.dense, x, work, y), n_shares, counters, step + 1)
    if n_layers > 0:
        share_out(_prepare, (y, head.y_width, head.layers[0].w_ih, work), n_shares, counters, step + 2)
    step += HEAD_STEPS
    for layer in range(n_layers):
        share_out(_recur, (head.layers[layer], y, everything, words, work), n_shares, counters, step)
        share_out(_add, (head, layer + 1, work, y), n_shares, counters, step + 1)
        step += LAYER_STEPS
    # The others leave meanwhile: where all come back at once, the first waits until they have used Python.
    if index == 0:
        linear(head.emission, y, 0, n, work.quantized, work.directions[0].total, NO_ACTIVATION, words.emissions, 0,
               len(head.emission.panels))
