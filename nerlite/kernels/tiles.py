"""Matrix-product tiles for the CPU at hand, emitted as LLVM IR so that sums in progress stay in registers.

A tile multiplies up to ROWS rows (INT8_ROWS, of int8 weights) by one panel of columns. Its right side is packed so
that one step of it loads whole vectors: float32 (d_in, columns), int8 (d_in / 4, columns, 4), where d_in is a multiple
of the level's depth, int16 (d_in / 2, columns, 2).
Each sum of floats runs over d_in in order, in one accumulator, and those of whole numbers are exact, so a row's result
does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nerlite.kernels.jit import LEVEL, kernel
from nerlite.kernels.simd import call, splat
from nerlite.ops.cpu import Level

binding.initialize_native_asmparser()  # for the assembly that a tile has
ROWS, INT8_ROWS, COLUMNS, WIDTH = LEVEL.rows, LEVEL.int8_rows, LEVEL.columns, LEVEL.width
I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
LINE = 64  # bytes of a line of the caches
# Whether a step's part of a panel is more than a line; each step of a product of weights then asks for some of the next
# panel, but not AMX's, which are too few.
WIDE = 4 * COLUMNS > LINE
FLOAT_ASKS, INT8_ASKS = WIDE, WIDE and LEVEL.name != "amx"
MultiplyAdd = Callable[[Any, Level, ir.Value, ir.Value, ir.Value], ir.Value]


def _fma(builder: Any, level: Level, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    return call(builder, f"llvm.fma.v{level.lanes}f32", total.type, a, b, total)


def _dot4(builder: Any, level: Level, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """Add the products of four numbers 0..127 and four of -63..63 to each int32 lane."""
    if "vnni" in level.llvm_features:
        return call(builder, f"llvm.x86.avx512.vpdpbusd.{32 * level.lanes}", total.type, total, a, b)
    eights = ir.VectorType(I8, 4 * level.lanes)
    return call(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", total.type, total, *(
        builder.bitcast(x, eights) for x in (a, b)))


def _dot2(builder: Any, level: Level, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """Add the products of two int16 and two int16 to each int32 lane."""
    if "vnni" in level.llvm_features:
        return call(builder, f"llvm.x86.avx512.vpdpwssd.{32 * level.lanes}", total.type, total, a, b)
    sixteens = ir.VectorType(I16, 2 * level.lanes)
    numbers = [builder.bitcast(x, sixteens) for x in (a, b)]
    if level.name == "avx2":
        return builder.add(total, call(builder, "llvm.x86.avx2.pmadd.wd", total.type, *numbers))
    wide = ir.VectorType(I32, 2 * level.lanes)
    products = builder.mul(*(builder.sext(x, wide) for x in numbers))
    for odd in (0, 1):
        half = ir.Constant(ir.VectorType(I32, level.lanes), [2 * lane + odd for lane in range(level.lanes)])
        total = builder.add(total, builder.shuffle_vector(products, products, half))
    return total


class Kind(NamedTuple):
    """The element of a tile's sums, and how products are added to them."""

    element: ir.Type
    multiply_add: MultiplyAdd


FLOAT, INT8, INT16 = Kind(F32, _fma), Kind(I32, _dot4), Kind(I32, _dot2)


def emit_prefetch(builder: Any, address: ir.Value) -> None:
    """Emit what asks for the cache line at an address, to be there soon."""
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    # To read; into the second-level cache, or the first where panels are small; data.
    builder.call(function, [builder.inttoptr(address, I8.as_pointer()), I32(0), I32(2 if WIDE else 3), I32(1)])


def _pointer(builder: Any, base: ir.Value, offset: ir.Value, pointee: ir.Type) -> ir.Value:
    return builder.inttoptr(builder.add(base, offset), pointee.as_pointer())


