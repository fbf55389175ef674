"""How machine code finds an array's numbers in the Python object that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from nerlite.ops.library import DATA, SHAPE

I64 = ir.IntType(64)


def array_reader(dtype: np.dtype[Any], n_dimensions: int) -> Any:
    """Return a function from a NumPy array's address to that array, which must be of this type and C-contiguous."""
    kind = types.Array(from_dtype(dtype), n_dimensions, "C")

    @intrinsic  # type: ignore[untyped-decorator]
    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def field(offset: int, pointee: ir.Type) -> ir.Value:
                place = builder.gep(builder.bitcast(arguments[0], ir.IntType(8).as_pointer()), [I64(offset)])
                return builder.load(builder.bitcast(place, pointee.as_pointer()))

            data_type = context.get_data_type(kind.dtype)
            lengths = field(SHAPE, I64.as_pointer())
            shape = [builder.load(builder.gep(lengths, [I64(i)])) for i in range(n_dimensions)]
            strides = [I64(dtype.itemsize)]
            for length in shape[:0:-1]:
                strides.insert(0, builder.mul(strides[0], length))
            array = make_array(kind)(context, builder)
            populate_array(array, data=field(DATA, data_type.as_pointer()), shape=cgutils.pack_array(builder, shape),
                           strides=cgutils.pack_array(builder, strides), itemsize=I64(dtype.itemsize), meminfo=None)
            return array._getvalue()

        return kind(types.voidptr), generate

    return read
