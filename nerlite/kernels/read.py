"""Records of `nerlite.ops.records` as values of kernels: the address of their words; a field is read where it is named.

The words, and the objects of arrays that they name, stay as they are while a kernel runs. LLVM is told so, and reads a
field that a loop names once, before it.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    intrinsic,
    lower_builtin,
    lower_getattr_generic,
    models,
    register_model,
    type_callable,
)
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from nerlite.ops.arrays import DATA, SHAPE
from nerlite.ops.records import Array, Number, Part, Record

I64 = ir.IntType(64)


class RecordType(types.Type):  # type: ignore[misc]
    """The type of a record in kernels."""

    def __init__(self, record: type[Record]) -> None:
        """Remember the declaration."""
        self.record = record
        super().__init__(name=record.__name__)


class RecordsType(types.Type):  # type: ignore[misc]
    """The type of a list of records."""

    def __init__(self, record: type[Record]) -> None:
        """Remember the declaration of each."""
        self.item = RecordType(record)
        super().__init__(name=f"{record.__name__}s")


@register_model(RecordType)
@register_model(RecordsType)
class _AddressModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, I64)


def _type_of(field: Any) -> Any:
    if isinstance(field, Array):
        return types.Array(from_dtype(field.dtype), len(field.shape), "C")
    if isinstance(field, Number):
        return types.float64 if field.kind is float else types.int64
    return RecordType(field.record) if isinstance(field, Part) else RecordsType(field.record)


def _load(builder: Any, base: ir.Value, offset: ir.Value, pointee: ir.Type) -> ir.Value:
    """Emit what reads the value at base + offset, which no store changes."""
    value = builder.load(builder.inttoptr(builder.add(base, offset), pointee.as_pointer()))
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


@infer_getattr
class _Fields(AttributeTemplate):  # type: ignore[misc]
    key = RecordType

    def generic_resolve(self, kind: RecordType, name: str) -> Any:
        return _type_of(kind.record.fields[name]) if name in kind.record.fields else None


@lower_getattr_generic(RecordType)  # type: ignore[untyped-decorator]
def _field(context: Any, builder: Any, kind: RecordType, words: ir.Value, name: str) -> Any:
    place, field = 8 * kind.record.place(name), kind.record.fields[name]
    if not isinstance(field, Array):
        return _load(builder, words, I64(place), context.get_value_type(_type_of(field)))
    array_type, base, at_data, lengths = _type_of(field), words, place, builder.add(words, I64(place + 8))
    if not kind.record.kept:
        base, at_data = _load(builder, words, I64(place), I64), DATA
        lengths = _load(builder, base, I64(SHAPE), I64)
    shape = [_load(builder, lengths, I64(8 * i), I64) for i in range(array_type.ndim)]
    strides = [I64(field.dtype.itemsize)]
    for length in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    array = make_array(array_type)(context, builder)
    data = _load(builder, base, I64(at_data), context.get_data_type(array_type.dtype).as_pointer())
    populate_array(array, data=data, shape=cgutils.pack_array(builder, shape),
                   strides=cgutils.pack_array(builder, strides), itemsize=I64(field.dtype.itemsize), meminfo=None)
    return array._getvalue()


@type_callable(operator.getitem)  # type: ignore[untyped-decorator]
def _type_item(context: Any) -> Any:
    def typer(records: Any, index: Any) -> Any:
        if isinstance(records, RecordsType) and isinstance(index, types.Integer):
            return signature(records.item, records, types.intp)
        return None

    return typer


@lower_builtin(operator.getitem, RecordsType, types.intp)  # type: ignore[untyped-decorator]
def _item(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    addresses, index = arguments
    return _load(builder, addresses, builder.mul(builder.add(index, I64(1)), I64(8)), I64)


@type_callable(len)  # type: ignore[untyped-decorator]
def _type_len(context: Any) -> Any:
    def typer(records: Any) -> Any:
        return signature(types.intp, records) if isinstance(records, RecordsType) else None

    return typer


@lower_builtin(len, RecordsType)  # type: ignore[untyped-decorator]
def _len(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _load(builder, arguments[0], I64(0), I64)


def reader(record: type[Record]) -> Any:
    """Return a function from the address of a record's words, an int, to the record."""
    kind = RecordType(record)

    @intrinsic  # type: ignore[untyped-decorator]
    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return arguments[0]

        return kind(types.intp), generate

    return read