def emit_tile(builder: Any, level: Level, kind: Kind, n_rows: int, n_vectors: int, a: ir.Value, a_stride: ir.Value,
              panel: ir.Value, panel_stride: ir.Value, depth: ir.Value, out: ir.Value, out_stride: ir.Value,
              ahead: ir.Value | None = None) -> None:
    """Emit one tile: out (n_rows, n_vectors vectors) = rows from a @ panel, `depth` ≥ 1 steps.

    a, panel, out: addresses; strides in bytes, of a row, a step and a row. Each step broadcasts 32 bits of each row (a
    float, four uint8 or two int16) and multiplies them into the panel's lanes. ahead: address of what is needed soon,
    of which each step asks for a line of the caches.
    """
    size, vector = 4 * level.lanes, ir.VectorType(kind.element, level.lanes)
    address = partial(_pointer, builder)
    entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
    rows = [builder.add(a, builder.mul(a_stride, I64(row))) for row in range(n_rows)]
    zero = ir.Constant(vector, None)
    builder.branch(loop)
    builder.position_at_end(loop)
    step, place = builder.phi(I64), builder.phi(I64)
    totals = [[builder.phi(vector) for _ in range(n_vectors)] for _ in range(n_rows)]
    columns = [builder.load(address(place, I64(size * i), vector), align=1) for i in range(n_vectors)]
    sums = []
    if ahead is not None:
        emit_prefetch(builder, builder.add(ahead, builder.mul(step, I64(LINE))))
    for row in range(n_rows):
        at = builder.add(rows[row], builder.mul(step, I64(4)))
        same = splat(builder, vector, builder.load(address(at, I64(0), kind.element), align=1))
        sums.append([kind.multiply_add(builder, level, totals[row][i], same, columns[i]) for i in range(n_vectors)])
    next_step, next_place = builder.add(step, I64(1)), builder.add(place, panel_stride)
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


def _avx2_products(n_steps: int, n_rows: int, n_vectors: int, vector: ir.Type) -> ir.InlineAsm:
    """Return assembly for a tile's products of some steps, added up in 16 bits: addresses of panel and rows → vectors.

    The first n_rows * n_vectors of these are the sums, the others what its registers held. LLVM puts these instructions
    in another order, which takes more registers than there are, and 4 % more time.
    """
    n_sums = n_rows * n_vectors
    same, panel = n_sums + 2 * n_vectors, n_sums + 2 * n_vectors + 1
    lines = []
    for step in range(n_steps):
        columns = [f"${n_sums + i}" for i in range(n_vectors)]
        lines += [f"vmovdqu {32 * (step * n_vectors + i)}(${panel}), {columns[i]}" for i in range(n_vectors)]
        for row in range(n_rows):
            totals = [f"${row * n_vectors + i}" for i in range(n_vectors)]
            pairs = [f"${n_sums + n_vectors + i}" for i in range(n_vectors)] if step else totals
            lines.append(f"vpbroadcastd {4 * step}(${panel + 1 + row}), ${same}")
            lines += [f"vpmaddubsw {column}, ${same}, {pair}" for column, pair in zip(columns, pairs, strict=True)]
            lines += [f"vpaddw {pair}, {total}, {total}" for pair, total in zip(pairs, totals, strict=True) if step]
    kind = ir.FunctionType(ir.LiteralStructType([vector] * panel), [I64] * (1 + n_rows))
    constraints = ["=&x"] * panel + ["r"] * (1 + n_rows) + ["~{memory}"]
    return ir.InlineAsm(kind, "\n\t".join(lines), ",".join(constraints), side_effect=True)


def emit_avx2_tile(builder: Any, level: Level, n_rows: int, n_vectors: int, a: ir.Value, a_stride: ir.Value,
                   panel: ir.Value, depth: ir.Value, out: ir.Value, out_stride: ir.Value, stretches: ir.Value) -> None:
    """Emit one tile of int8 weights for AVX2, which multiplies and adds in 16 bits; see `emit_tile`.

    A stretch's sums are widened once where they fit 16 bits, which most do, and every two steps elsewhere. stretches:
    address of a panel's, as `pack_int8` writes them. The panel's steps lie next to each other, an even number.
    """
    size, vector = 4 * level.lanes, ir.VectorType(I32, level.lanes)
    sixteens = ir.VectorType(I16, 2 * level.lanes)
    ones, address = ir.Constant(sixteens, [1] * (2 * level.lanes)), partial(_pointer, builder)
    rows = [builder.add(a, builder.mul(a_stride, I64(row))) for row in range(n_rows)]
    # In memory: the sums of a stretch leave no registers for them.
    totals = [address(out, builder.add(builder.mul(out_stride, I64(row)), I64(size * i)), vector)
              for row in range(n_rows) for i in range(n_vectors)]
    products = {n_steps: _avx2_products(n_steps, n_rows, n_vectors, sixteens) for n_steps in (2, level.stretch)}

    def add(first: ir.Value, n_steps: int) -> None:
        place, at = builder.mul(first, I64(size * n_vectors)), builder.mul(first, I64(4))
        sums = builder.call(products[n_steps], [builder.add(panel, place), *(builder.add(row, at) for row in rows)])
        for i, total in enumerate(totals):
            wide = call(builder, "llvm.x86.avx2.pmadd.wd", vector, builder.extract_value(sums, i), ones)
            builder.store(builder.add(builder.load(total, align=4), wide), total, align=4)

    def first_step(number: ir.Value) -> ir.Value:
        at = address(stretches, builder.mul(number, I64(4)), I32)
        return builder.mul(builder.sext(builder.load(builder.gep(at, [I32(1)])), I64), I64(level.stretch))

    for total in totals:
        builder.store(ir.Constant(vector, None), total, align=4)
    n_narrow = builder.sext(builder.load(address(stretches, I64(0), I32)), I64)
    n_all = builder.udiv(builder.add(depth, I64(level.stretch - 1)), I64(level.stretch))
    with cgutils.for_range(builder, n_narrow) as stretch:
        add(first_step(stretch.index), level.stretch)
    with cgutils.for_range(builder, n_all, start=n_narrow) as stretch:
        first = first_step(stretch.index)
        following = builder.add(first, I64(level.stretch))
        stop = builder.select(builder.icmp_signed("<", following, depth), following, depth)
        with cgutils.for_range_slice(builder, first, stop, I64(2)) as (step, _):
            add(step, 2)


