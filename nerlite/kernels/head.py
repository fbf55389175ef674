"""The kernels of what stands on the encoder, but for the CRF: characters' features, and all up to a word's scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nerlite.kernels.atomics import cut, share_out
from nerlite.kernels.elementwise import NO_ACTIVATION, RELU, ZERO, gate, quantize_row, tanh
from nerlite.kernels.jit import kernel
from nerlite.kernels.linear import linear_float, linear_int8, quantize_rows
from nerlite.kernels.simd import LANES, floats, load, store
from nerlite.kernels.tiles import COLUMNS, ROWS


@kernel(inline=True)
def _convolve(taps, bias, ids, first, stop, padding, out):
    """out[:n_filters] = the most that any position of ids[first:stop], and so many 0 behind, gives each filter."""
    for position in range(first, stop + padding):
        previous, at = ids[position - 1] if position <= stop else 0, ids[position] if position < stop else 0
        following = ids[position + 1] if position + 1 < stop else 0
        for j in range(len(bias)):
            before = taps[0, previous, j] if position > first else ZERO
            after = taps[2, following, j] if position + 1 < stop + padding else ZERO
            out[j] = max(out[j], ((before + taps[1, at, j]) + after) + bias[j])


@kernel(inline=True)
def _recur_int8(h, n, quantized, total, w_hh, constants, z):
    quantize_rows(h, 0, 0, n, quantized[0], quantized[1])
    linear_int8(n, quantized[0], quantized[1], total, w_hh, constants, NO_ACTIVATION, z, 0, len(w_hh))


@kernel(inline=True)
def _recur_float(h, n, quantized, total, w_hh, constants, z):
    linear_float(h, 0, n, total, w_hh, constants, NO_ACTIVATION, z, 0, len(w_hh))


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


def _make_direction(recur):
    """Return the kernel of an LSTM in one direction, of the product that differs between int8 and float32."""

    @kernel()
    def run(direction, w_hh, constants, peepholes, hard_sigmoid, final, gates, rows, offsets, by_length, h, cell,
            quantized, total, z, out):
        """Run over the sequences, ROWS at a time, so that each step fetches the weights once for all of them.

        direction: 0 or 1, backward; w_hh and constants: see `linear_int8`, d_in being hidden, here a multiple of LANES;
        gates: those of both directions, and out: both directions' states, side by side; by_length: sequences, the
        longest first; h and cell: (ROWS, hidden), z: (ROWS, n_panels * COLUMNS) and those before it, scratch, where
        quantized is (ROWS, hidden) uint8 and (ROWS, 2), nothing for float32; the rest as in the reference.
        """
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
                recur(h, running, quantized, total, w_hh, constants, z)
                for i in range(running):
                    sequence = by_length[group + i]
                    row = offsets[sequence] + step if direction == 0 else offsets[sequence + 1] - 1 - step
                    _cell(gates[rows[row]], direction * 4 * hidden, z[i], cell[i], peepholes, hard_sigmoid, h[i])
                    for j in range(0, hidden, LANES):
                        store(out[sequence if final else row], direction * hidden + j, load(h[i], j))

    return run


_run_int8, _run_float = _make_direction(_recur_int8), _make_direction(_recur_float)


@kernel()
def char_layers(taps, bias, gates, w_hh, constants, peepholes, hard_sigmoid, h, cell, total, z, ids, offsets, padding,
                by_length, states, out):
    """out: (n_words, n_filters + 2 * hidden), zeros; states: (n_words, 2 * hidden in whole vectors); rest as in `run`.

    w_hh, constants and peepholes: of each direction.
    """
    n_filters = len(bias)
    n_words, hidden, size = len(out), (out.shape[1] - n_filters) // 2, h.shape[1]
    for word in range(n_words if n_filters else 0):
        _convolve(taps, bias, ids, offsets[word], offsets[word + 1], padding[word], out[word])
    for direction in range(2 if hidden else 0):
        _run_float(direction, w_hh[direction], constants[direction], peepholes[direction], hard_sigmoid, 1, gates, ids,
                   offsets, by_length, h, cell, (), total, z, states)
        for word in range(n_words):
            for j in range(hidden):
                out[word, n_filters + direction * hidden + j] = states[word, direction * size + j]


class Work(NamedTuple):
    """What the steps of a head work on."""

    x: np.ndarray  # (n_words, features and zeros)
    quantized: np.ndarray  # (n_words, the wider of x and y) uint8
    row_scales: np.ndarray  # (n_words, 2): a row's scale and lowest number
    y: np.ndarray  # (n_words, what layers read, and zeros); x itself where there is no dense layer
    gates: np.ndarray  # (n_words, 2 * 4 * hidden)
    states: np.ndarray  # (n_words, 2 * hidden)
    h: np.ndarray  # (2, ROWS, hidden), of each direction
    cell: np.ndarray  # (2, ROWS, hidden)
    h_quantized: np.ndarray  # (2, ROWS, hidden) uint8
    h_scales: np.ndarray  # (2, ROWS, 2)
    total: np.ndarray  # (2, INT8_ROWS or ROWS, COLUMNS) int32 or float32: a tile's sums, of each share
    float_total: np.ndarray  # (ROWS, COLUMNS): the same of the last layer, which is always float32
    z: np.ndarray  # (2, ROWS, 4 * hidden)


@kernel(inline=True)
def _prepare_int8(x, start, stop, width, work):
    """Prepare x[start:stop, :width] for a product."""
    for i in range(start, stop):
        work.row_scales[i, 0], work.row_scales[i, 1] = quantize_row(x[i, :width], work.quantized[i])


@kernel(inline=True)
def _prepare_float(x, start, stop, width, work):
    """Do nothing: float32 rows are multiplied as they are."""


@kernel(inline=True)
def _linear_int8(x, work, total, panels, constants, activation, out, first_panel, end):
    linear_int8(len(x), work.quantized, work.row_scales, total, panels, constants, activation, out, first_panel, end)


@kernel(inline=True)
def _linear_float(x, work, total, panels, constants, activation, out, first_panel, end):
    linear_float(x, 0, len(x), total, panels, constants, activation, out, first_panel, end)


def _make_head(prepare, linear, run, depth):
    """Return the kernel of all that makes a word's scores of its vector; depth: 4 of int8 numbers go into one step."""

    @kernel(inline=True)
    def gather(share, n_shares, characters, vectors, d, work, width, dense_width):
        """x = a word's characters and vector, and zeros where y has more numbers than the dense layer: some rows."""
        start, stop, n = cut(share, n_shares, len(work.x)), cut(share + 1, n_shares, len(work.x)), characters.shape[1]
        for i in range(start, stop):
            for j in range(n):
                work.x[i, j] = characters[i, j]
            for j in range(d):
                work.x[i, n + j] = vectors[i, j]
            if dense_width > 0:
                work.y[i, dense_width:] = ZERO
        prepare(work.x, start, stop, width, work)

    @kernel(inline=True)
    def transform(share, n_shares, panels, constants, work):
        """y = ReLU(x @ weight + bias): a share of the panels."""
        linear(work.x, work, work.total[share], panels, constants, RELU, work.y, cut(share, n_shares, len(panels)),
               cut(share + 1, n_shares, len(panels)))

    @kernel(inline=True)
    def ready(share, n_shares, work, width):
        """Prepare y for a product: a share of the rows."""
        prepare(work.y, cut(share, n_shares, len(work.y)), cut(share + 1, n_shares, len(work.y)), width, work)

    @kernel(inline=True)
    def recur(share, n_shares, w_ih, w_ih_constants, w_hh, w_hh_constants, peepholes, everything, offsets, by_length,
              work):
        """states = LSTM(y): a share of the directions."""
        for direction in range(cut(share, n_shares, 2), cut(share + 1, n_shares, 2)):
            n = len(w_ih) // 2
            linear(work.y, work, work.total[direction], w_ih, w_ih_constants, NO_ACTIVATION, work.gates, direction * n,
                   direction * n + n)
            run(direction, w_hh[direction], w_hh_constants[direction], peepholes[direction], 0, 0, work.gates,
                everything, offsets, by_length, work.h[direction], work.cell[direction],
                (work.h_quantized[direction], work.h_scales[direction]), work.total[direction], work.z[direction],
                work.states)

    @kernel(inline=True)
    def add(share, n_shares, residual, work, width):
        """y += states, or y = states: a share of the rows."""
        n_rows, n = work.states.shape
        start, stop = cut(share, n_shares, n_rows), cut(share + 1, n_shares, n_rows)
        for i in range(start, stop):
            y, states = work.y[i], work.states[i]
            for j in range(0, n, LANES):
                store(y, j, load(y, j) + load(states, j) if residual else load(states, j))
            if not residual:
                y[n:] = ZERO
        prepare(work.y, start, stop, width, work)

    @kernel()
    def score(dense, dense_constants, w_ih, w_ih_constants, w_hh, w_hh_constants, peepholes, emission,
              emission_constants, residual, x, quantized, row_scales, y, gates, states, h, cell, h_quantized, h_scales,
              total, float_total, z, index, n_shares, counters, step, vectors, d, everything, offsets, characters,
              by_length, out):
        """out (n_words, n_panels * COLUMNS) = scores.

        dense: panels, none where there is no such layer; w_ih … peepholes: of all LSTM layers, one after another;
        emission: of float32; residual: 1 where a layer's input is added to its output; x … z: see `Work`, of at least
        n_words rows.
        index: this thread's, 0 for the one that others help; n_shares: how many shares threads make of each step, at
        most 2; counters, from `step` on: see `share_out`.
        vectors: (n_words, d and padding); everything: 0, 1, 2, … up to n_words at least; offsets: (n_seqs + 1,);
        characters: (n_words, …); by_length: (n_seqs,) sequences, the longest first.
        """
        n = len(characters)
        work = Work(x[:n], quantized[:n], row_scales[:n], y[:n], gates[:n], states[:n], h, cell, h_quantized, h_scales,
                    total, float_total, z)
        width = w_ih.shape[2] * depth
        share_out(gather, (characters, vectors, d, work, dense.shape[1] * depth, len(dense) * COLUMNS), n_shares,
                  counters, step)
        if len(dense):
            share_out(transform, (dense, dense_constants, work), n_shares, counters, step + 1)
        if len(w_ih):
            share_out(ready, (work, width), n_shares, counters, step + 2)
        step += 3
        for layer in range(len(w_ih)):
            share_out(recur, (w_ih[layer], w_ih_constants[layer], w_hh[layer], w_hh_constants[layer], peepholes[layer],
                              everything, offsets, by_length, work), n_shares, counters, step)
            next_width = width if layer + 1 < len(w_ih) else 0
            share_out(add, (residual, work, next_width), n_shares, counters, step + 1)
            step += 2
        # The others leave meanwhile: where all come back at once, the first waits until they have used Python.
        if index == 0:
            linear_float(work.y, 0, n, work.float_total, emission, emission_constants, NO_ACTIVATION, out, 0,
                         len(emission))

    return score


score_int8 = _make_head(_prepare_int8, _linear_int8, _run_int8, 4)
score_float = _make_head(_prepare_float, _linear_float, _run_float, 1)
