"""How many instructions an ARM CPU runs for a piece in the int8 encoder: nerlite's, and ONNX Runtime's. No times.

    python tools/build_kernels.py --target linux-aarch64
    python tools/arm_machine.py ARM onnxruntime
    python benchmarks/instructions.py ARM [--onnx INT8.ONNX] [--cpu "max,sve=off,sme=off"]

ARM is the emulated machine's folder; INT8.ONNX is what `export.py` makes, without which nerlite's alone are counted.
Both sides take the same pieces, 128 of them in sequences of each length, on one thread. It takes a C compiler, `cc`,
and qemu with plugins, `qemu-aarch64` (Debian's qemu-user). The CPUs are by default Graviton 2's, and one with products
of int8 matrices: as Apple's M2, which has no SVE.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "weights" / "english-minilm-l6"
CPUS = ("neoverse-n1", "max,sve=off,sme=off")
LENGTHS, N_PIECES = (8, 32, 128), 128
MARK = 0x6E65726C  # of count_instructions.c
# ONNX Runtime asks this file which CPU it is on, and finds the emulating machine's in its place.
CPUINFO = "processor: 0\nFeatures: fp asimd asimddp\nCPU implementer: 0x41\nCPU architecture: 8\nCPU part: 0xd0c\n"


def count(arm: Path, cpu: str, *arguments: str) -> list[int]:
    """Return the instructions of a piece, for each of LENGTHS, that `run` ran as the arguments say, on a CPU."""
    root = arm.resolve() / "root"
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(CPUINFO)
    python = next(root.glob("usr/bin/python3.*"))
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder, "count_instructions.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", plugin, Path(__file__).with_suffix(".c").with_stem(
            "count_instructions")], check=True)
        done = subprocess.run(["qemu-aarch64", "-cpu", cpu, "-plugin", plugin, "-L", root, python, __file__, "--run",
                               *arguments], check=True, stderr=subprocess.PIPE, text=True,
                              env=os.environ | {"PYTHONPATH": f"{arm.resolve() / 'site'}:{ROOT}"})
    # The first count of two is of what came before.
    return [int(each) // N_PIECES for each in re.findall(r"instructions (\d+)", done.stderr)[1::2]]


def run(onnx: str = "") -> None:
    """Take all pieces through an encoder, marked for the plugin: on the emulated machine."""
    rng, encode = np.random.default_rng(0), _onnxruntime(onnx) if onnx else _nerlite()
    mark = ctypes.CDLL(None).prctl
    for length in LENGTHS:
        ids = rng.integers(0, 30_000, (N_PIECES // length, length))
        encode(ids)
        mark(MARK)
        encode(ids)
        mark(MARK)


def _nerlite() -> Callable[[np.ndarray], Any]:
    from nerlite.backends import load_ops
    from nerlite.batch import offsets_of
    from nerlite.config import read_config
    from nerlite.network.model import Network
    from nerlite.weights import read_tensors

    config = read_config(MODEL / "config.json")
    encoder = Network(load_ops("native"), read_tensors(config, MODEL / "model.safetensors"), config).encoder

    def encode(ids: np.ndarray) -> Any:
        offsets = offsets_of([ids.shape[1]] * len(ids))
        positions = np.tile(np.arange(ids.shape[1]), len(ids))
        return encoder(ids.reshape(-1), positions, offsets, np.arange(ids.size), offsets)

    return encode


def _onnxruntime(model: str) -> Callable[[np.ndarray], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda ids: session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids),
                                          "token_type_ids": np.zeros_like(ids)})


def main() -> None:
    """Count and print."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arm", type=Path, metavar="ARM")
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--cpu", nargs="+", default=CPUS, help="as qemu names it")
    chosen = parser.parse_args()
    for cpu in chosen.cpu:
        ours = count(chosen.arm, cpu)
        theirs = count(chosen.arm, cpu, str(chosen.onnx.resolve())) if chosen.onnx else []
        for i, length in enumerate(LENGTHS):
            print(f"{cpu}, sequences of {length}: {ours[i]:,} instructions a piece"
                  + (f", ONNX Runtime {theirs[i]:,}: {ours[i] / theirs[i]:.2f} of it" if theirs else ""), flush=True)


if __name__ == "__main__":
    run(*sys.argv[2:]) if sys.argv[1:2] == ["--run"] else main()
