"""The parts of the network: how fast each is on one core, and how near to what the core can do.

    python benchmarks/kernels.py

The shipped model's layers, on some 512 pieces or words at a time, all of random content. An operation is a
multiplication or an addition of the products of matrices alone, however they are done; what normalizes, exponentiates
and rounds comes on top and counts for nothing. So the share of the peak (`machine.py`: float32 of OpenBLAS, int8 of
bare instructions) is that of the whole part. Before it is timed, each part must give what the NumPy reference gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import MODEL, confine, fresh, parser
from export import Exports, export
from machine import best_seconds, int8_gops, sgemm_gflops

from nerlite.backends import load_ops
from nerlite.batch import offsets_of
from nerlite.config import read_config
from nerlite.network.model import Network
from nerlite.weights import read_tensors

N_ROWS = 512
LENGTHS = (8, 32, 128, 256)
WORD_LENGTH = 24  # of the sentences that words stand in
TOLERANCE = 2e-3


class Part(NamedTuple):
    """A part of the network on some input.

    unit: what it works on, n of it; operations: of its matrix products; peak: whose they are, "float32" or "int8".
    """

    name: str
    unit: str
    n: int
    operations: int
    peak: str | None
    work: Callable[[Any], np.ndarray]


def parts(model: Path) -> Iterator[Part]:
    """Yield the parts of a model."""
    config, rng = read_config(model / "config.json"), np.random.default_rng(0)
    encoder, context = config.encoder, config.context
    d, inner = encoder.hidden_size, encoder.intermediate_size
    for length in LENGTHS:
        n_seqs = N_ROWS // length
        ids = rng.integers(0, encoder.vocab_size, N_ROWS)
        inputs = ids, np.tile(np.arange(length), n_seqs), offsets_of([length] * n_seqs), np.arange(N_ROWS)
        a_layer = 2 * N_ROWS * (4 * d * d + 2 * d * inner) + 4 * N_ROWS * length * d
        yield Part(f"encoder, {config.dtype}, sequences of {length}", "pieces", N_ROWS,
                   a_layer * encoder.num_hidden_layers, config.dtype,
                   partial(encode, inputs))
    if config.dtype == "int8" and context and config.chars:
        yield from head_parts(model, rng)


def encode(inputs: tuple[np.ndarray, ...], network: Any) -> np.ndarray:
    """Return the hidden states of all pieces."""
    hidden: np.ndarray = network.encoder(*inputs, inputs[2])
    return hidden


def head_parts(model: Path, rng: np.random.Generator) -> Iterator[Part]:
    """Yield the parts that follow the encoder; the context network's products are int8, as the encoder's are."""
    config = read_config(model / "config.json")
    context, chars, n = config.context, config.chars, N_ROWS // WORD_LENGTH * WORD_LENGTH
    if not context or not chars:
        return
    offsets = offsets_of([WORD_LENGTH] * (n // WORD_LENGTH))
    words = ["".join(rng.choice(list(chars.alphabet), size)) for size in rng.integers(1, 11, n)]
    vectors = rng.standard_normal((n, config.encoder.hidden_size), np.float32)
    features = rng.standard_normal((n, chars.feature_size), np.float32)
    emissions = 3 * rng.standard_normal((n, len(config.tags)), np.float32)
    dense, hidden = context.dense_size, context.lstm_hidden_size
    of_context = 2 * n * (config.features_size * dense + 2 * context.num_layers * (dense + hidden) * 4 * hidden)
    yield Part("characters: CNN and BiLSTM", "words", n, 0, None, lambda network: network.chars(words, offsets))
    yield Part("head: dense, BiLSTM, scores", "words", n, of_context, config.dtype,
               lambda network: network.head(features, vectors, offsets))
    yield Part("Viterbi", "words", n, 0, None, lambda network: network.crf.tags(emissions, offsets))
    yield Part("entities and their probabilities", "words", n, 0, None,
               lambda network: np.concatenate([np.zeros(1), *network.crf.decode(emissions, offsets).scores]))


def build(model: Path, backend: str) -> Network:
    """Return the network by a backend."""
    config = read_config(model / "config.json")
    return Network(load_ops(backend), read_tensors(config, model / "model.safetensors"), config)


def measure(cache: Path, n_times: int) -> dict[str, Any]:
    """Return each part's rate; for `common.fresh`."""
    confine(1)
    peaks = {"float32": sgemm_gflops(), "int8": int8_gops()}
    rows = []
    for model in (MODEL, Exports(cache).float32):
        network, reference = build(model, "auto"), build(model, "numpy")
        for part in parts(model):
            difference = float(np.abs(part.work(network) - part.work(reference)).max())
            if difference > TOLERANCE:
                raise ValueError(f"{part.name}: backends differ by {difference}")
            seconds = best_seconds(partial(part.work, network), n_times)
            gops = part.operations / seconds / 1e9 or None
            peak = peaks[part.peak] if part.peak else None
            rows.append({"part": part.name, "unit": part.unit, "microseconds": seconds / part.n * 1e6, "gops": gops,
                         "share": gops / peak if gops and peak else None, "difference": difference})
    return {"peaks": peaks, "parts": rows}


def run(cache: Path, n_times: int) -> dict[str, Any]:
    """Measure in a fresh process."""
    fresh(export, cache, "float32")
    return fresh(measure, cache, n_times)


def main() -> None:
    """Measure and print."""
    chosen = parser(__doc__).parse_args()
    print(json.dumps(run(chosen.cache, 5 if chosen.quick else 50), indent=1))


if __name__ == "__main__":
    main()
