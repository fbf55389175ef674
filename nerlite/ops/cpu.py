"""The kinds of CPU that kernels are compiled for, and which of them this one is."""

from __future__ import annotations

from typing import NamedTuple

from nerlite import environment
from nerlite.ops.features import features as _features
from nerlite.ops.features import machine


class Level(NamedTuple):
    """A kind of CPU and how matrix products are cut for it.

    lanes: 32-bit lanes of a vector; n_vectors: vectors in a panel of weights; rows: how many a tile of a product takes
    at most, so that its sums fit the registers; int8_rows: the same of a product of int8 weights, and depth: a
    multiple of how many numbers of a row it takes at once; stretch: how many times four numbers of a row it multiplies
    and adds up in 16 bits, 0 where there are instructions for 32; machine, features: what `uname` and /proc/cpuinfo say
    of such a CPU; llvm_cpu, llvm_features: its names in LLVM.
    """

    name: str
    lanes: int
    n_vectors: int
    rows: int
    int8_rows: int
    depth: int
    stretch: int
    machine: str = ""
    features: frozenset[str] = frozenset()
    llvm_cpu: str = ""
    llvm_features: str = ""

    @property
    def columns(self) -> int:
        """Columns of a panel of weights."""
        return self.lanes * self.n_vectors

    @property
    def width(self) -> int:
        """Columns of a panel of attention's keys and values, which are few."""
        return 2 * self.lanes

    @property
    def rows_together(self) -> int:
        """The most rows of an int8 encoder of which threads share out columns: up to so many that is faster."""
        return 12 if self.stretch else 24


_V3 = frozenset(["avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"])
_V4 = _V3 | frozenset(["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"])
# From the least to the best of each machine; "any" is plain loops, for whatever the compiler makes of them.
LEVELS = {level.name: level for level in (
    Level("any", 8, 2, 4, 4, 8, 0),
    Level("neon", 4, 4, 4, 4, 4, 0, "aarch64", frozenset(["asimddp"]), "generic", "+neon,+dotprod"),
    Level("avx2", 8, 2, 4, 5, 8, 6, "x86_64", _V3, "x86-64-v3", "+avx2"),
    Level("avxvnni", 8, 2, 4, 6, 8, 0, "x86_64", _V3 | {"avx_vnni"}, "x86-64-v3", "+avx2,+avxvnni"),
    Level("vnni", 16, 4, 5, 5, 16, 0, "x86_64", _V4, "x86-64-v4", "+avx512vnni"),
    Level("amx", 16, 4, 5, 16, 64, 0, "x86_64", _V4 | {"amx_tile", "amx_int8"}, "x86-64-v4",
          "+avx512vnni,+amx-tile,+amx-int8"),
)}


def cpu_levels() -> list[Level]:
    """Return the levels that this CPU has, the best first; of them none above one that NERLITE_CPU_LEVEL names."""
    here, features = machine(), _features()
    has = [level for level in LEVELS.values() if level.machine in ("", here) and level.features <= features]
    if wanted := environment.read("NERLITE_CPU_LEVEL"):
        if wanted not in LEVELS:
            raise ValueError(f"NERLITE_CPU_LEVEL: expected one of {', '.join(LEVELS)}, got {wanted!r}")
        if LEVELS[wanted] in has:
            del has[has.index(LEVELS[wanted]) + 1:]
    if has[-1].name == "amx" and not _may_use_amx():
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
