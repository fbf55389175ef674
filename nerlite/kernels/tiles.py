"""Matrix-product tiles for the CPU at hand, emitted as LLVM IR so that sums in progress stay in registers.

A tile multiplies a few rows by one panel of columns. Its right side is packed so that one step of it loads whole
vectors: float32 (d_in, columns), int8 (d_in / 4, columns, 4), where d_in is a multiple of the level's depth, and of
attention's whole numbers (d_in / parts, columns, parts). Each sum of floats runs over d_in in order, in one
accumulator, and those of whole numbers are exact, so a row's result does not depend on the rows beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from nerlite.kernels.emit import F32, I32, I64, Emit, splat
from nerlite.kernels.jit import LEVEL, kernel
from nerlite.ops.levels import Level

binding.initialize_native_asmparser()  # for the assembly that a tile may have
ROWS, INT8_ROWS, COLUMNS, WIDTH = LEVEL.rows, LEVEL.int8_rows, LEVEL.columns, LEVEL.width
IN_TURN, TILE_IN_TURN = LEVEL.in_turn, LEVEL.tile_in_turn
LINE = 64  # bytes of a line of the caches


class Kind(NamedTuple):
    """The element of a tile's sums, and the name of a level's instruction that adds products to them."""

    element: ir.Type
    multiply_add: str


FLOAT, INT8, SCORE, MIX = Kind(F32, "fma"), Kind(I32, "dot4"), Kind(I32, "score"), Kind(I32, "mix")


class Tile(NamedTuple):
    """What a tile is of: addresses of its rows, panel and sums; strides in bytes, of a row, a step and a row.

    Where a tile's int8 rows lie in turn, the first stride is from their first numbers to the next. depth: its steps, at
    least one; each broadcasts 32 bits of each row (a float, or four or two whole numbers) and multiplies them into the
    panel's lanes; stretches: the address of an int8 panel's, of levels that have such; ahead: the address of what is
    needed soon, of which each step asks for a line of the caches.
    """

    a: Any
    a_stride: Any
    panel: Any
    panel_stride: Any
    depth: Any
    out: Any
    out_stride: Any
    stretches: Any
    ahead: Any


def emit_tile(emit: Emit, level: Level, kind: Kind, n_rows: int, n_vectors: int, tile: Tile, *, asks: bool) -> None:
    """Emit one tile: out (n_rows, n_vectors vectors) = rows from a @ panel; asks: whether its steps ask ahead."""
    size, vector, builder = 4 * level.lanes, ir.VectorType(kind.element, level.lanes), emit.builder
    multiply_add = getattr(level, kind.multiply_add)
    rows = [emit.add(tile.a, emit.times(tile.a_stride, row)) for row in range(n_rows)]
    steps = emit.steps([I64(0), tile.panel, *[ir.Constant(vector, None)] * (n_rows * n_vectors)])
    step, place, *totals = steps.values
    columns = [emit.load(emit.add(place, size * i), vector) for i in range(n_vectors)]
    if asks:
        level.prefetch(emit, emit.add(tile.ahead, emit.times(step, LINE)))
    sums = []
    for row in range(n_rows):
        same = splat(builder, vector, emit.load(emit.add(rows[row], emit.times(step, 4)), kind.element))
        sums += [multiply_add(emit, totals[row * n_vectors + i], same, columns[i]) for i in range(n_vectors)]
    following = emit.add(step, 1)
    steps.end([following, emit.add(place, tile.panel_stride), *sums], builder.icmp_signed("<", following, tile.depth))
    for row in range(n_rows):
        for i in range(n_vectors):
            emit.store(sums[row * n_vectors + i], emit.add(emit.add(tile.out, emit.times(tile.out_stride, row)),
                                                           size * i))


def _void(*parameters: Any) -> Any:
    """Turn what emits code, (emit, *arguments), into a function of addresses and counts that kernels can call."""
    def decorate(work: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            work(Emit(builder), *arguments)
            return context.get_dummy_value()

        return lambda *_: (types.void(*parameters), generate)

    return decorate


@intrinsic
def begin_int8(typing_context: Any, n_rows: Any) -> Any:
    """Set the CPU up for int8 products of n_rows each, where it must be."""
    return _void(types.intp)(LEVEL.begin_int8)(n_rows)


@intrinsic
def end_int8(typing_context: Any) -> Any:
    """Undo `begin_int8`."""
    return _void()(LEVEL.end_int8)()


@intrinsic
def prefetch(typing_context: Any, address: Any) -> Any:
    """Ask for the cache line at an address, to be there soon."""
    return _void(types.intp)(LEVEL.prefetch)(address)


def _make_tile(kind: Kind, n_vectors: int, *, asks: bool) -> Any:
    """Return a function that jumps to the tile of as many rows as there are."""
    def emit_all(emit: Emit, n_rows: Any, *rest: Any) -> None:
        builder, tile = emit.builder, Tile(*rest)
        done = builder.append_basic_block("tiled")

        def or_else(condition: Any, work: Any) -> None:
            taken, otherwise = builder.append_basic_block("taken"), builder.append_basic_block("otherwise")
            builder.cbranch(condition, taken, otherwise)
            builder.position_at_end(taken)
            work()
            builder.branch(done)
            builder.position_at_end(otherwise)

        if kind is INT8 and (whole := LEVEL.whole_int8_tile(emit, n_rows, tile)):
            or_else(*whole)
        switch = builder.switch(n_rows, done)
        for n in range(1, 1 + (LEVEL.vector_rows if kind is INT8 else ROWS)):
            block = builder.append_basic_block(f"rows{n}")
            switch.add_case(I64(n), block)
            builder.position_at_end(block)
            own = {INT8: LEVEL.int8_tile, SCORE: LEVEL.narrow_tile, MIX: LEVEL.narrow_tile}.get(kind)
            if not (own and own(emit, n, n_vectors, tile)):
                emit_tile(emit, LEVEL, kind, n, n_vectors, tile, asks=asks)
            builder.branch(done)
        builder.position_at_end(done)

    @intrinsic
    def tile(typing_context: Any, n_rows: Any, a: Any, a_stride: Any, panel: Any, panel_stride: Any, depth: Any,
             out: Any, out_stride: Any, stretches: Any, ahead: Any) -> Any:
        return _void(*[types.intp] * 10)(emit_all)()

    return tile


def _make_product(kind: Kind, n_vectors: int, *, asks: bool = False) -> Any:
    """Return a kernel (x, row, n_rows, stride, panel, out, stretches, ahead): out = x[row:row + n_rows] @ panel.

    n_rows ≤ ROWS; x: (rows, at least the panel's depth); stride: x.strides[0], or where a tile's int8 rows lie in
    turn the bytes from their first numbers to the next; panel: (depth, columns) of 32-bit words and out: (ROWS, at
    least its columns), not always contiguous. Of int8 weights up to INT8_ROWS, where the depth is a multiple of the
    level's, between `begin_int8` and `end_int8`; stretches: a panel's, see `pack_int8`. ahead: see `Tile`.
    """
    if not LEVEL.has_tiles:
        return {FLOAT: _plain_float, INT8: _plain_int8}.get(kind, _plain_int16)
    tile = _make_tile(kind, n_vectors, asks=asks)

    @kernel()
    def jump(n_rows, a, a_stride, panel, panel_stride, depth, out, out_stride, stretches, ahead):
        tile(n_rows, a, a_stride, panel, panel_stride, depth, out, out_stride, stretches, ahead)

    @kernel(inline=True)
    def product(x, row, n_rows, stride, panel, out, stretches, ahead):
        jump(n_rows, x.ctypes.data + row * x.strides[0], stride, panel.ctypes.data, panel.strides[0],
             panel.shape[0], out.ctypes.data, out.strides[0], stretches, ahead)

    return product


@kernel()
def _plain_float(x, row, n_rows, stride, panel, out, stretches, ahead):
    out[:] = 0
    for i in range(n_rows):
        for k in range(panel.shape[0]):
            for j in range(panel.shape[1]):
                out[i, j] += x[row + i, k] * panel[k, j]


@kernel(inline=True)
def _byte(word, part):
    return np.int32(word << np.int32(24 - 8 * part)) >> np.int32(24)


@kernel()
def _plain_int8(x, row, n_rows, stride, panel, out, stretches, ahead):
    out[:] = 0
    for i in range(n_rows):
        for k in range(panel.shape[0]):
            for j in range(panel.shape[1]):
                for part in range(4):
                    out[i, j] += np.int32(x[row + i, 4 * k + part]) * _byte(panel[k, j], part)


@kernel()
def _plain_int16(x, row, n_rows, stride, panel, out, stretches, ahead):
    out[:] = 0
    for i in range(n_rows):
        for k in range(panel.shape[0]):
            for j in range(panel.shape[1]):
                word = panel[k, j]
                out[i, j] += np.int32(x[row + i, 2 * k]) * (np.int32(word << np.int32(16)) >> np.int32(16))
                out[i, j] += np.int32(x[row + i, 2 * k + 1]) * (word >> np.int32(16))


@kernel(inline=True)
def count_tiles(n_rows, most):
    """Return how many tiles of at most so many rows take all rows."""
    return (n_rows + most - 1) // most


@kernel(inline=True)
def end_of_tile(tile, n_tiles, n_rows, multiple):
    """Return the row behind a tile's last: all are about as full, and all but the last have a multiple of rows."""
    return min(n_rows, (tile + 1) * ((n_rows + multiple - 1) // multiple) // n_tiles * multiple)


float_product = _make_product(FLOAT, LEVEL.n_vectors, asks=LEVEL.asks_ahead)
int8_product = _make_product(INT8, LEVEL.n_vectors, asks=LEVEL.int8_asks_ahead)
float_narrow, score_product = (_make_product(kind, LEVEL.width // LEVEL.lanes) for kind in (FLOAT, SCORE))
mix_product = _make_product(MIX, LEVEL.width // LEVEL.lanes) if LEVEL.key_shift else score_product
