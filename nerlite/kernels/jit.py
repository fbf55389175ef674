"""How kernels are compiled by numba: for which CPU, with which freedoms, and where the machine code is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

from nerlite.ops import cpu
from nerlite.ops.stamp import stamp


def _level() -> cpu.Level:
    """Return this CPU's level, or plain loops where numba is told to compile for a lesser CPU."""
    level = cpu.cpu_level()
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    wanted = {"neon": "+dotprod", "vnni": "+avx512vnni", "amx": "+amx-int8"}.get(level.name, f"+{level.name}")
    return level if wanted in features.split(",") else cpu.LEVELS["any"]


if numba.config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set, and kernels are nothing if not compiled")
LEVEL = _level()
_STAMP = stamp() + LEVEL.name


class _Cache(FunctionCache):  # type: ignore[misc]
    """numba's cache on disk, keyed by all files of kernels; what it cannot read or write it does without."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # numba's own key has a hash of the kernels that this one calls, which is another one in every process. The
        # stamp stands for them; int8 and float32 kernels of one name differ by signature.
        return sig, codegen.magic_tuple(), _STAMP

    def holds_code(self) -> bool:
        """Whether machine code of these sources, for this CPU, lies on disk."""
        return any(_STAMP in key for key in self._cache_file._load_index())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged file can raise anything; compiling anew replaces it
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def kernel(*, inline: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function without the GIL and keep the machine code on disk where a cache folder is writable.

    Kernels can neither allocate nor raise, so that their machine code needs no Python at all. Formulas are computed as
    written, so that they give the bits of the NumPy reference. inline=True is for functions whose arguments (vectors,
    or several arrays) would cost more to hand over than the work itself; their code is kept within that of others.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = numba.njit(nogil=True, forceinline=inline, error_model="numpy", _nrt=False)(function)
        if not inline:
            # With cache=True numba raises here where no folder is writable; then every process compiles for itself.
            with contextlib.suppress(RuntimeError, OSError, AttributeError):
                compiled._cache = _Cache(compiled.py_func)
        return compiled

    return decorate
