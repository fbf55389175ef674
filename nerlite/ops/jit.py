"""The one decorator that decides how kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache


def kernel(*, sums: bool = False, inline: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function without the GIL and keep the machine code on disk where a cache folder is writable.

    Formulas are computed as written, so that they give the bits of the NumPy reference; with sums=True additions may
    be reordered and contracted, which is for float64 sums (rounded once), for extremes (exact in any order) and for
    values that nothing quantizes. NaN may then come out as anything; infinities keep their meaning.
    inline=True is for scalar functions that belong into their caller's loop, which must be able to vectorize.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        fastmath = {"nnan", "nsz", "arcp", "contract", "afn", "reassoc"} if sums else False
        return numba.njit(nogil=True, fastmath=fastmath, forceinline=inline, error_model="numpy",
                          cache=_cache_is_writable(function))(function)

    return decorate


def _cache_is_writable(function: Callable[..., Any]) -> bool:
    """Whether numba finds a cache folder; asked to cache without one, it raises when it decorates."""
    try:
        FunctionCache(function)
    except (RuntimeError, OSError):
        return False
    return True
