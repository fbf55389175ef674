"""How kernels are compiled: for which CPU, with which freedoms, and where the machine code is kept."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import os
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

LEVELS = ("any", "avx2", "vnni")
# Every kernel that has been decorated, for those who want to know which there are.
KERNELS: list[Any] = []


def _cpu_level() -> str:
    """Return the highest of LEVELS that numba compiles for here; NERLITE_CPU_LEVEL may name a lower one."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    has = set(features.split(","))
    best = "any"
    if triple.startswith("x86_64") and not numba.config.DISABLE_JIT:
        if {"+avx512vnni", "+avx512vl", "+avx512bw"} <= has:
            best = "vnni"
        elif {"+avx2", "+fma"} <= has:
            best = "avx2"
    wanted = os.environ.get("NERLITE_CPU_LEVEL", best)
    if wanted not in LEVELS:
        raise ValueError(f"NERLITE_CPU_LEVEL: expected one of {', '.join(LEVELS)}, got {wanted!r}")
    return min(best, wanted, key=LEVELS.index)


LEVEL = _cpu_level()


def _stamp() -> str:
    """Return what all kernels depend on besides their own file, which is all that numba's cache looks at."""
    sources = sorted((file for file in importlib.resources.files(__package__).iterdir() if file.name.endswith(".py")),
                     key=lambda file: file.name)
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest() + LEVEL


_STAMP = _stamp()


class _Cache(FunctionCache):  # type: ignore[misc]
    """numba's cache on disk, keyed by every file of kernels too; what it cannot read or write it does without."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _STAMP)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged file can raise anything; compiling anew replaces it
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def kernel(*, sums: bool = False, inline: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function without the GIL and keep the machine code on disk where a cache folder is writable.

    Formulas are computed as written, so that they give the bits of the NumPy reference; with sums=True additions may
    be reordered and contracted, which is for float64 sums (rounded once) and for values that nothing quantizes; NaN
    and infinities keep their meaning.
    inline=True is for scalar functions that belong into their caller's loop, which must be able to vectorize.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        fastmath = {"nsz", "arcp", "contract", "afn", "reassoc"} if sums else False
        compiled = numba.njit(nogil=True, fastmath=fastmath, forceinline=inline, error_model="numpy")(function)
        # With cache=True numba raises here where no folder is writable; then every process compiles for itself.
        with contextlib.suppress(RuntimeError, OSError, AttributeError):
            compiled._cache = _Cache(compiled.py_func)
        KERNELS.append(compiled)
        return compiled

    return decorate
