"""What this CPU is and can do, by the names of Linux, as far as the operating system lets a process use it."""

from __future__ import annotations

import os
import sys

import numpy as np  # noqa: F401  # whose table it is

from nerlite.ops.levels import LEVELS
from nerlite.ops.library import library_path

# Where NumPy's names are other than Linux's in capitals. It asks cpuid and XGETBV, or on ARM getauxval.
_OF_NUMPY = {"FMA3": "fma", "BMI": "bmi1", "AVX512VNNI": "avx512_vnni"}
# What each CPU with AVX2 and FMA has besides; NumPy before 2.4 has no names for it.
_WITH_AVX2 = frozenset(["bmi1", "bmi2", "f16c", "movbe"])
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# Of ARM's features: the number for getauxval and the bit in it, of Linux's asm/hwcap.h; macOS' name; Windows' number,
# of winnt.h, 0 where it has none.
_ARM = {"asimddp": (16, 20, b"hw.optional.arm.FEAT_DotProd", 43), "i8mm": (26, 13, b"hw.optional.arm.FEAT_I8MM", 0)}


def machine() -> str:
    """Return the kind of CPU: x86_64 or aarch64, or what the system calls another."""
    if hasattr(os, "uname"):
        name = os.uname().machine
    else:
        import platform

        name = platform.machine()
    return _MACHINES.get(name.lower(), name)


def features() -> frozenset[str]:
    """Return the features of this CPU, as /proc/cpuinfo on Linux names them."""
    table, arm = _numpy_table(), machine() == "aarch64"
    told = frozenset(name for name, asked in _ARM.items() if _arm_has(*asked)) if arm else _of_linux()
    found = told | {_OF_NUMPY.get(name, name.lower()) for name, has in table.items() if has}
    if "BMI2" not in table and found >= {"avx2", "fma"}:
        found |= _WITH_AVX2
    # NumPy has no name for AVX-VNNI. Its registers are AVX2's, so that a system that lets a process use these lets it
    # use those: XGETBV, by which NumPy tells of AVX2, has no bit of its own for it.
    if sys.platform == "win32" and "avx2" in found and cpuid(7, 1)[0] >> 4 & 1:
        found |= {"avx_vnni"}
    return found


def cpuid(leaf: int, subleaf: int) -> tuple[int, ...]:
    """Ask an x86 CPU; return registers EAX to EDX, zeros where there is no library for AVX2, which is what can ask.

    Source: Intel's Software Developer's Manual, volume 2, CPUID.
    """
    import ctypes

    registers = (ctypes.c_uint32 * 4)(leaf, 0, subleaf, 0)
    try:
        ask = ctypes.CDLL(library_path(LEVELS["avx2"])).nerlite_cpuid
    except (OSError, AttributeError):  # AttributeError: it lacks the function
        return 0, 0, 0, 0
    ask(ctypes.c_void_p(ctypes.addressof(registers)))
    return tuple(registers)


def _numpy_table() -> dict[str, bool]:
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):  # of NumPy 2, and of NumPy 1
        if name in sys.modules:
            return sys.modules[name].__cpu_features__
    return {}


def _arm_has(number: int, bit: int, name: bytes, windows: int) -> bool:
    """Ask the system for a feature of ARM; an emulator's answer is its own, as that of /proc/cpuinfo may not be."""
    import ctypes

    if sys.platform == "linux":
        return bool(ctypes.CDLL(None).getauxval(ctypes.c_ulong(number)) >> bit & 1)
    if sys.platform == "darwin":
        value, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
        failed = ctypes.CDLL(None).sysctlbyname(name, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
        return not failed and bool(value.value)
    if sys.platform == "win32":
        return bool(windows and ctypes.windll.kernel32.IsProcessorFeaturePresent(windows))
    return False


def _of_linux() -> frozenset[str]:
    """Return the features of the first CPU in /proc/cpuinfo; none where there is no such file.

    It names some that NumPy does not.
    """
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() in ("flags", "Features"):
                    return frozenset(value.split())
    except OSError:
        pass
    return frozenset()
