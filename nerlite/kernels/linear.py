"""The kernels of linear layers."""

from __future__ import annotations

import numpy as np

from nerlite.kernels.elementwise import COARSE_GELU, I4, activate, quantize_row
from nerlite.kernels.jit import LEVEL, kernel
from nerlite.kernels.simd import LANES, highest, ints, load, store, to_float
from nerlite.kernels.tiles import (
    COLUMNS,
    IN_TURN,
    INT8_ROWS,
    LINE,
    ROWS,
    TILE_IN_TURN,
    begin_int8,
    count_tiles,
    end_int8,
    end_of_tile,
    float_product,
    int8_product,
    prefetch,
)

# How many lines of the caches a row asks for ahead: more would wait for each other.
LINES_AHEAD = 6
# How many lines a step of a panel takes.
STEP_LINES = max(1, 4 * COLUMNS // LINE)
FLOAT_ASKS, INT8_ASKS = LEVEL.asks_ahead, LEVEL.int8_asks_ahead
# The most that weights of one sign may add up to, for their products with 0..127 to fit 16 bits.
STRETCH, MOST_16 = LEVEL.stretch, 32767 // 127


@kernel()
def quantize_rows(x, first, start, stop, n_rows, width, quantized):
    """Make rows start:stop of quantized, which has n_rows, of x[first + start:first + stop, :width].

    They are for a product of int8 weights with all of the rows.
    """
    numbers, scales = quantized.numbers, quantized.scales
    for i in range(start, stop):
        begin, n_turns = _tile_of(i, n_rows) if TILE_IN_TURN else (i, 1)
        scales[i, 0], scales[i, 1] = quantize_row(x[first + i, :width], numbers[begin], i - begin, n_turns)


@kernel(inline=True)
def _tile_of(row, n_rows):
    """Return the first row of the tile that a row is in, and how many it has."""
    n_tiles = count_tiles(n_rows, INT8_ROWS)
    tile = ((row // IN_TURN + 1) * n_tiles - 1) // ((n_rows + IN_TURN - 1) // IN_TURN)
    begin = end_of_tile(tile - 1, n_tiles, n_rows, IN_TURN)
    return begin, end_of_tile(tile, n_tiles, n_rows, IN_TURN) - begin


@kernel(inline=True)
def _by_steps(n_rows, asks):
    """Say whether the next panel is asked for step by step, if the products do and are long enough, or row by row."""
    return asks and n_rows > 2 * ROWS


@kernel(inline=True)
def _lines_ahead(panels, n_rows, asks):
    """Return how many lines of the next panel each row asks for, all of it together at most."""
    return 0 if _by_steps(n_rows, asks) else min(LINES_AHEAD, panels[0].nbytes // LINE // n_rows)


@kernel(inline=True)
def _ahead(panels, p, end, tile, n_rows, asks):
    """Return the address from which on a tile's steps ask for lines: the next panel's, or what is there already."""
    if p + 1 == end or not _by_steps(n_rows, asks):
        return panels[p].ctypes.data
    return panels[p + 1].ctypes.data + min(tile, STEP_LINES - 1) * panels.shape[1] * LINE


@kernel(inline=True)
def _fetch_ahead(panels, p, end, row, lines):
    """Ask for a row's part of the panel behind p: nothing else is asked of memory while the row's sums are finished."""
    if p + 1 < end:
        part = panels[p + 1].ctypes.data + row * lines * LINE
        for i in range(lines):
            prefetch(part + i * LINE)


@kernel()
def linear(layer, x, first, n_rows, quantized, total, activation, out, first_panel, end):
    """out[:n_rows] = activation(x[first:first + n_rows] @ weight + bias), the columns of panels first_panel:end.

    layer: a `Linear`; quantized: what `quantize_rows` made of the rows, where that is of int8, and x is not read; out:
    (rows, n_panels * COLUMNS); total: (tile_rows, COLUMNS) float32, scratch.
    """
    if layer.is_int8:
        _linear_int8(layer, n_rows, quantized, total.view(np.int32), activation, out, first_panel, end)
    else:
        _linear_float(layer, x, first, n_rows, total, activation, out, first_panel, end)


@kernel()
def _linear_int8(layer, n_rows, quantized, total, activation, out, first_panel, end):
    panels, constants, numbers, scales = layer.panels, layer.constants, quantized.numbers, quantized.scales
    begun, lines, n_tiles = 0, _lines_ahead(panels, n_rows, INT8_ASKS), count_tiles(n_rows, INT8_ROWS)
    for p in range(first_panel, end):
        row = 0
        for tile in range(n_tiles):
            n = end_of_tile(tile, n_tiles, n_rows, IN_TURN) - row
            stride = n * LANES if TILE_IN_TURN else numbers.strides[0]
            if n != begun:
                begin_int8(n)
                begun = n
            ahead = _ahead(panels, p, end, tile, n_rows, INT8_ASKS)
            int8_product(numbers, row, n, stride, panels[p], total, constants[p, 3:].ctypes.data, ahead)
            if activation == COARSE_GELU:
                _finish_int8(COARSE_GELU, panels, p, end, lines, row, n, scales, constants[p], total, out)
            else:
                _finish_int8(activation, panels, p, end, lines, row, n, scales, constants[p], total, out)
            row += n
    end_int8()


@kernel(inline=True)
def _finish_int8(activation, panels, p, end, lines, row, n, scales, constants, total, out):
    """out[row:row + n] = activation(what float32 the sums of a tile mean), the columns of panel p."""
    column_sums, column_scales, bias = constants[0], constants[1], constants[2]
    for i in range(n):
        _fetch_ahead(panels, p, end, row + i, lines)
        at = np.uintp(row + i)  # or each index would be looked at for being negative
        scale, lowest, sums, y = scales[at, 0], scales[at, 1], total[i], out[at]
        for j in range(0, COLUMNS, LANES):
            z = (scale * to_float(load(sums, j)) + lowest * load(column_sums, j)) * load(column_scales, j)
            store(y, p * COLUMNS + j, activate(activation, z + load(bias, j)))


@kernel()
def _linear_float(layer, x, first, n_rows, total, activation, out, first_panel, end):
    panels, constants = layer.panels.view(np.float32), layer.constants
    lines, n_tiles = _lines_ahead(panels, n_rows, FLOAT_ASKS), count_tiles(n_rows, ROWS)
    for p in range(first_panel, end):
        bias, row = constants[p, 2], 0
        for tile in range(n_tiles):
            n = end_of_tile(tile, n_tiles, n_rows, 1) - row
            ahead = _ahead(panels, p, end, tile, n_rows, FLOAT_ASKS)
            float_product(x, first + row, n, x.strides[0], panels[p], total, 0, ahead)
            for i in range(n):
                _fetch_ahead(panels, p, end, row + i, lines)
                sums, y = total[i], out[row + i]
                for j in range(0, COLUMNS, LANES):
                    store(y, p * COLUMNS + j, activate(activation, load(sums, j) + load(bias, j)))
            row += n


@kernel()
def _fits_16(weight, first, panel):
    """Say whether a stretch's products with 0..127 add up to int16 in each lane, which takes two of four rows."""
    stop, most = first + 4 * STRETCH, ints(I4(0))
    for j in range(panel * COLUMNS, panel * COLUMNS + COLUMNS if stop <= len(weight) else 0, LANES):
        for half in range(2):
            above = below = ints(I4(0))
            for row in range(first + 2 * half, stop, 4):
                a, b = load(weight[row], j), load(weight[row + 1], j)
                above = above + max(a, I4(0)) + max(b, I4(0))
                below = below - min(a, I4(0)) - min(b, I4(0))
            most = max(most, max(above, below))
    return stop <= len(weight) and highest(most) <= MOST_16


@kernel()
def _sort_stretches(weight, panel, stretches):
    """stretches = how many of a panel's fit 16 bits, then their numbers, then those of the others."""
    n, last = 0, (len(weight) + 4 * STRETCH - 1) // (4 * STRETCH)
    for stretch in range(last):
        if _fits_16(weight, 4 * STRETCH * stretch, panel):
            n += 1
            stretches[n] = stretch
        else:
            stretches[last] = stretch
            last -= 1
    stretches[0] = n


@kernel()
def pack_int8(pack):
    """Pack an int8 weight, four rows' numbers in each word, and sum its columns; pack: a `PackInt8`."""
    weight, panels, sums, stretches = pack.weight, pack.panels, pack.sums, pack.stretches
    for p in range(panels.shape[0]):
        if STRETCH > 0:
            _sort_stretches(weight, p, stretches[p])
        for j in range(0, COLUMNS, LANES):
            total, place = ints(I4(0)), p * COLUMNS + j
            for k in range(panels.shape[1]):
                a, b, c, d = (load(weight[4 * k], place), load(weight[4 * k + 1], place),
                              load(weight[4 * k + 2], place), load(weight[4 * k + 3], place))
                total = total + a + b + c + d
                low = (a & I4(255)) + ((b & I4(255)) << I4(8))
                store(panels[p, k], j, low + ((c & I4(255)) << I4(16)) + (d << I4(24)))
            store(sums[p], j, total)
