"""From the start of a Python process to the first entities of one text, the memory it took, and what is installed.

    python benchmarks/startup.py [--pairs N]

nerlite loads the shipped model and tags; startup_onnxruntime.py tokenizes, runs the same encoder in int8 and takes the
highest numbers. Fresh processes take turns, A B A B …; a process is timed until the line with its answer comes, files
being in the system's cache and all code compiled to bytecode, as pip leaves it. First it is checked that nerlite finds
a person, and that both sides read the same pieces.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import MODEL, ROOT, TUNING, fresh, inputs_of, parser, piece_encoder
from export import Exports, export, pad
from opponents import ONNXRuntimeInt8

TEXT = "My name is John!"
NERLITE = f"""
import json, nerlite
print(json.dumps([[each.text, each.label] for each in nerlite.load()({TEXT!r}).entities]), flush=True)
from pathlib import Path
print(Path("/proc/self/status").read_text())
"""
# What each side needs installed, without what only tokenizers' downloads need.
DEPENDENCIES = {
    "nerlite": ("numpy", "tokenizers", "safetensors"),
    "nerlite with numba": ("numpy", "tokenizers", "safetensors", "numba", "llvmlite"),
    "ONNX Runtime": ("numpy", "tokenizers", "onnxruntime", "flatbuffers", "protobuf", "packaging"),
}


def start(arguments: list[str], environment: dict[str, str]) -> tuple[float, list[Any], float]:
    """Return how many seconds a Python process took to print its answer, that answer, and its peak memory in MB."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("expected a pipe")
        answer = process.stdout.readline()
        seconds = time.perf_counter() - started
        status = process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} failed")
    return seconds, json.loads(answer), int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def measure(cache: Path, n_pairs: int, environment: dict[str, str]) -> dict[str, Any]:
    """Return medians of seconds and MB of both sides and of the pairs' ratios; without onnxruntime, nerlite's alone."""
    sides = {"nerlite": ["-c", NERLITE]}
    if not (missing := ONNXRuntimeInt8.missing()):
        script = str(Path(__file__).with_name("startup_onnxruntime.py"))
        sides["opponent"] = [script, str(Exports(cache).int8), str(MODEL / "tokenizer.json"), TEXT]
    answers = {side: start(arguments, environment)[1] for side, arguments in sides.items()}
    if [label for _, label in answers["nerlite"]] != ["PER"]:
        raise ValueError(f"nerlite found {answers['nerlite']} in {TEXT!r}")
    pieces = pad([inputs_of(TEXT, piece_encoder())[0].piece_ids])[0][0].tolist()
    if not missing and answers["opponent"] != pieces:
        raise ValueError(f"the two sides read different pieces: {pieces} and {answers['opponent']}")
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    megabytes: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(n_pairs):
        for side, arguments in sides.items():
            took, _, peak = start(arguments, environment)
            seconds[side].append(took)
            megabytes[side].append(peak)
    result: dict[str, Any] = {"sizes": sizes(cache), "missing": missing}
    for side in sides:
        result[side] = {"seconds": statistics.median(seconds[side]), "peak_mb": statistics.median(megabytes[side])}
    if not missing:
        result["ratio"] = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
    return result


def sizes(cache: Path) -> dict[str, dict[str, float]]:
    """Return side → what → MB of 10**6 bytes, as it lies on this disk."""
    code, weights = ROOT / "nerlite", sum(size(path) for path in MODEL.iterdir())
    own = {"nerlite": sum(size(path) for path in code.rglob("*") if "__pycache__" not in path.parts), "model": weights}
    models = {"ONNX Runtime": {"model": size(Exports(cache).folder / "int8.onnx") + size(MODEL / "tokenizer.json")}}
    result = {}
    for side, names in DEPENDENCIES.items():
        installed = {name: installed_bytes(name) for name in names}
        parts = {**installed, **models.get(side, own)}
        result[side] = {name: n / 1e6 for name, n in parts.items()} | {"total": sum(parts.values()) / 1e6}
    return result


def installed_bytes(name: str) -> int:
    """Return the size of a distribution's files; 0 if it is not installed."""
    try:
        files = importlib.metadata.files(name) or ()
    except importlib.metadata.PackageNotFoundError:
        return 0
    return sum(size(Path(str(file.locate()))) for file in files)


def size(path: Path) -> int:
    """Return a file's bytes; 0 if it is none."""
    return path.stat().st_size if path.is_file() else 0


def run(cache: Path, n_pairs: int) -> dict[str, Any]:
    """Measure, from an environment without tuning variables."""
    if not ONNXRuntimeInt8.missing():
        fresh(export, cache, "int8")
    compileall.compile_dir(ROOT / "nerlite", quiet=1)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(TUNING)}
    return measure(cache, n_pairs, environment)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--pairs", type=int)
    chosen = options.parse_args()
    print(json.dumps(run(chosen.cache, chosen.pairs or (3 if chosen.quick else 15)), indent=1))


if __name__ == "__main__":
    main()
