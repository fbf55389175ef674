"""nerlite's int8 against ONNX Runtime's on this machine, but as on older CPUs: `speed.py` without their newer features.

    python benchmarks/levels.py [--quick]

Both sides choose their code by what CPUID says, which hide_features.c answers for the levels below this CPU's. Clock
and caches stay this CPU's own. It takes Linux on x86-64, a CPU that lets CPUID fault (elsewhere nothing is measured)
and a C compiler, `cc`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import speed
from common import parser, thread_counts
from machine import cpu_flags

from nerlite.ops.cpu import LEVELS, cpu_level

OLDER = ("vnni", "avx2")
OPPONENT = "onnxruntime-int8"


def run(cache: Path, n_sentences: int, n_pairs: int) -> dict[str, Any]:
    """Return "rows": what `speed.run` does, and each one's level, for all numbers of threads."""
    names, library = list(LEVELS), cache / "hide_features.so"
    older = [level for level in OLDER if names.index(level) < names.index(cpu_level().name)]
    if not older or "cpuid_fault" not in cpu_flags():
        return {"rows": []}
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("hide_features.c")],
                   check=True)
    before = dict(os.environ)
    rows: list[dict[str, Any]] = []
    try:
        for level in older:
            os.environ |= {"LD_PRELOAD": str(library), "NERLITE_CPU_LEVEL": level}  # for processes that follow
            rows += [{"level": level, **speed.run(OPPONENT, cache, threads, n_sentences, n_pairs)}
                     for threads in thread_counts()]
    finally:
        os.environ.clear()
        os.environ.update(before)
    return {"rows": rows}


def main() -> None:
    """Measure and print."""
    chosen = parser(__doc__).parse_args()
    print(json.dumps(run(chosen.cache, *speed.settings(chosen.quick)), indent=1))


if __name__ == "__main__":
    main()
