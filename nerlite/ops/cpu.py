"""Which of the kinds of CPU that kernels are compiled for this one is."""

from __future__ import annotations

from nerlite import environment
from nerlite.ops.features import features as _features
from nerlite.ops.features import machine
from nerlite.ops.levels import LEVELS as LEVELS
from nerlite.ops.levels import Level as Level


def cpu_levels() -> list[Level]:
    """Return the levels that this CPU has, the best first; of them none above one that NERLITE_CPU_LEVEL names."""
    here, features = machine(), _features()
    has = [level for level in LEVELS.values() if level.machine in ("", here) and level.features <= features]
    if wanted := environment.read("NERLITE_CPU_LEVEL"):
        if wanted not in LEVELS:
            raise ValueError(f"NERLITE_CPU_LEVEL: expected one of {', '.join(LEVELS)}, got {wanted!r}")
        if LEVELS[wanted] in has:
            del has[has.index(LEVELS[wanted]) + 1:]
    if "amx_tile" in has[-1].features and not _may_use_amx():
        has.pop()
    return has[::-1]


def cpu_level() -> Level:
    """Return the best level that this CPU has, or a lower one that NERLITE_CPU_LEVEL names."""
    return cpu_levels()[0]


def _may_use_amx() -> bool:
    """Ask Linux to let this process use AMX's registers, as it must be; say whether it does."""
    import ctypes

    arch_prctl, request, tile_data = 158, 0x1023, 18  # of Linux's asm/unistd_64.h and asm/prctl.h
    syscall = ctypes.CDLL(None).syscall
    return syscall(*map(ctypes.c_long, (arch_prctl, request, tile_data))) == 0
