"""Matrix-product tiles for the CPU at hand, emitted as LLVM IR so that sums stay in registers.

A tile multiplies up to ROWS rows by one panel of columns. Its right side is packed so that one step of it loads
whole vectors: float32 (d_in, columns), int8 (d_in / 4, columns, 4) with an even d_in / 4, int16 (d_in / 2, columns, 2).
Each sum runs over d_in in order, in one accumulator, so a row's result does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from nerlite.ops.cpu import Level
from nerlite.ops.jit import LEVEL, kernel
from nerlite.ops.simd import call, splat

ROWS, COLUMNS, WIDTH = LEVEL.rows, LEVEL.columns, LEVEL.width
I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
MultiplyAdd = Callable[[Any, Level, ir.Value, list[ir.Value], list[ir.Value]], ir.Value]


def _fma(builder: Any, level: Level, total: ir.Value, a: list[ir.Value], b: list[ir.Value]) -> ir.Value:
    return call(builder, f"llvm.fma.v{level.lanes}f32", total.type, *a, *b, total)


def _dot4(builder: Any, level: Level, total: ir.Value, a: list[ir.Value], b: list[ir.Value]) -> ir.Value:
    """Add the products of four numbers 0..127 and four of -63..63 to each int32 lane, in AVX2 of eight."""
    if level.name.endswith("vnni"):
        return call(builder, f"llvm.x86.avx512.vpdpbusd.{32 * level.lanes}", total.type, total, *a, *b)
    eights, sixteens = ir.VectorType(I8, 4 * level.lanes), ir.VectorType(I16, 2 * level.lanes)
    numbers = [(builder.bitcast(x, eights), builder.bitcast(y, eights)) for x, y in zip(a, b, strict=True)]
    if level.name == "neon":
        return call(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", total.type, total, *numbers[0])
    # Four products fit an int16: two instructions' pairs are added there, and widened once.
    fours = builder.add(*(call(builder, "llvm.x86.avx2.pmadd.ub.sw", sixteens, *pair) for pair in numbers))
    ones = ir.Constant(sixteens, [1] * (2 * level.lanes))
    return builder.add(total, call(builder, "llvm.x86.avx2.pmadd.wd", total.type, fours, ones))


def _dot2(builder: Any, level: Level, total: ir.Value, a: list[ir.Value], b: list[ir.Value]) -> ir.Value:
    """Add the products of two int16 and two int16 to each int32 lane."""
    if level.name.endswith("vnni"):
        return call(builder, f"llvm.x86.avx512.vpdpwssd.{32 * level.lanes}", total.type, total, *a, *b)
    sixteens = ir.VectorType(I16, 2 * level.lanes)
    numbers = [builder.bitcast(x, sixteens) for x in (*a, *b)]
    if level.name == "avx2":
        return builder.add(total, call(builder, "llvm.x86.avx2.pmadd.wd", total.type, *numbers))
    wide = ir.VectorType(I32, 2 * level.lanes)
    products = builder.mul(*(builder.sext(x, wide) for x in numbers))
    for odd in (0, 1):
        half = ir.Constant(ir.VectorType(I32, level.lanes), [2 * lane + odd for lane in range(level.lanes)])
        total = builder.add(total, builder.shuffle_vector(products, products, half))
    return total


class Kind(NamedTuple):
    """The element of a tile's sums, how products are added to them, and whether AVX2 takes two steps at once."""

    element: ir.Type
    multiply_add: MultiplyAdd
    two_by_two: bool = False


FLOAT, INT8, INT16 = Kind(F32, _fma), Kind(I32, _dot4, two_by_two=True), Kind(I32, _dot2)


