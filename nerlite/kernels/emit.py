"""What emits LLVM's instructions: an IRBuilder, and what tiles and levels of CPU need besides."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


def call(builder: Any, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    """Emit a call of an LLVM intrinsic, or a function of C's library."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def splat(builder: Any, kind: ir.VectorType, value: ir.Value) -> ir.Value:
    """Emit a vector that holds a value in each lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(undefined, value, I32(0)), undefined,
                                  ir.Constant(ir.VectorType(I32, kind.count), None))


class Emit:
    """What a level of CPU emits its instructions by, which knows nothing of llvmlite."""

    def __init__(self, builder: Any) -> None:
        """Emit where the builder stands."""
        self.builder = builder

    def number(self, bits: int, value: int) -> ir.Value:
        """Return a whole number."""
        return ir.IntType(bits)(value)

    def vector(self, bits: int, lanes: int) -> ir.VectorType:
        """Return the type of a vector of whole numbers."""
        return ir.VectorType(ir.IntType(bits), lanes)

    def structure(self, *kinds: ir.Type) -> ir.Type:
        """Return the type of several values."""
        return ir.LiteralStructType(kinds)

    def constant(self, kind: ir.Type, value: Any) -> ir.Value:
        """Return a constant; None is zeros."""
        return ir.Constant(kind, value)

    def call(self, name: str, result: ir.Type | None, *arguments: ir.Value) -> ir.Value:
        """Emit a call of an LLVM intrinsic; result: its type, None for nothing."""
        return call(self.builder, name, ir.VoidType() if result is None else result, *arguments)

    def assembly(self, text: str, constraints: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
        """Emit assembly that reads memory."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(ir.InlineAsm(kind, text, constraints, side_effect=True), arguments)

    def add(self, base: ir.Value, offset: ir.Value | int) -> ir.Value:
        """Emit a sum of whole numbers."""
        return self.builder.add(base, I64(offset) if isinstance(offset, int) else offset)

    def times(self, value: ir.Value, factor: ir.Value | int) -> ir.Value:
        """Emit a product of whole numbers."""
        return self.builder.mul(value, I64(factor) if isinstance(factor, int) else factor)

    def pointer(self, address: ir.Value, kind: ir.Type | None = None) -> ir.Value:
        """Emit a pointer to a value of a type, or to bytes."""
        return self.builder.inttoptr(address, (kind or I8).as_pointer())

    def load(self, address: ir.Value, kind: ir.Type, align: int = 1) -> ir.Value:
        """Emit what reads a value."""
        return self.builder.load(self.pointer(address, kind), align=align)

    def store(self, value: ir.Value, address: ir.Value, align: int = 4) -> None:
        """Emit what writes a value."""
        self.builder.store(value, self.pointer(address, value.type), align=align)

    def words(self, values: list[ir.Value], align: int) -> ir.Value:
        """Emit a list of 64-bit words; return a pointer to it."""
        place = cgutils.alloca_once(self.builder, ir.ArrayType(I64, len(values)))
        place.align = align
        for i, value in enumerate(values):
            self.builder.store(value, self.builder.gep(place, [I32(0), I32(i)]))
        return self.builder.bitcast(place, I8.as_pointer())

    def loop(self, start: ir.Value, stop: ir.Value, step: int = 1) -> Any:
        """Emit a loop around what is emitted with it, which gets the number."""
        return cgutils.for_range_slice(self.builder, start, stop, I64(step))

    def steps(self, first: list[ir.Value]) -> Steps:
        """Begin a loop of at least one step; first: what begins as these values."""
        return Steps(self.builder, first)


class Steps:
    """A loop of at least one step, in progress, whose values pass from step to step in registers."""

    def __init__(self, builder: Any, first: list[ir.Value]) -> None:
        """Begin the loop."""
        self._builder, self._entry, self._first = builder, builder.block, first
        self._loop, self._done = builder.append_basic_block("loop"), builder.append_basic_block("done")
        builder.branch(self._loop)
        builder.position_at_end(self._loop)
        self.values = [builder.phi(value.type) for value in first]

    def end(self, following: list[ir.Value], again: ir.Value) -> None:
        """End the loop: another step has the following values, if `again`."""
        for phi, first, value in zip(self.values, self._first, following, strict=True):
            phi.add_incoming(first, self._entry)
            phi.add_incoming(value, self._loop)
        self._builder.cbranch(again, self._loop, self._done)
        self._builder.position_at_end(self._done)
