"""How kernels are compiled by numba: for which CPU, with which freedoms, and where the machine code is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import cpu_target

from nerlite.ops import cpu
from nerlite.ops.levels import LEVELS, Level
from nerlite.ops.stamp import stamp


def _level() -> Level:
    """Return this CPU's level, or plain loops where numba is told to compile for a lesser CPU."""
    level = cpu.cpu_level()
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return level if level.llvm_features.rpartition(",")[2] in features.split(",") else LEVELS["any"]


if numba.config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set, and kernels are nothing if not compiled")
LEVEL = _level()
_STAMP = stamp() + LEVEL.name
# Kernels can neither allocate nor raise, so that their machine code needs no Python at all. Formulas are computed as
# written, so that they give the bits of the NumPy reference.
OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}
PART = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class _PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of a function that only others call: it is optimised, and made machine code, as a part of theirs."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0  # nobody calls it from outside

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Keep nothing: only code that uses Python's objects needs an environment."""


class PartCompiler(Compiler):  # type: ignore[misc]
    """numba's compiler, up to LLVM's code."""

    def __init__(self, typing_context: Any, target_context: Any, library: Any, *rest: Any) -> None:
        """Put the code into a library that is none of numba's."""
        super().__init__(typing_context, target_context, _PartLibrary(target_context.codegen(), "part"), *rest)


class _Cache(FunctionCache):  # type: ignore[misc]
    """numba's cache on disk, keyed by all files of kernels; what it cannot read or write it does without."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # numba's own key has a hash of the functions that this one calls, which is another one in every process. The
        # stamp stands for them.
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
    """Make a function one that kernels can call.

    inline=True is for functions whose arguments (vectors, or arrays) would cost more to hand over than the work itself.
    """
    return numba.njit(forceinline=inline, pipeline_class=PartCompiler, **PART)


def entry(function: Callable[..., Any]) -> Any:
    """Make a function one that is called from Python, without the GIL.

    It is compiled when it is first called, and kept on disk where a cache folder is writable.
    """
    compiled = numba.njit(**OPTIONS)(function)
    # With cache=True numba raises here where no folder is writable; then every process compiles for itself.
    with contextlib.suppress(RuntimeError, OSError, AttributeError):
        compiled._cache = _Cache(compiled.py_func)
    return compiled
