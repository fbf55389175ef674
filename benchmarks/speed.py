"""nerlite against one library: words/s of batches and of one sentence at a time.

    python benchmarks/speed.py [OPPONENT ...] [--threads N ...] [--sentences N] [--pairs N]

Sentences are of CoNLL-2003 test, spread evenly over it. nerlite gets texts and returns entities (`Tagger.pipe`, and the
tagger itself on one text); the opponent gets piece ids and returns the encoder's hidden states, nothing else: sentences
of like length padded together, 32 a batch, or one after another without padding. Words are counted as CoNLL has them,
for both. The two sides take turns, A B A B …, in a process that is kept on as many cores as there are threads.

Before that both sides read all sentences once, and the vectors of the words' first pieces must agree: in float32 each
number to 0.001; in int8 those of either by their mean cosine with nerlite's float32 (`Opponent.min_cosine`).
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    MODEL,
    Anew,
    Pairs,
    Sentence,
    confine,
    fresh,
    paired,
    parser,
    sample,
    thread_counts,
    word_vectors,
)
from export import Exports, export
from opponents import OPPONENTS, Batch, Opponent, batches_of, open_opponent

from nerlite.batch import Input

BATCH = 32
MAX_DIFFERENCE = 1e-3


def opponent_vectors(opponent: Opponent, inputs: list[Input]) -> np.ndarray:
    """Return what the opponent makes of the words of all inputs, (n_words, hidden)."""
    batches = batches_of(inputs, BATCH)
    vectors: dict[int, np.ndarray] = {}
    for batch, hidden in zip(batches, opponent.run_all(batches), strict=True):
        for row, index in enumerate(batch.order):
            vectors[index] = hidden[row, inputs[index].first_pieces]
    return np.concatenate([vectors[i] for i in range(len(inputs))])


def mean_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean of the rows' cosines; a, b: (n, d)."""
    return float(np.mean((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))


def agreement(opponent: Opponent, model: Path, float32: Path, inputs: list[Input]) -> dict[str, float]:
    """Return how near the two encoders are to each other and, by cosine, to nerlite's float32; raise where too far."""
    ours, theirs = word_vectors(model, inputs), opponent_vectors(opponent, inputs)
    numbers = {"max_difference": float(np.abs(ours - theirs).max()), "cosine": mean_cosine(ours, theirs)}
    if opponent.dtype == "int8":
        reference = word_vectors(float32, inputs)
        numbers |= {"nerlite_to_float32": mean_cosine(ours, reference),
                    "opponent_to_float32": mean_cosine(theirs, reference)}
        agree = min(numbers["nerlite_to_float32"], numbers["opponent_to_float32"]) >= opponent.min_cosine
    else:
        agree = numbers["max_difference"] <= MAX_DIFFERENCE
    if not agree:
        raise ValueError(f"{opponent.title} and nerlite do not compute the same: {numbers}")
    return numbers


def measure(name: str, cache: Path, threads: int, n_sentences: int, n_pairs: int) -> dict[str, Any]:
    """Check, then time, one opponent; for `common.fresh`."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    confine(threads)
    exports, sentences = Exports(cache), sample(n_sentences)
    model = MODEL if OPPONENTS[name].dtype == "int8" else exports.float32
    texts, n_words = [each.text for each in sentences], sum(each.n_words for each in sentences)
    inputs = [each for sentence in sentences for each in sentence.inputs]
    anew, batches = Anew(model, threads), batches_of(inputs, BATCH)
    opponent = open_opponent(name, exports, threads, single=False)
    numbers = agreement(opponent, model, exports.float32, inputs)
    batched = paired(lambda: list(anew.tagger.pipe(texts)), lambda: opponent.run_all(batches), n_pairs, anew.load)
    single = one_at_a_time(anew, open_opponent(name, exports, threads, single=True), sentences, n_pairs)
    return {"opponent": name, "title": opponent.title, "dtype": opponent.dtype, "threads": threads,
            "agreement": numbers, "batched": batched.rates(n_words), "single": single, "words": n_words}


def one_at_a_time(anew: Anew, opponent: Opponent, sentences: Sequence[Sentence],
                  n_pairs: int) -> dict[str, Any]:
    """Return both sides' rates and milliseconds a sentence.

    Those are the median and the 99th percentile over sentences and rounds, most of whose spread is the sentences'
    length, and "jitter": the 99th percentile of a sentence's time over the median of its own times.
    """
    milliseconds: dict[str, list[float]] = {"nerlite": [], "opponent": []}
    work: list[tuple[str, list[Batch]]] = [(each.text, batches_of(each.inputs, 1)) for each in sentences]

    def ours() -> None:
        tagger = anew.tagger
        for text, _ in work:
            started = time.perf_counter()
            tagger(text)
            milliseconds["nerlite"].append((time.perf_counter() - started) * 1000)

    def theirs() -> None:
        for _, batches in work:
            started = time.perf_counter()
            for batch in batches:
                opponent.run(batch)
            milliseconds["opponent"].append((time.perf_counter() - started) * 1000)

    paired(ours, theirs, 1)  # the libraries see each length once
    for each in milliseconds.values():
        each.clear()
    pairs: Pairs = paired(ours, theirs, n_pairs, anew.load)
    result: dict[str, Any] = pairs.rates(sum(each.n_words for each in sentences))
    for side, each in milliseconds.items():
        p50, p99 = np.percentile(each, (50, 99)).tolist()
        rounds = np.reshape(each, (n_pairs, -1))
        jitter = float(np.percentile(rounds / np.median(rounds, axis=0), 99))
        result[f"{side}_ms"] = {"p50": p50, "p99": p99, "jitter": jitter}
    return result


def run(name: str, cache: Path, threads: int, n_sentences: int, n_pairs: int) -> dict[str, Any]:
    """Measure in a fresh process, or tell which packages are missing."""
    if missing := OPPONENTS[name].missing():
        return {"opponent": name, "title": OPPONENTS[name].title, "missing": missing}
    for model in ("float32", OPPONENTS[name].model):
        fresh(export, cache, model)
    return fresh(measure, name, cache, threads, n_sentences, n_pairs)


def settings(quick: bool) -> tuple[int, int]:
    """Return how many sentences and pairs to time."""
    return (150, 2) if quick else (500, 5)


def main() -> None:
    """Measure the opponents that are named, and print each one's numbers."""
    options = parser(__doc__)
    options.add_argument("opponents", nargs="*", default=list(OPPONENTS), metavar="OPPONENT",
                         help=f"of {', '.join(OPPONENTS)} (default: all)")
    options.add_argument("--threads", type=int, nargs="+", default=thread_counts())
    options.add_argument("--sentences", type=int)
    options.add_argument("--pairs", type=int)
    chosen = options.parse_args()
    n_sentences, n_pairs = settings(chosen.quick)
    for name in chosen.opponents:
        for threads in chosen.threads:
            print(json.dumps(run(name, chosen.cache, threads, chosen.sentences or n_sentences,
                                 chosen.pairs or n_pairs), indent=1))


if __name__ == "__main__":
    main()
