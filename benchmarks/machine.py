"""What machine this is: its CPU, the libraries, and the most arithmetic that one core of it does.

    python benchmarks/machine.py

Times OpenBLAS' float32 product and bare int8 multiply-add instructions on registers, each on one core.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import confine, fresh
from threadpoolctl import threadpool_info, threadpool_limits

from nerlite.cores import available_cores
from nerlite.ops.cpu import LEVELS, cpu_level

PACKAGES = ("numpy", "numba", "llvmlite", "tokenizers", "safetensors", "onnxruntime", "onnx", "ctranslate2", "openvino",
            "nncf", "torch", "transformers")
FEATURES = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm")
# The instructions that multiply bytes and add, of nerlite's levels of CPU: instructions on accumulator N, how many of
# those there are, multiplications. AVX2 has no single one; its pair adds products in 16 bits, which a kernel must then
# widen, so it gets below this.
INT8 = {"amx": ("tdpbusd %tmm7, %tmm6, %tmm{0}", 6, 16 * 16 * 64),
        "vnni": ("vpdpbusd %zmm30, %zmm31, %zmm{0}", 12, 64),
        "avxvnni": ("{{vex}} vpdpbusd %ymm14, %ymm15, %ymm{0}", 12, 32),
        "avx2": ("vpmaddubsw %ymm14, %ymm15, %ymm13; vpaddw %ymm13, %ymm{0}, %ymm{0}", 12, 32)}
N_STEPS = 1_000_000
# AMX's registers as it is told of them: palette 1, 16 rows of 64 bytes in each.
AMX_SHAPES = np.array([1, 0, *[0x0040_0040_0040_0040] * 2, 0, 0, 0x1010_1010_1010_1010, 0], np.uint64)


def cpu_flags() -> set[str]:
    """Return the features that the kernel tells of this CPU (none where it is not Linux) up to the level in use."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    flags = {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split(":")[1].split()}
    names = list(LEVELS)
    return flags.difference(*(LEVELS[name].features for name in names[names.index(cpu_level().name) + 1:])
                            ) | cpu_level().features


def cpu_name() -> str:
    """Return the CPU's name, and family and model where the name may not tell enough."""
    path = Path("/proc/cpuinfo")
    lines = [line.split(":", 1) for line in path.read_text().splitlines() if ":" in line] if path.exists() else []
    fields = {key.strip(): value.strip() for key, value in reversed(lines)}
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    return f"{fields['model name']} (family {fields.get('cpu family')}, model {fields.get('model')})"


def sgemm_gflops() -> float:
    """Return one core's best rate on a 768 x 768 x 3072 product."""
    a, b = np.ones((768, 768), np.float32), np.ones((768, 3072), np.float32)
    with threadpool_limits(1):
        return 2 * 768 * 768 * 3072 / best_seconds(lambda: a @ b, 20) / 1e9


def best_seconds(work: Callable[[], Any], n_times: int) -> float:
    """Return the shortest of n_times runs."""
    seconds = []
    for _ in range(n_times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def int8_gops() -> float | None:
    """Return how many int8 multiplications and additions, in 10**9 a second, one core does on registers alone.

    None where llvmlite is not installed or the CPU has none of the instructions in INT8.
    """
    level = cpu_level().name
    if level not in INT8 or importlib.util.find_spec("llvmlite") is None:
        return None
    from llvmlite import binding

    instructions, n_accumulators, n_products = INT8[level]
    body = "; ".join(instructions.format(i) for i in range(n_accumulators))
    registers = ",".join(f"~{{xmm{i}}}" for i in (*range(16), *((30, 31) if level == "vnni" else ())))
    begin, end = ("ldtilecfg ($0)", "tilerelease") if level == "amx" else ("", "")
    source = f"""
        define void @work(i64 %n, i64 %shapes) {{
        entry: call void asm sideeffect "{begin}", "r"(i64 %shapes)
               br label %loop
        loop:  %i = phi i64 [0, %entry], [%next, %loop]
               call void asm sideeffect "{body}", "{registers}"()
               %next = add i64 %i, 1
               %again = icmp ult i64 %next, %n
               br i1 %again, label %loop, label %end
        end:   call void asm sideeffect "{end}", ""()
               ret void
        }}"""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten())
    module = binding.parse_assembly(source)
    with binding.create_mcjit_compiler(module, machine) as engine:
        engine.finalize_object()
        work = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(engine.get_function_address("work"))
        seconds = best_seconds(lambda: work(N_STEPS, AMX_SHAPES.ctypes.data), 10)
    return 2 * n_products * n_accumulators * N_STEPS / seconds / 1e9


def measure() -> dict[str, Any]:
    """Return the description; for `common.fresh`, since it confines its process to a core."""
    n_cores, flags, load = available_cores(), cpu_flags(), os.getloadavg()[0]
    blas = [f"{each['internal_api']} {each['version']} {each.get('architecture')}" for each in threadpool_info()
            if each["user_api"] == "blas"]
    confine(1)
    return {
        "cpu": cpu_name(), "cores": n_cores, "load": load, "features": [name for name in FEATURES if name in flags],
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES if importlib.util.find_spec(name)},
        "blas": blas, "sgemm_gflops": sgemm_gflops(), "int8_gops": int8_gops(),
    }


if __name__ == "__main__":
    print(json.dumps(fresh(measure), indent=1))
