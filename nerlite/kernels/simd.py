"""Vectors as values that kernels compute with: LANES float32 or int32 at once, whatever a compiler makes of loops.

`load` and `store` move them between registers and arrays; operators, and the functions below, work lane by lane. A
scalar next to a vector stands for LANES of it. Formulas are computed as written.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from nerlite.kernels.emit import F32, I32, call, splat
from nerlite.kernels.emit import Emit as Emitter
from nerlite.kernels.jit import LEVEL

LANES, BLOCK = LEVEL.lanes, 8
Emit = Callable[..., ir.Value]
I1, F64 = ir.IntType(1), ir.DoubleType()


class Vector(types.Type):  # type: ignore[misc]
    """The type of LANES numbers of an LLVM type; I1 for what comparisons give."""

    def __init__(self, element: ir.Type) -> None:
        """Remember the element."""
        self.element, self.llvm = element, ir.VectorType(element, LANES)
        super().__init__(name=f"Vector({LANES} x {element})")


FLOATS, DOUBLES, INTS, BOOLS = Vector(F32), Vector(F64), Vector(I32), Vector(I1)
SCALARS = {FLOATS: types.float32, DOUBLES: types.float64, INTS: types.int32}


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.llvm)


def _operator(function: Any, kind: Vector, result: Vector, emit: Emit) -> None:
    """Let a Python operator work on two vectors, or a vector and a scalar."""
    scalar = SCALARS[kind]

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (value if isinstance(given, Vector) else splat(builder, kind.llvm, context.cast(
            builder, value, given, scalar)) for value, given in zip(arguments, signature.args, strict=True))
        return emit(builder, a, b)

    def typer(context: Any) -> Any:
        def result_type(a: Any, b: Any) -> Any:
            given = {a, b}
            return signature(result, a, b) if kind in given and given <= {kind, scalar} else None

        return result_type

    for left, right in ((kind, kind), (kind, scalar), (scalar, kind)):
        lower_builtin(function, left, right)(lower)
    type_callable(function)(typer)


def _instruction(name: str) -> Emit:
    return lambda builder, a, b: getattr(builder, name)(a, b)


def _choose(kind: Vector, predicate: str) -> Emit:
    if kind is FLOATS:
        return lambda builder, a, b: LEVEL.choose(Emitter(builder), predicate, a, b)
    return lambda builder, a, b: builder.select(builder.icmp_signed(predicate, a, b), a, b)


for _operation, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"),
                          (operator.truediv, "fdiv")):
    for _kind in (FLOATS, DOUBLES):
        _operator(_operation, _kind, _kind, _instruction(_name))
for _operation, _name in ((operator.add, "add"), (operator.sub, "sub"), (operator.and_, "and_"),
                          (operator.xor, "xor"), (operator.lshift, "shl"), (operator.rshift, "ashr")):
    _operator(_operation, INTS, INTS, _instruction(_name))
for _kind in (FLOATS, INTS):
    _operator(min, _kind, _kind, _choose(_kind, "<"))
    _operator(max, _kind, _kind, _choose(_kind, ">"))
_operator(operator.lt, FLOATS, BOOLS, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_operator(operator.lt, INTS, BOOLS, lambda builder, a, b: builder.icmp_signed("<", a, b))


def _address(context: Any, builder: Any, kind: Any, array: ir.Value, index: ir.Value, pointee: ir.Type) -> ir.Value:
    """Return the address of an array's element, as a pointer to a vector of it and those behind it."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), pointee.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """Return array[index:index + LANES] of a contiguous row of float32, int32, int16, int8 or uint8."""
    kind = FLOATS if array.dtype == types.float32 else INTS

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = ir.VectorType(F32 if kind is FLOATS else ir.IntType(array.dtype.bitwidth), LANES)
        value = builder.load(_address(context, builder, array, arguments[0], arguments[1], width), align=1)
        if width == kind.llvm:
            return value
        return (builder.sext if array.dtype.signed else builder.zext)(value, kind.llvm)

    return kind(array, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """array[index:index + LANES] = vector, whose whole numbers may become int16, int8 or uint8."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_value, place, value = arguments
        if vector == INTS and array.dtype.bitwidth < 32:
            value = builder.trunc(value, ir.VectorType(ir.IntType(array.dtype.bitwidth), LANES))
        builder.store(value, _address(context, builder, array, array_value, place, value.type), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def transpose(typing_context: Any, source: Any, first: Any, step: Any, n: Any, target: Any, place: Any, width: Any
              ) -> Any:
    """target[place + j * width + i] = source[first + min(i, n - 1) * step + j] for i below LANES, and j below BLOCK.

    Both arrays are contiguous, of any shape, and of float32 or int32.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source_value, first, step, n, target_value, place, width = arguments
        element = F32 if source.dtype == types.float32 else I32
        kind, short = ir.VectorType(element, LANES), ir.VectorType(element, BLOCK)
        rows, at, last = [], first, builder.add(first, builder.mul(builder.sub(n, n.type(1)), step))
        for _ in range(LANES):
            rows.append(builder.load(_address(context, builder, source, source_value, at, short), align=4))
            following = builder.add(at, step)
            at = builder.select(builder.icmp_signed("<", following, last), following, last)
        if LANES > BLOCK:  # a row and the one BLOCK behind it side by side
            both = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
            rows = [builder.shuffle_vector(*pair, both) for pair in zip(rows[:BLOCK], rows[BLOCK:], strict=True)]
        # Interleaving the first half with the second, as often as a row halves, turns rows into columns.
        for _ in range(BLOCK.bit_length() - 1):
            halves = zip(rows[:BLOCK // 2], rows[BLOCK // 2:], strict=True)
            rows = [builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(I32, LANES), [
                lane // BLOCK * BLOCK + lane % BLOCK // 2 + lane % 2 * LANES + part for lane in range(LANES)]))
                for one, other in halves for part in (0, BLOCK // 2)]
        for row in rows:
            builder.store(row, _address(context, builder, target, target_value, place, kind), align=4)
            place = builder.add(place, width)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, types.intp, target, types.intp, types.intp), generate


def _function(result: types.Type, *parameters: types.Type) -> Callable[[Emit], Any]:
    """Turn what emits code, (builder, *arguments), into a function that kernels can call."""

    def decorate(emit: Emit) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return emit(builder, *arguments)

        def one(typing_context: Any, a: Any) -> Any:
            return result(*parameters), generate

        def three(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
            return result(*parameters), generate

        function: Any = one if len(parameters) == 1 else three
        function.__name__, function.__doc__ = emit.__name__, emit.__doc__
        return intrinsic(function)

    return decorate


@_function(FLOATS, types.float32)
def floats(builder: Any, value: ir.Value) -> ir.Value:
    """Return LANES of a float32."""
    return splat(builder, FLOATS.llvm, value)


@_function(INTS, types.int32)
def ints(builder: Any, value: ir.Value) -> ir.Value:
    """Return LANES of an int32."""
    return splat(builder, INTS.llvm, value)


@_function(INTS, types.int32)
def counting_from(builder: Any, value: ir.Value) -> ir.Value:
    """Return value, value + 1, value + 2 and so on."""
    return builder.add(splat(builder, INTS.llvm, value), ir.Constant(INTS.llvm, list(range(LANES))))


@_function(FLOATS, FLOATS)
def rint(builder: Any, value: ir.Value) -> ir.Value:
    """Round to the nearest whole number, halves to the even one."""
    return call(builder, f"llvm.rint.v{LANES}f32", value.type, value)


@_function(INTS, FLOATS)
def to_int(builder: Any, value: ir.Value) -> ir.Value:
    """Convert whole numbers to int32."""
    return builder.fptosi(value, INTS.llvm)


@_function(FLOATS, INTS)
def to_float(builder: Any, value: ir.Value) -> ir.Value:
    """Convert int32 to float32."""
    return builder.sitofp(value, FLOATS.llvm)


@_function(INTS, FLOATS)
def bits_of(builder: Any, value: ir.Value) -> ir.Value:
    """See the bits of float32 as int32."""
    return builder.bitcast(value, INTS.llvm)


@_function(FLOATS, INTS)
def of_bits(builder: Any, value: ir.Value) -> ir.Value:
    """See the bits of int32 as float32."""
    return builder.bitcast(value, FLOATS.llvm)


@_function(FLOATS, BOOLS, FLOATS, FLOATS)
def where(builder: Any, condition: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """Return a where the condition holds, b elsewhere."""
    return builder.select(condition, a, b)


@_function(types.int32, INTS)
def highest(builder: Any, value: ir.Value) -> ir.Value:
    """Return the highest lane."""
    return call(builder, f"llvm.vector.reduce.smax.v{LANES}i32", I32, value)


@_function(types.int32, INTS)
def added(builder: Any, value: ir.Value) -> ir.Value:
    """Return the sum of the lanes."""
    return call(builder, f"llvm.vector.reduce.add.v{LANES}i32", I32, value)


@_function(DOUBLES, FLOATS)
def widen(builder: Any, value: ir.Value) -> ir.Value:
    """Convert to float64."""
    return builder.fpext(value, DOUBLES.llvm)


@_function(FLOATS, DOUBLES)
def narrow(builder: Any, value: ir.Value) -> ir.Value:
    """Round to float32."""
    return builder.fptrunc(value, FLOATS.llvm)


@_function(types.float64, DOUBLES)
def total(builder: Any, value: ir.Value) -> ir.Value:
    """Return the sum of the lanes."""
    kind = ir.FunctionType(F64, [F64, value.type])
    add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{LANES}f64")
    return builder.call(add, [ir.Constant(F64, -0.0), value], fastmath=["reassoc"])
