"""How nerlite's speed and memory change with the length of a text, and its speed with the size of batches.

    python benchmarks/curves.py

Text length: one document of the sentences of CoNLL-2003, repeated as often as need be, tagged whole by nerlite; the
opponent, onnxruntime in int8, runs the encoder on the pieces of the same overlapping windows, 32 of like length at a
time. Each length and side has a process of its own, whose peak memory is read at its end. Batch size: sentences by
`Tagger.pipe(texts, batch_size=N)`, and by the opponent's encoder in sorted batches of N; the sides take turns. First
the two encoders' word vectors must agree. All cores work.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from common import (
    MODEL,
    Anew,
    conll,
    fresh,
    inputs_of,
    paired,
    parser,
    peak_megabytes,
    piece_encoder,
    sample,
    thread_counts,
    timed,
)
from export import Exports, export
from opponents import OPPONENTS, Batch, Opponent, batches_of, open_opponent
from speed import agreement

import nerlite

LENGTHS = (5_000, 50_000, 500_000, 5_000_000)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
OPPONENT = "onnxruntime-int8"
N_CHECKED = 20_000  # bytes of the document whose word vectors are compared


def document(n_bytes: int) -> str:
    """Return about so many bytes of sentences, a line each."""
    text = "\n".join(" ".join(words) for part in ("test", "valid", "train") for words in conll(part)).encode()
    text = b"\n".join([text] * -(-n_bytes // len(text)))[:n_bytes]
    return text[:text.rindex(b"\n")].decode()


def run_batches(opponent: Opponent, batches: list[Batch]) -> None:
    """Run all batches and keep none of the hidden states."""
    for batch in batches:
        opponent.run(batch)


def by_length(side: str, cache: Path, threads: int, n_bytes: int, at_least: float) -> dict[str, float]:
    """Return one side's words/s of a text, the median of as many times as fill at_least seconds, and its peak MB."""
    text, seconds = document(n_bytes), list[float]()
    if side == "nerlite":
        tagger = nerlite.load(MODEL, threads=threads)
        tagger(text[:5000])
        while sum(seconds) < at_least:
            seconds.append(timed(lambda: tagger(text)))
    else:
        opponent = open_opponent(OPPONENT, Exports(cache), threads, single=False)
        batches = batches_of(inputs_of(text, piece_encoder()), 32)
        run_batches(opponent, batches[-1:])
        while sum(seconds) < at_least:
            seconds.append(timed(lambda: run_batches(opponent, batches)))
    return {"bytes": n_bytes, "words_per_second": len(text.split()) / statistics.median(seconds),
            "peak_mb": peak_megabytes()}


def check(cache: Path) -> dict[str, float]:
    """Return how well the sides agree on the document's beginning; raise where they do not."""
    opponent = open_opponent(OPPONENT, Exports(cache), 1, single=False)
    return agreement(opponent, MODEL, Exports(cache).float32, inputs_of(document(N_CHECKED), piece_encoder()))


def by_batch(cache: Path, threads: int, n_sentences: int, n_pairs: int, with_opponent: bool) -> list[dict[str, float]]:
    """Return both sides' words/s of each batch size, or nerlite's alone."""
    sentences = sample(n_sentences)
    texts, n_words = [each.text for each in sentences], sum(each.n_words for each in sentences)
    anew = Anew(MODEL, threads)
    opponent = open_opponent(OPPONENT, Exports(cache), threads, single=False) if with_opponent else None
    rows = []
    for size in BATCHES:
        batches = batches_of([each for sentence in sentences for each in sentence.inputs], size)

        def ours(size: int = size) -> None:
            for _ in anew.tagger.pipe(texts, batch_size=size):
                pass

        def theirs(batches: list[Batch] = batches) -> None:
            if opponent:
                run_batches(opponent, batches)

        paired(ours, theirs, 1)
        rates = paired(ours, theirs, n_pairs, anew.load).rates(n_words)
        rows.append({"batch": size, **(rates if opponent else {"nerlite": rates["nerlite"]})})
    return rows


def run(cache: Path, lengths: list[int], at_least: float, n_sentences: int, n_pairs: int) -> dict[str, Any]:
    """Measure all, each in a fresh process; without onnxruntime, nerlite alone."""
    missing, threads = OPPONENTS[OPPONENT].missing(), thread_counts()[-1]
    sides = ("nerlite",) if missing else ("nerlite", "opponent")
    result: dict[str, Any] = {"opponent": OPPONENTS[OPPONENT].title, "missing": missing,
                              "length": {side: [] for side in sides}}
    if not missing:
        for model in ("float32", OPPONENTS[OPPONENT].model):
            fresh(export, cache, model)
        result["agreement"] = fresh(check, cache)
    for n_bytes in lengths:
        for side in sides:
            result["length"][side].append(fresh(by_length, side, cache, threads, n_bytes, at_least))
    result["batch"] = fresh(by_batch, cache, threads, n_sentences, n_pairs, not missing)
    return result


def plot(result: dict[str, Any], folder: Path) -> list[str]:
    """Draw length.svg and batch.svg into the folder; return their names, none where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "nerlite"  # the same numbers give the same file
    from matplotlib import pyplot

    names = {"nerlite": "nerlite, text to entities", "opponent": f"{result['opponent']}, encoder only"}
    figure, (speed, memory) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for side, rows in result["length"].items():
        kilobytes = [row["bytes"] / 1000 for row in rows]
        speed.plot(kilobytes, [row["words_per_second"] for row in rows], marker="o", label=names[side])
        memory.plot(kilobytes, [row["peak_mb"] for row in rows], marker="o", label=names[side])
    for axes, label in ((speed, "words/s"), (memory, "peak memory, MB")):
        axes.set(xscale="log", xlabel="KB of one text", ylabel=label, ylim=(0, None))
        axes.legend()
    figure.savefig(folder / "length.svg", metadata={"Date": None})
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for side in result["length"]:
        axes.plot([row["batch"] for row in result["batch"]], [row[side] for row in result["batch"]], marker="o",
                  label=names[side])
    axes.set_xscale("log", base=2)
    axes.set(xlabel="sentences a batch", ylabel="words/s", ylim=(0, None))
    axes.legend()
    figure.savefig(folder / "batch.svg", metadata={"Date": None})
    return ["length.svg", "batch.svg"]


def settings(quick: bool) -> dict[str, Any]:
    """Return the arguments of `run` beside the cache."""
    if quick:
        return {"lengths": list(LENGTHS[:2]), "at_least": 0.5, "n_sentences": 100, "n_pairs": 1}
    return {"lengths": list(LENGTHS), "at_least": 5.0, "n_sentences": 1000, "n_pairs": 3}


def main() -> None:
    """Measure and print."""
    chosen = parser(__doc__).parse_args()
    print(json.dumps(run(chosen.cache, **settings(chosen.quick)), indent=1))


if __name__ == "__main__":
    main()
