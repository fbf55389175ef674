"""How machine code finds its arguments, and an array's numbers in the Python object that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from nerlite.ops.arrays import DATA, SHAPE

I64 = ir.IntType(64)


def reader(dtype: np.dtype[Any], n_dimensions: int, place: int) -> Any:
    """Return a function from the address of a kernel's 64-bit words to the argument in one of them.

    That is a number, or the address of a NumPy array, which must be of this type and C-contiguous.
    """
    kind = types.Array(from_dtype(dtype), n_dimensions, "C") if n_dimensions else from_dtype(dtype)

    @intrinsic  # type: ignore[untyped-decorator]
    def read(typing_context: Any, words: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def field(base: ir.Value, offset: int, pointee: ir.Type) -> ir.Value:
                address = builder.gep(base, [I64(offset)])
                return builder.load(builder.bitcast(address, pointee.as_pointer()))

            if not n_dimensions:
                return field(arguments[0], 8 * place, context.get_data_type(kind))
            array_object = field(arguments[0], 8 * place, ir.IntType(8).as_pointer())
            data_type = context.get_data_type(kind.dtype)
            lengths = field(array_object, SHAPE, I64.as_pointer())
            shape = [builder.load(builder.gep(lengths, [I64(i)])) for i in range(n_dimensions)]
            strides = [I64(dtype.itemsize)]
            for length in shape[:0:-1]:
                strides.insert(0, builder.mul(strides[0], length))
            array = make_array(kind)(context, builder)
            populate_array(array, data=field(array_object, DATA, data_type.as_pointer()),
                           shape=cgutils.pack_array(builder, shape), strides=cgutils.pack_array(builder, strides),
                           itemsize=I64(dtype.itemsize), meminfo=None)
            return array._getvalue()

        return kind(types.voidptr), generate

    return read
