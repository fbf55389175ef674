"""nerlite on a model of the size of Spark NLP's published pair, beside what Spark NLP itself needed.

    python benchmarks/sparknlp.py [--data DIR] [--sentences N]

Makes a 768-wide, 6-layer encoder with the head of Spark NLP's 768-wide graph, random weights, as a converted model
directory, and tags CoNLL-2003 test with it by Spark NLP's rules: text in, entities out, one document a sentence.
It prints this machine's sgemm rate, for Spark NLP's own words/s were measured on a machine with 102 GFLOP/s a core.
Before it times a dtype it checks that both backends give the same tags and that a batch gives what single texts do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import numpy as np
from machine import sgemm_gflops

import nerlite
from nerlite.config import (
    CharCNNConfig,
    CharLSTMConfig,
    CharsConfig,
    Config,
    ContextConfig,
    EncoderConfig,
    SparkNLPConfig,
    write_config,
)
from nerlite.io.conll import read_tagged
from nerlite.tags import tag_names
from nerlite.weights import expected_tensors, stored_as, write_tensors

ROOT = Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "weights" / "english-minilm-l6" / "tokenizer.json"
# Spark NLP 3.2.1, 768-wide pair, CoNLL test, Zen 4 at 102 GFLOP/s a core: words/s of a data frame by threads,
# and of one sentence at a time on one; seconds from start to first entities.
SPARK_DATA_FRAME, SPARK_SINGLE, SPARK_GFLOPS = {1: 383, 2: 596}, 306, 102
ROUNDS = 3


def config_of(dtype: Literal["float32", "int8"]) -> Config:
    """Return the published pair's shape (its vocabulary is another: an uncased one of about the same length)."""
    return Config(
        name="spark-768", dtype=dtype, window=128, crf_boundaries=False,
        encoder=EncoderConfig(30522, 768, 6, 12, 3072, 512),
        tags=(*tag_names(("LOC", "MISC", "ORG", "PER"), "IOB2"), "<unused-9>"),
        chars=CharsConfig(tuple(map(chr, range(33, 127))), "utf16", CharCNNConfig(25, 30, "longest"),
                          CharLSTMConfig(25, 30, "hard_sigmoid")),
        context=ContextConfig(256, 3, 128, cell="peephole"),
        sparknlp=SparkNLPConfig(case_sensitive=False, include_confidence=True))


def make_model(dtype: Literal["float32", "int8"], path: Path) -> None:
    """Write a model directory of random weights that keep activations near 1."""
    rng, config = np.random.default_rng(0), config_of(dtype)
    tensors = {}
    for name, (shape, _) in expected_tensors(config._replace(dtype="float32")).items():
        tensors[name] = rng.standard_normal(shape, np.float32)
        if name.endswith("_norm.weight"):
            tensors[name] = np.ones(shape, np.float32)
        elif len(shape) == 2 and "embeddings" not in name:
            tensors[name] *= np.float32(shape[0] ** -0.5)
    path.mkdir()
    write_config(config, path / "config.json")
    write_tensors(config, stored_as(config, tensors), path / "model.safetensors")
    shutil.copy(TOKENIZER, path / "tokenizer.json")


def start_up(path: Path, texts: list[str], threads: int) -> tuple[float, float]:
    """Return seconds from a process' start to its end, first entities and the texts in between, and its peak MB."""
    code = (f"import json, pathlib, sys, nerlite; ner = nerlite.load({str(path)!r}, threads={threads}); "
            "ner('My name is John!').entities; [0 for _ in ner.pipe(json.load(sys.stdin))]; "
            "print(int(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1000)")
    started = time.perf_counter()
    peak = subprocess.run([sys.executable, "-c", code], input=json.dumps(texts), capture_output=True, check=True,
                          text=True).stdout
    return time.perf_counter() - started, float(peak)


def check(path: Path, texts: list[str]) -> None:
    """Raise where backends or batches disagree."""
    documents = list(nerlite.load(path).pipe(texts))
    for other in (nerlite.load(path, backend="numpy").pipe(texts), map(nerlite.load(path), texts)):
        if any(one.tags != two.tags for one, two in zip(documents, other, strict=True)):
            raise SystemExit(f"{path}: backends or batches disagree")


def words_per_second(tagger: nerlite.Tagger, texts: list[str], *, single: bool) -> float:
    """Return the median rate of a few rounds over all texts, together or one at a time."""
    rates = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        documents = [tagger(text) for text in texts] if single else list(tagger.pipe(texts))
        rates.append(sum(len(document.words) for document in documents) / (time.perf_counter() - started))
    return statistics.median(rates)


def main() -> None:
    """Make the model, check it, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NERLITE_DATA", ROOT.parent / "shared/data")))
    parser.add_argument("--sentences", type=int, default=1000)
    options = parser.parse_args()
    with (options.data / "conll2003" / "test.txt").open(encoding="utf-8") as lines:
        sentences = [" ".join(sentence.words) for document in read_tagged(lines, "test.txt") for sentence in document]
    texts = sentences[:options.sentences]
    gflops = sgemm_gflops()
    scale = gflops / SPARK_GFLOPS
    print(f"sgemm: {gflops:.0f} GFLOP/s a core; Spark NLP's rates are scaled by {scale:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        for dtype in ("float32", "int8"):
            path = Path(folder) / dtype
            make_model(dtype, path)
            check(path, texts[:40])
            start_up(path, [], 1)  # leaves the kernels in the cache
            seconds, megabytes = zip(*(start_up(path, [], 1) for _ in range(ROUNDS)), strict=True)
            print(f"{dtype}: first entities after {statistics.median(seconds):.2f} s, "
                  f"peak memory {statistics.median(megabytes):.0f} MB, {start_up(path, texts, 2)[1]:.0f} MB after "
                  f"{len(texts)} sentences on 2 threads")
            for threads, spark in SPARK_DATA_FRAME.items():
                rate = words_per_second(nerlite.load(path, threads=threads), texts, single=False)
                print(f"{dtype}: {threads} threads, batches: {rate:.0f} words/s, "
                      f"{rate / spark / scale:.1f} x Spark NLP")
            rate = words_per_second(nerlite.load(path, threads=1), texts, single=True)
            print(f"{dtype}: 1 thread, one at a time: {rate:.0f} words/s, "
                  f"{rate / SPARK_SINGLE / scale:.1f} x Spark NLP")


if __name__ == "__main__":
    main()
