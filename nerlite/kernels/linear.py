"""The kernels of linear layers."""

from __future__ import annotations

from nerlite.kernels.elementwise import I4, activate, quantize_row
from nerlite.kernels.jit import LEVEL, kernel
from nerlite.kernels.simd import LANES, highest, ints, load, store, to_float
from nerlite.kernels.tiles import (
    COLUMNS,
    FLOAT_ASKS,
    INT8_ASKS,
    INT8_ROWS,
    LINE,
    ROWS,
    begin_int8,
    end_int8,
    float_product,
    int8_product,
    prefetch,
)

# How many lines of the caches a row asks for ahead: more would wait for each other.
LINES_AHEAD = 6
# How many lines a step of a panel takes.
STEP_LINES = max(1, 4 * COLUMNS // LINE)
# The most that weights of one sign may add up to, for their products with 0..127 to fit 16 bits.
STRETCH, MOST_16 = LEVEL.stretch, 32767 // 127


@kernel(inline=True)
def _share(n_rows, most):
    """Return how many of the rows that are left the next tile takes, for all tiles to be about as full."""
    n_tiles = (n_rows + most - 1) // most
    return (n_rows + n_tiles - 1) // n_tiles


@kernel(inline=True)
def quantize_rows(x, first, start, stop, quantized, row_scales):
    """Quantize x[first + start:first + stop] for `linear_int8`."""
    for i in range(start, stop):
        row_scales[i, 0], row_scales[i, 1] = quantize_row(x[first + i], quantized[i])


@kernel(inline=True)
def _by_steps(n_rows, asks):
    """Say whether the next panel is asked for step by step, if the products do and are long enough, or row by row."""
    return asks and n_rows > 2 * ROWS


@kernel(inline=True)
def _lines_ahead(panels, n_rows, asks):
    """Return how many lines of the next panel each row asks for, all of it together at most."""
    return 0 if _by_steps(n_rows, asks) else min(LINES_AHEAD, panels[0].nbytes // LINE // n_rows)


@kernel(inline=True)
def _ahead(panels, p, end, part, n_rows, asks):
    """Return the address from which on a tile's steps ask for lines: the next panel's, or what is there already."""
    if p + 1 == end or not _by_steps(n_rows, asks):
        return panels[p].ctypes.data
    return panels[p + 1].ctypes.data + min(part, STEP_LINES - 1) * panels.shape[1] * LINE


@kernel(inline=True)
def _fetch_ahead(panels, p, end, row, lines):
    """Ask for a row's part of the panel behind p: nothing else is asked of memory while the row's sums are finished."""
    if p + 1 < end:
        part = panels[p + 1].ctypes.data + row * lines * LINE
        for i in range(lines):
            prefetch(part + i * LINE)


@kernel()
def linear_int8(n_rows, quantized, row_scales, total, panels, constants, activation, out, first_panel, end):
    """out[:n_rows] = activation(rows @ weight + bias), the columns of panels first_panel:end.

    quantized: (any, d_in) uint8, the rows, and row_scales: (any, 2), each one's scale and lowest number; panels:
    (n_panels, d_in / 4, COLUMNS, 4); constants: (n_panels, 3 or more, COLUMNS) column sums, scales, biases, and as
    int32 `pack_int8`'s stretches; out: (rows, n_panels * COLUMNS); total: (INT8_ROWS, COLUMNS) int32, scratch.
    """
    begun, lines = 0, _lines_ahead(panels, n_rows, INT8_ASKS)
    for p in range(first_panel, end):
        column_sums, column_scales, bias = constants[p, 0], constants[p, 1], constants[p, 2]
        row = part = 0
        while row < n_rows:
            n = _share(n_rows - row, INT8_ROWS)
            if n != begun:
                begin_int8(n)
                begun = n
            ahead = _ahead(panels, p, end, part, n_rows, INT8_ASKS)
            int8_product(quantized, row, n, panels[p], constants[p, 3:], ahead, total)
            for i in range(n):
                _fetch_ahead(panels, p, end, row + i, lines)
                scale, lowest, sums, y = row_scales[row + i, 0], row_scales[row + i, 1], total[i], out[row + i]
                for j in range(0, COLUMNS, LANES):
                    z = (scale * to_float(load(sums, j)) + lowest * load(column_sums, j)) * load(column_scales, j)
                    store(y, p * COLUMNS + j, activate(activation, z + load(bias, j)))
            row, part = row + n, part + 1
    end_int8()


@kernel()
def linear_float(x, first, n_rows, total, panels, constants, activation, out, first_panel, end):
    """As `linear_int8` of x[first:first + n_rows], panels (n_panels, d_in, COLUMNS), total (ROWS, COLUMNS) float32."""
    lines = _lines_ahead(panels, n_rows, FLOAT_ASKS)
    for p in range(first_panel, end):
        bias = constants[p, 2]
        row = part = 0
        while row < n_rows:
            n = _share(n_rows - row, ROWS)
            ahead = _ahead(panels, p, end, part, n_rows, FLOAT_ASKS)
            float_product(x, first + row, n, panels[p], ahead, total)
            for i in range(n):
                _fetch_ahead(panels, p, end, row + i, lines)
                sums, y = total[i], out[row + i]
                for j in range(0, COLUMNS, LANES):
                    store(y, p * COLUMNS + j, activate(activation, load(sums, j) + load(bias, j)))
            row, part = row + n, part + 1


@kernel(inline=True)
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


@kernel(inline=True)
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
def pack_int8(weight, panels, sums, stretches):
    """Pack a weight (d_in, n_panels * COLUMNS) int8 and sum its columns.

    panels: (n_panels, d_in / 4, COLUMNS) int32, four rows' numbers in each; sums: (n_panels, COLUMNS) int32;
    stretches: (n_panels, one more than a panel has, at least) int32, of levels that have such: see `_sort_stretches`.
    """
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
