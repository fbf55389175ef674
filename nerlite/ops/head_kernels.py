"""The kernels of what stands on the encoder, but for the CRF: character convolution and LSTM."""

from __future__ import annotations

from nerlite.ops.elementwise import NO_ACTIVATION, ZERO, gate, tanh
from nerlite.ops.jit import kernel
from nerlite.ops.linear_kernels import linear_float, linear_int8, quantize_rows
from nerlite.ops.simd import LANES, floats, load, store
from nerlite.ops.tiles import ROWS


@kernel()
def char_cnn(taps, bias, ids, offsets, out):
    for word in range(len(offsets) - 1):
        first, last = offsets[word], offsets[word + 1] - 1
        for position in range(first, last + 1):
            at = ids[position]
            for j in range(len(bias)):
                before = taps[0, ids[position - 1], j] if position > first else ZERO
                after = taps[2, ids[position + 1], j] if position < last else ZERO
                out[word, j] = max(out[word, j], ((before + taps[1, at, j]) + after) + bias[j])


@kernel(inline=True)
def _recur_int8(h, n, quantized, row_scales, total, w_hh, constants, z):
    quantize_rows(h, 0, 0, n, quantized, row_scales)
    linear_int8(n, quantized, row_scales, total, w_hh, constants, NO_ACTIVATION, z, 0, len(w_hh))


@kernel(inline=True)
def _recur_float(h, n, quantized, row_scales, total, w_hh, constants, z):
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


def _make_bilstm(recur):
    """Return the kernel of an LSTM in both directions, of the product that differs between int8 and float32."""

    @kernel()
    def bilstm(w_hh, constants, peepholes, hard_sigmoid, final, gates, rows, offsets, by_length, h, cell, quantized,
               row_scales, total, z, out):
        """Run over the sequences, ROWS at a time, so that each step fetches the weights once for all of them.

        w_hh and constants: of each direction, see `linear_int8`, d_in being hidden, here a multiple of LANES;
        by_length: sequences, the longest first; h and cell: (ROWS, hidden), z: (ROWS, n_panels * COLUMNS) and those
        before it, scratch; the rest as in the reference.
        """
        hidden = h.shape[1]
        for direction in range(2):
            for group in range(0, len(by_length), ROWS):
                running = min(ROWS, len(by_length) - group)
                for i in range(running):
                    for j in range(0, hidden, LANES):
                        store(h[i], j, floats(ZERO))
                        store(cell[i], j, floats(ZERO))
                for step in range(offsets[by_length[group] + 1] - offsets[by_length[group]]):
                    while offsets[by_length[group + running - 1] + 1] - offsets[by_length[group + running - 1]] <= step:
                        running -= 1
                    recur(h, running, quantized, row_scales, total, w_hh[direction], constants[direction], z)
                    for i in range(running):
                        sequence = by_length[group + i]
                        row = offsets[sequence] + step if direction == 0 else offsets[sequence + 1] - 1 - step
                        _cell(gates[rows[row]], direction * 4 * hidden, z[i], cell[i], peepholes[direction],
                              hard_sigmoid, h[i])
                        for j in range(0, hidden, LANES):
                            store(out[sequence if final else row], direction * hidden + j, load(h[i], j))

    return bilstm


bilstm_int8, bilstm_float = _make_bilstm(_recur_int8), _make_bilstm(_recur_float)
