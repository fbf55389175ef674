"""How threads that run the same kernel share out its work: counters that they add to, and waiting for each other."""

from __future__ import annotations

import sys
import time
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nerlite.kernels.emit import I32, I64, call
from nerlite.kernels.jit import kernel

# Nanoseconds for which a thread that has done its part looks for the next, giving way to others in between.
LINGER = 1_000_000


@intrinsic
def _add(typing_context: Any, address: Any) -> Any:
    """Add 1 to the int64 at an address and return what it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", builder.inttoptr(arguments[0], I64.as_pointer()), I64(1), "seq_cst")

    return types.int64(types.intp), generate


@intrinsic
def _read(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(arguments[0], I64.as_pointer()), "seq_cst", 8)

    return types.int64(types.intp), generate


@intrinsic
def _give_way(typing_context: Any) -> Any:
    """Let another thread have this core, if one waits for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if sys.platform != "win32":
            call(builder, "sched_yield", I32)
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _now(typing_context: Any) -> Any:
    """Return nanoseconds, from 0 on, of a clock that runs evenly; -1 where there is none."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not hasattr(time, "CLOCK_MONOTONIC"):
            return I64(-1)
        parts = cgutils.alloca_once(builder, ir.ArrayType(I64, 2))  # seconds, nanoseconds
        call(builder, "clock_gettime", I32, I32(time.CLOCK_MONOTONIC), parts)
        seconds, nanoseconds = (builder.load(builder.gep(parts, [I32(0), I32(i)])) for i in range(2))
        return builder.add(builder.mul(seconds, I64(10**9)), nanoseconds)

    return types.int64(), generate


@kernel()
def claim(counters, phase):
    """Return a number that no other thread gets in this phase: 0, 1, 2, …; counters: (n_phases, 2) int64, zeros."""
    return _add(counters[phase].ctypes.data)


@kernel()
def finish(counters, phase):
    """Say that this thread has done one of a phase's pieces of work."""
    _add(counters[phase].ctypes.data + 8)


@kernel()
def wait(counters, phase, n):
    """Return once all n pieces of a phase's work are done."""
    tries = 0
    while _read(counters[phase].ctypes.data + 8) < n:
        tries += 1
        if tries > 200:
            _give_way()


@kernel()
def ring(bell):
    """Call those that linger; return how often the bell has rung; bell: (1,) int64."""
    return _add(bell.ctypes.data) + 1


@kernel()
def linger(bell, heard):
    """Return once the bell has rung more often than was heard, or after a while.

    To be woken takes a sleeping thread 50 us, and the one that wakes it 30: a twentieth of a short text's time.
    """
    begin = _now()
    while begin >= 0 and _read(bell.ctypes.data) == heard and _now() < begin + LINGER:
        _give_way()


@kernel(inline=True)
def cut(share, n_shares, n):
    """Return the first of n things in a share: the one behind the last of the share before it."""
    return share * n // n_shares


@kernel(inline=True)
def share_out(work, arguments, n_shares, counters, step):
    """Do work(share, n_shares, *arguments) of all shares, with the threads that come to this step; return when all are.

    One share is done without a word to others.
    """
    share = claim(counters, step) if n_shares > 1 else 0
    while share < n_shares:
        work(share, n_shares, *arguments)
        share = n_shares
        if n_shares > 1:
            finish(counters, step)
            share = claim(counters, step)
    if n_shares > 1:
        wait(counters, step, n_shares)
