"""What every benchmark shares: the sentences, paired timing, fresh processes, and how much memory one took."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

import nerlite
from nerlite.backends import load_ops
from nerlite.batch import Input, make_batch
from nerlite.config import read_config
from nerlite.cores import available_cores
from nerlite.io.conll import read_tagged
from nerlite.network.model import Network
from nerlite.pieces import PieceEncoder
from nerlite.rules import Reading
from nerlite.text import split_words
from nerlite.weights import read_tensors

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "weights" / "english-minilm-l6"
DATA = Path(os.environ.get("NERLITE_DATA", ROOT.parent / "shared" / "data"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME", tempfile.gettempdir())) / "nerlite-benchmarks"
# Variables that change a library's kernels or threads; a fresh process starts without them.
TUNING = ("OPENBLAS_", "OMP_", "MKL_", "KMP_", "NUMBA_NUM_THREADS")
# Seconds between two sides: a pool that spins while it waits for more work (OpenMP's 0.2 s) has gone to sleep.
REST = 0.3

P = ParamSpec("P")
R = TypeVar("R")


class Sentence(NamedTuple):
    """A sentence of CoNLL-2003 as both sides get it.

    text: its words joined by spaces, for nerlite; n_words: how many those are, what both sides' rates count;
    inputs: what nerlite's encoder reads of that text, and so what an opponent gets.
    """

    text: str
    n_words: int
    inputs: list[Input]


class Pairs(NamedTuple):
    """Seconds of A, nerlite, and of B, the opponent, taking turns."""

    a: list[float]
    b: list[float]

    def rates(self, n_words: int) -> dict[str, float]:
        """Return both sides' median words/s and the median of the pairs' ratios (above 1: nerlite is faster)."""
        return {"nerlite": n_words / statistics.median(self.a), "opponent": n_words / statistics.median(self.b),
                "ratio": statistics.median(b / a for a, b in zip(self.a, self.b, strict=True))}


def conll(part: str) -> list[list[str]]:
    """Return the sentences of CoNLL-2003's "train", "valid" or "test" as words."""
    lines = (DATA / "conll2003" / f"{part}.txt").read_text(encoding="utf-8").split("\n")
    return [sentence.words for document in read_tagged(lines, part) for sentence in document]


def sample(n: int, part: str = "test") -> list[Sentence]:
    """Return n sentences, spread evenly over the part."""
    words = conll(part)
    encoder = piece_encoder()
    chosen = [words[i * len(words) // n] for i in range(min(n, len(words)))]
    return [Sentence(" ".join(each), len(each), inputs_of(" ".join(each), encoder)) for each in chosen]


def piece_encoder() -> PieceEncoder:
    """Return the shipped model's."""
    config = read_config(MODEL / "config.json")
    return PieceEncoder(MODEL / "tokenizer.json", config.window, config.encoder.vocab_size, breaks=config.breaks,
                        shapes=config.shapes)


def inputs_of(text: str, encoder: PieceEncoder) -> list[Input]:
    """Return the windows that nerlite reads of a text, as a tagger makes them."""
    words = split_words(text)
    forms = words.read.forms
    pieces = encoder.encode(forms, words.read.breaks)
    return list(Reading(words, forms, pieces, encoder.windows(pieces.offsets), [], np.empty(0, np.uint8),
                        encoder.cls_id, encoder.sep_id).sequences)


def word_vectors(model: Path, inputs: list[Input]) -> np.ndarray:
    """Return what nerlite's encoder makes of the words of all inputs, (n_words, hidden)."""
    config = read_config(model / "config.json")
    network = Network(load_ops("auto"), read_tensors(config, model / "model.safetensors"), config)
    vectors = []
    for start in range(0, len(inputs), 32):
        batch = make_batch(inputs[start:start + 32])
        vectors.append(network.encoder(batch.piece_ids, batch.positions, batch.piece_offsets, batch.first_pieces,
                                       batch.word_offsets).copy())
    return np.concatenate(vectors)


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that the work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(a: Callable[[], Any], b: Callable[[], Any], n_pairs: int,
           before: Callable[[], Any] = lambda: None) -> Pairs:
    """Time A B A B …, with rests in between; `before` each pair, untimed.

    What is there before is kept from Python's garbage collector, which would else search the benchmark's own sentences
    and the other side's modules whenever one side makes objects.
    """
    gc.collect()
    gc.freeze()
    pairs = Pairs([], [])
    for _ in range(n_pairs):
        before()
        for work, seconds in ((a, pairs.a), (b, pairs.b)):
            time.sleep(REST)
            seconds.append(timed(work))
    return pairs


class Anew:
    """A tagger that is loaded anew before each round, so that it remembers no words of the round before."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model."""
        self._model, self._threads = model, threads
        self.load()

    def load(self) -> None:
        """Load, and tag some sentences of CoNLL-2003 train, for threads to be there and memory to be warm."""
        self.tagger = nerlite.load(self._model, threads=self._threads)
        for _ in self.tagger.pipe(" ".join(words) for words in conll("train")[:64]):
            pass


def confine(n_cores: int) -> None:
    """Keep this process on n_cores of its cores, so that no library uses more threads than were asked for."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_cores])


def fresh(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a module's function in a new process without tuning variables; its death raises BrokenProcessPool."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(TUNING)}
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(function, *args, **kwargs).result()
    finally:
        os.environ.update(kept)


def peak_megabytes() -> float:
    """Return the most memory that this process has had, in MB of 10**6 bytes (Linux; elsewhere NaN).

    Not `ru_maxrss`: in a child that counts what its parent had when it was started.
    """
    status = Path("/proc/self/status")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6 if status.exists() else float("nan")


def thread_counts() -> list[int]:
    """Return 1 and all cores that this process may use."""
    return sorted({1, available_cores()})


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all parts have."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help=f"folder of exported models (default: {CACHE})")
    options.add_argument("--quick", action="store_true", help="few sentences and pairs: does it run, not how fast")
    return options