def _amx(builder: Any, name: str, *arguments: ir.Value) -> None:
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), arguments)


def emit_amx_shapes(builder: Any, n_rows: ir.Value) -> None:
    """Emit what sets up AMX's registers for tiles of n_rows ≤ 16.

    They hold up to 16 rows of 64 bytes: four of them sums, one 64 numbers of each row of a, three such numbers' part of
    a panel, four rows in each of theirs.
    """
    shapes = cgutils.alloca_once(builder, ir.ArrayType(I64, 8))
    shapes.align = 64
    # Palette 1; the bytes of a row of each register, in 16 bits; its rows, in 8 bits.
    row_bytes, rows = I64(0x0040_0040_0040_0040), builder.mul(n_rows, I64(0x01_01_01_01_01))
    for i, word in enumerate((I64(1), I64(0), row_bytes, row_bytes, I64(0), I64(0),
                              builder.or_(rows, I64(0x10_10_10 << 40)), I64(0))):
        builder.store(word, builder.gep(shapes, [I32(0), I32(i)]))
    _amx(builder, "ldtilecfg", builder.bitcast(shapes, I8.as_pointer()))


def emit_amx_tile(builder: Any, a: ir.Value, a_stride: ir.Value, panel: ir.Value, panel_stride: ir.Value,
                  depth: ir.Value, out: ir.Value, out_stride: ir.Value) -> None:
    """Emit one tile by AMX, of as many rows as it is set up for, and a multiple of 16 steps; see `emit_tile`."""
    def address(base: ir.Value, offset: ir.Value) -> ir.Value:
        return builder.inttoptr(builder.add(base, offset), I8.as_pointer())

    for i in range(4):
        _amx(builder, "tilezero", I8(i))
    entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    step, place = builder.phi(I64), builder.phi(I64)
    _amx(builder, "tileloadd64", I8(4), address(a, builder.mul(step, I64(4))), a_stride)
    for i in range(4):
        columns = I8(5 + i % 3)
        _amx(builder, "tileloadd64", columns, address(place, I64(64 * i)), panel_stride)
        _amx(builder, "tdpbusd", I8(i), I8(4), columns)
    next_step, next_place = builder.add(step, I64(16)), builder.add(place, builder.mul(panel_stride, I64(16)))
    for phi, first, again in ((step, I64(0), next_step), (place, panel, next_place)):
        phi.add_incoming(first, entry)
        phi.add_incoming(again, loop)
    builder.cbranch(builder.icmp_signed("<", next_step, depth), loop, done)
    builder.position_at_end(done)
    for i in range(4):
        _amx(builder, "tilestored64", I8(i), address(out, I64(64 * i)), out_stride)


