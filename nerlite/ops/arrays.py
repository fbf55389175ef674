"""Where a NumPy array object keeps its data's address and its shape's, which machine code reads by itself."""

from __future__ import annotations

import ctypes

import numpy as np

# Bytes from the object's begin (NumPy's C API), in a Python with the GIL.
DATA, SHAPE = 16, 32


def are_as_expected() -> bool:
    """Whether this Python's arrays are laid out so; a free-threaded one's are not."""
    probe, word = np.empty((3, 5)), ctypes.c_size_t.from_address
    return (word(id(probe) + DATA).value == probe.ctypes.data
            and word(word(id(probe) + SHAPE).value).value == len(probe))
