"""Matrix-product tiles for the CPU at hand, emitted as LLVM IR so that sums stay in registers.

A tile multiplies ROWS rows by one panel of COLUMNS columns (WIDE_COLUMNS in float64). Weights are packed once into
panels: float32 (d_out / COLUMNS, d_in, COLUMNS), int8 (d_out / COLUMNS, d_in / 4, COLUMNS, 4), zeros where a size is
no multiple.
Each sum runs over d_in in order, in one accumulator, so a row's result does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nerlite.ops.jit import LEVEL, kernel

ROWS = 4
I8, I32, I64, F32, F64 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()
MultiplyAdd = Callable[[Any, ir.Value, ir.Value, ir.Value], ir.Value]


LANES = 16 if LEVEL == "vnni" else 8
N_VECTORS = 4 if LEVEL == "vnni" else 2
COLUMNS, WIDE_COLUMNS = LANES * N_VECTORS, LANES // 2 * N_VECTORS


def _declare(builder: Any, name: str, result: ir.Type, *arguments: ir.Type) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _fma(builder: Any, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    vector = total.type
    name = f"llvm.fma.v{vector.count}{'f32' if vector.element == F32 else 'f64'}"
    return builder.call(_declare(builder, name, vector, vector, vector, vector), [a, b, total])


def _dot4_vnni(builder: Any, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    vector = ir.VectorType(I32, LANES)
    name = f"llvm.x86.avx512.vpdpbusd.{32 * LANES}"
    return builder.call(_declare(builder, name, vector, vector, vector, vector), [total, a, b])


def _dot4_avx2(builder: Any, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    eights, sixteens, thirty_twos = ir.VectorType(I8, 32), ir.VectorType(ir.IntType(16), 16), ir.VectorType(I32, 8)
    pairs = builder.call(_declare(builder, "llvm.x86.avx2.pmadd.ub.sw", sixteens, eights, eights),
                         [builder.bitcast(a, eights), builder.bitcast(b, eights)])
    fours = builder.call(_declare(builder, "llvm.x86.avx2.pmadd.wd", thirty_twos, sixteens, sixteens),
                         [pairs, ir.Constant(sixteens, [1] * 16)])
    return builder.add(total, fours)


def _make_tile(element: ir.Type, multiply_add: MultiplyAdd) -> Any:
    """Return an intrinsic (a, a_stride, panel, out, depth): addresses, bytes, steps of one element of a row.

    Each step broadcasts an element of each row (a float, or four uint8) and multiplies it into the panel's lanes.
    """
    size = 8 if element == F64 else 4
    lanes, width = 4 * LANES // size, 4 * LANES
    vector = ir.VectorType(element, lanes)

    @intrinsic
    def tile(typing_context: Any, a: Any, a_stride: Any, panel: Any, out: Any, depth: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, a_stride, panel, out, depth = arguments

            def address(base: ir.Value, offset: ir.Value, pointee: ir.Type) -> ir.Value:
                return builder.inttoptr(builder.add(base, offset), pointee.as_pointer())

            entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
            rows = [builder.add(a, builder.mul(a_stride, I64(row))) for row in range(ROWS)]
            zero, undefined = ir.Constant(vector, None), ir.Constant(vector, ir.Undefined)
            builder.branch(loop)
            builder.position_at_end(loop)
            step, place = builder.phi(I64), builder.phi(I64)
            totals = [[builder.phi(vector) for _ in range(N_VECTORS)] for _ in range(ROWS)]
            columns = [builder.load(address(place, I64(width * i), vector), align=1) for i in range(N_VECTORS)]
            sums = []
            for row in range(ROWS):
                value = builder.load(address(rows[row], builder.mul(step, I64(size)), element), align=1)
                splat = builder.shuffle_vector(builder.insert_element(undefined, value, I32(0)), undefined,
                                               ir.Constant(ir.VectorType(I32, lanes), None))
                sums.append([multiply_add(builder, totals[row][i], splat, columns[i]) for i in range(N_VECTORS)])
            next_step, next_place = builder.add(step, I64(1)), builder.add(place, I64(width * N_VECTORS))
            for phi, first, again in ((step, I64(0), next_step), (place, panel, next_place),
                                      *((totals[row][i], zero, sums[row][i])
                                        for row in range(ROWS) for i in range(N_VECTORS))):
                phi.add_incoming(first, entry)
                phi.add_incoming(again, loop)
            builder.cbranch(builder.icmp_signed("<", next_step, depth), loop, done)
            builder.position_at_end(done)
            for row in range(ROWS):
                for i in range(N_VECTORS):
                    builder.store(sums[row][i], address(out, I64(width * (row * N_VECTORS + i)), vector), align=4)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 5), generate

    return tile


if LEVEL == "any":

    @kernel()
    def float_tile(x: np.ndarray, row: int, panel: np.ndarray, out: np.ndarray) -> None:
        """out (ROWS, COLUMNS) = x[row:row + ROWS] (n_rows, d_in) @ panel (d_in, COLUMNS), float32."""
        out[:] = 0
        for i in range(ROWS):
            for k in range(panel.shape[0]):
                for j in range(COLUMNS):
                    out[i, j] += x[row + i, k] * panel[k, j]

    @kernel()
    def wide_tile(x: np.ndarray, row: int, panel: np.ndarray, out: np.ndarray) -> None:
        """out (ROWS, WIDE_COLUMNS) = x[row:row + ROWS] (n_rows, d_in) @ panel (d_in, WIDE_COLUMNS), float64."""
        out[:] = 0
        for i in range(ROWS):
            for k in range(panel.shape[0]):
                for j in range(WIDE_COLUMNS):
                    out[i, j] += x[row + i, k] * panel[k, j]

    @kernel()
    def int8_tile(x: np.ndarray, row: int, panel: np.ndarray, out: np.ndarray) -> None:
        """out (ROWS, COLUMNS) int32 = x[row:row + ROWS] uint8 (n_rows, d_in) @ panel (d_in / 4, COLUMNS, 4) int8."""
        out[:] = 0
        for i in range(ROWS):
            for k in range(panel.shape[0]):
                for j in range(COLUMNS):
                    for part in range(4):
                        out[i, j] += np.int32(x[row + i, 4 * k + part]) * np.int32(panel[k, j, part])

else:
    _float_tile = _make_tile(F32, _fma)
    _wide_tile = _make_tile(F64, _fma)
    _int8_tile = _make_tile(I32, _dot4_vnni if LEVEL == "vnni" else _dot4_avx2)

    @kernel()
    def float_tile(x: np.ndarray, row: int, panel: np.ndarray, out: np.ndarray) -> None:
        """out (ROWS, COLUMNS) = x[row:row + ROWS] (n_rows, d_in) @ panel (d_in, COLUMNS), float32."""
        stride = 4 * x.shape[1]
        _float_tile(x.ctypes.data + row * stride, stride, panel.ctypes.data, out.ctypes.data, panel.shape[0])

    @kernel()
    def wide_tile(x: np.ndarray, row: int, panel: np.ndarray, out: np.ndarray) -> None:
        """out (ROWS, WIDE_COLUMNS) = x[row:row + ROWS] (n_rows, d_in) @ panel (d_in, WIDE_COLUMNS), float64."""
        stride = 8 * x.shape[1]
        _wide_tile(x.ctypes.data + row * stride, stride, panel.ctypes.data, out.ctypes.data, panel.shape[0])

    @kernel()
    def int8_tile(x: np.ndarray, row: int, panel: np.ndarray, out: np.ndarray) -> None:
        """out (ROWS, COLUMNS) int32 = x[row:row + ROWS] uint8 (n_rows, d_in) @ panel (d_in / 4, COLUMNS, 4) int8."""
        stride = x.shape[1]
        _int8_tile(x.ctypes.data + row * stride, stride, panel.ctypes.data, out.ctypes.data, panel.shape[0])


def pack(weight: np.ndarray) -> np.ndarray:
    """Lay a (d_in, d_out) weight, int8 or of a float type, out in panels, as the module's head describes."""
    is_int8, (d_in, d_out) = weight.dtype == np.int8, weight.shape
    depth = -(-d_in // 4) * 4 if is_int8 else d_in
    panels = np.zeros((-(-d_out // COLUMNS), depth, COLUMNS), np.int8 if is_int8 else np.float32)
    for i, panel in enumerate(panels):
        block = weight[:, i * COLUMNS:(i + 1) * COLUMNS]
        panel[:d_in, :block.shape[1]] = block
    if is_int8:
        return np.ascontiguousarray(panels.reshape(len(panels), depth // 4, 4, COLUMNS).swapaxes(2, 3))
    return panels
