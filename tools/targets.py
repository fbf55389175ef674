"""The systems that kernels are built for, from any of them: what LLVM, the linker and wheels call each."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """A system and a kind of CPU.

    machine: as `nerlite.ops.features.machine` says; suffix: of a library's name; triple: LLVM's name for object files;
    zig: ziglang's for linking, with the oldest C library; wheel: the tag of wheels; clock: the number of the monotonic
    clock, CLOCK_MONOTONIC of time.h; may_need: the names that a library may want of the system, and the libraries, in
    lower case, that it may want them of; lacks: levels of CPU that are not built for it.
    """

    machine: str
    suffix: str
    triple: str
    zig: str
    wheel: str
    clock: int
    may_need: frozenset[str]
    libraries: frozenset[str]
    # Linux alone lets a process have AMX as nerlite asks for it.
    lacks: frozenset[str] = frozenset(["amx"])

    @property
    def elf_triple(self) -> str:
        """What numba compiles for: it can place ELF alone in memory, which it does with all that it compiles."""
        return f"{self.machine}-unknown-linux-gnu"


_C = frozenset(["exp", "log", "memcpy", "memset", "memmove", "sched_yield", "clock_gettime"])
_GLIBC = frozenset(["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"])
_MACOS = frozenset(["/usr/lib/libsystem.b.dylib"])
# What zig's part of MinGW-w64 wants, which gives a Windows library C's functions, and Windows its beginning and end.
_WINDOWS = frozenset(["kernel32.dll", "ntdll.dll", "msvcrt.dll", "api-ms-win-crt"])
TARGETS = {
    "linux-x86_64": Target("x86_64", ".so", "x86_64-unknown-linux-gnu", "x86_64-linux-gnu.2.17",
                           "manylinux_2_17_x86_64.manylinux2014_x86_64", 1, _C, _GLIBC, frozenset()),
    "linux-aarch64": Target("aarch64", ".so", "aarch64-unknown-linux-gnu", "aarch64-linux-gnu.2.17",
                            "manylinux_2_17_aarch64.manylinux2014_aarch64", 1, _C, _GLIBC, frozenset()),
    "macos-arm64": Target("aarch64", ".dylib", "arm64-apple-macosx11.0.0", "aarch64-macos.11.0", "macosx_11_0_arm64", 6,
                          _C | {"bzero", "__bzero"}, _MACOS),
    "macos-x86_64": Target("x86_64", ".dylib", "x86_64-apple-macosx11.0.0", "x86_64-macos.11.0", "macosx_11_0_x86_64",
                           6, _C | {"bzero", "__bzero"}, _MACOS, frozenset(["amx", "avxvnni"])),  # no Mac has these
    "windows-x86_64": Target("x86_64", ".dll", "x86_64-pc-windows-gnu", "x86_64-windows-gnu", "win_amd64", 1,
                             frozenset(), _WINDOWS),
}