def emit_tile(builder: Any, level: Level, kind: Kind, n_rows: int, n_vectors: int, a: ir.Value, a_stride: ir.Value,
              panel: ir.Value, panel_stride: ir.Value, depth: ir.Value, out: ir.Value, out_stride: ir.Value) -> None:
    """Emit one tile: out (n_rows, n_vectors vectors) = rows from a @ panel, `depth` ≥ 1 steps.

    a, panel, out: addresses; strides in bytes, of a row, a step and a row. Each step broadcasts 32 bits of each row (a
    float, four uint8 or two int16) and multiplies them into the panel's lanes.
    """
    size, vector = 4 * level.lanes, ir.VectorType(kind.element, level.lanes)
    n_steps = 2 if kind.two_by_two and level.name == "avx2" else 1

    def address(base: ir.Value, offset: ir.Value, pointee: ir.Type) -> ir.Value:
        return builder.inttoptr(builder.add(base, offset), pointee.as_pointer())

    entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
    rows = [builder.add(a, builder.mul(a_stride, I64(row))) for row in range(n_rows)]
    zero = ir.Constant(vector, None)
    builder.branch(loop)
    builder.position_at_end(loop)
    step, place = builder.phi(I64), builder.phi(I64)
    totals = [[builder.phi(vector) for _ in range(n_vectors)] for _ in range(n_rows)]
    columns: list[list[ir.Value]] = [[] for _ in range(n_vectors)]
    next_place = place
    for _ in range(n_steps):
        for i in range(n_vectors):
            columns[i].append(builder.load(address(next_place, I64(size * i), vector), align=1))
        next_place = builder.add(next_place, panel_stride)
    sums = []
    for row in range(n_rows):
        at = builder.add(rows[row], builder.mul(step, I64(4)))
        same = [splat(builder, vector, builder.load(address(at, I64(4 * i), kind.element), align=1))
                for i in range(n_steps)]
        sums.append([kind.multiply_add(builder, level, totals[row][i], same, columns[i]) for i in range(n_vectors)])
    next_step = builder.add(step, I64(n_steps))
    for phi, first, again in ((step, I64(0), next_step), (place, panel, next_place),
                              *((totals[row][i], zero, sums[row][i])
                                for row in range(n_rows) for i in range(n_vectors))):
        phi.add_incoming(first, entry)
        phi.add_incoming(again, loop)
    builder.cbranch(builder.icmp_signed("<", next_step, depth), loop, done)
    builder.position_at_end(done)
    for row in range(n_rows):
        for i in range(n_vectors):
            place = builder.add(builder.mul(out_stride, I64(row)), I64(size * i))
            builder.store(sums[row][i], address(out, place, vector), align=4)


def _make_tile(kind: Kind, n_vectors: int) -> Any:
    """Return a function that jumps to the tile of as many rows as there are."""

    @intrinsic
    def tile(typing_context: Any, n_rows: Any, a: Any, a_stride: Any, panel: Any, panel_stride: Any, depth: Any,
             out: Any, out_stride: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            done = builder.append_basic_block("tiled")
            switch = builder.switch(arguments[0], done)
            for n in range(1, ROWS + 1):
                block = builder.append_basic_block(f"rows{n}")
                switch.add_case(I64(n), block)
                builder.position_at_end(block)
                emit_tile(builder, LEVEL, kind, n, n_vectors, *arguments[1:])
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    return tile


def _make_product(kind: Kind, n_vectors: int) -> Any:
    """Return a kernel (x, row, n_rows, panel, out): out[:n_rows] = x[row:row + n_rows] @ panel, n_rows ≤ ROWS.

    x: (rows, at least the panel's depth); panel: (depth, columns, …) and out: (ROWS, at least its columns), not
    always contiguous.
    """
    if LEVEL.name == "any":
        return {FLOAT: _plain_float, INT8: _plain_int8, INT16: _plain_int16}[kind]
    tile = _make_tile(kind, n_vectors)

    @kernel(inline=True)
    def product(x, row, n_rows, panel, out):
        tile(n_rows, x.ctypes.data + row * x.strides[0], x.strides[0], panel.ctypes.data, panel.strides[0],
             panel.shape[0], out.ctypes.data, out.strides[0])

    return product


@kernel()
def _plain_float(x, row, n_rows, panel, out):
    out[:] = 0
    for i in range(n_rows):
        for k in range(panel.shape[0]):
            for j in range(panel.shape[1]):
                out[i, j] += x[row + i, k] * panel[k, j]


@kernel()
def _plain_int8(x, row, n_rows, panel, out):
    out[:] = 0
    for i in range(n_rows):
        for k in range(panel.shape[0]):
            for j in range(panel.shape[1]):
                for part in range(4):
                    out[i, j] += np.int32(x[row + i, 4 * k + part]) * np.int32(panel[k, j, part])


@kernel()
def _plain_int16(x, row, n_rows, panel, out):
    out[:] = 0
    for i in range(n_rows):
        for k in range(panel.shape[0]):
            for j in range(panel.shape[1]):
                for part in range(2):
                    out[i, j] += np.int32(x[row + i, 2 * k + part]) * np.int32(panel[k, j, part])


float_product, int8_product = _make_product(FLOAT, LEVEL.n_vectors), _make_product(INT8, LEVEL.n_vectors)
float_narrow, int16_narrow = _make_product(FLOAT, 2), _make_product(INT16, 2)