@intrinsic
def begin_int8(typing_context: Any, n_rows: Any) -> Any:
    """Set the CPU up for int8 products of n_rows each, where it must be."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if LEVEL.name == "amx":
            emit_amx_shapes(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def end_int8(typing_context: Any) -> Any:
    """Undo `begin_int8`: what the registers hold would be saved at each change of threads."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if LEVEL.name == "amx":
            _amx(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def prefetch(typing_context: Any, address: Any) -> Any:
    """Ask for the cache line at an address, to be there soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit_prefetch(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.intp), generate


def _make_tile(kind: Kind, n_vectors: int, *, asks_ahead: bool) -> Any:
    """Return a function that jumps to the tile of as many rows as there are."""
    most = INT8_ROWS if kind is INT8 and LEVEL.name != "amx" else ROWS

    @intrinsic
    def tile(typing_context: Any, n_rows: Any, a: Any, a_stride: Any, panel: Any, panel_stride: Any, depth: Any,
             out: Any, out_stride: Any, stretches: Any, ahead: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            done = builder.append_basic_block("tiled")
            if kind is INT8 and LEVEL.name == "amx":
                # For fewer rows AMX takes longer to set up than it saves.
                n_rows, depth = arguments[0], arguments[5]
                fits = builder.and_(builder.icmp_signed(">=", n_rows, I64(ROWS)),
                                    builder.icmp_signed("==", builder.urem(depth, I64(16)), I64(0)))
                amx, vectors = builder.append_basic_block("amx"), builder.append_basic_block("vectors")
                builder.cbranch(fits, amx, vectors)
                builder.position_at_end(amx)
                emit_amx_tile(builder, *arguments[1:8])
                builder.branch(done)
                builder.position_at_end(vectors)
            switch = builder.switch(arguments[0], done)
            for n in range(1, most + 1):
                block = builder.append_basic_block(f"rows{n}")
                switch.add_case(I64(n), block)
                builder.position_at_end(block)
                if kind is INT8 and LEVEL.stretch:
                    emit_avx2_tile(builder, LEVEL, n, n_vectors, *arguments[1:4], *arguments[5:9])
                else:
                    ahead = arguments[9:] if asks_ahead else []
                    emit_tile(builder, LEVEL, kind, n, n_vectors, *arguments[1:8], *ahead)
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 10), generate

    return tile


def _make_product(kind: Kind, n_vectors: int, *, of_weights: bool) -> Any:
    """Return a kernel (x, row, n_rows, panel, out): out[:n_rows] = x[row:row + n_rows] @ panel, n_rows ≤ ROWS.

    x: (rows, at least the panel's depth); panel: (depth, columns, …) and out: (ROWS, at least its columns), not
    always contiguous. Of weights with an address in front of out, see `emit_tile`. Of int8 weights up to INT8_ROWS,
    where the depth is a multiple of the level's, between `begin_int8` and `end_int8`, and with a panel's stretches
    before the address, see `pack_int8`.
    """
    if LEVEL.name == "any":
        return {FLOAT: _plain_float_ahead if of_weights else _plain_float, INT8: _plain_int8, INT16: _plain_int16}[kind]
    tile = _make_tile(kind, n_vectors, asks_ahead=of_weights and (INT8_ASKS if kind is INT8 else FLOAT_ASKS))

    @kernel(inline=True)
    def product(x, row, n_rows, panel, out):
        tile(n_rows, x.ctypes.data + row * x.strides[0], x.strides[0], panel.ctypes.data, panel.strides[0],
             panel.shape[0], out.ctypes.data, out.strides[0], 0, 0)

    @kernel(inline=True)
    def product_ahead(x, row, n_rows, panel, ahead, out):
        tile(n_rows, x.ctypes.data + row * x.strides[0], x.strides[0], panel.ctypes.data, panel.strides[0],
             panel.shape[0], out.ctypes.data, out.strides[0], 0, ahead)

    @kernel(inline=True)
    def product_int8(x, row, n_rows, panel, stretches, ahead, out):
        tile(n_rows, x.ctypes.data + row * x.strides[0], x.strides[0], panel.ctypes.data, panel.strides[0],
             panel.shape[0], out.ctypes.data, out.strides[0], stretches.ctypes.data, ahead)

    return product_int8 if kind is INT8 else product_ahead if of_weights else product


@kernel()
def _plain_float(x, row, n_rows, panel, out):
    out[:] = 0
    for i in range(n_rows):
        for k in range(panel.shape[0]):
            for j in range(panel.shape[1]):
                out[i, j] += x[row + i, k] * panel[k, j]


@kernel()
def _plain_float_ahead(x, row, n_rows, panel, ahead, out):
    _plain_float(x, row, n_rows, panel, out)


@kernel()
def _plain_int8(x, row, n_rows, panel, stretches, ahead, out):
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


float_product, int8_product = (_make_product(kind, LEVEL.n_vectors, of_weights=True) for kind in (FLOAT, INT8))
float_narrow, int16_narrow = (_make_product(kind, 2, of_weights=False) for kind in (FLOAT, INT16))
