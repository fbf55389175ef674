"""The engine against torch and transformers, stage by stage, by the files that tools/golden.py wrote.

The largest error of each stage: pytest tests/test_golden.py --log-cli-level=INFO
"""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from heads import stages_of

from nerlite.batch import Input, make_batch
from nerlite.config import Config, read_config
from nerlite.network.model import Network
from nerlite.network.parameters import encoder_parameters, head_parameters, linear_parameters
from nerlite.ops import numpy_ops
from nerlite.ops.numpy_crf import forward_backward
from nerlite.pieces import PieceEncoder
from nerlite.weights import read_tensors

GOLDEN = Path(__file__).parent / "golden"
ENCODERS = ("distilbert-cased", "bert-uncased", "bert-encoder")
TAGGERS = ("tagger", "tagger-plain")
LARGEST_ERROR = 1e-4

log = logging.getLogger(__name__)


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder_computes_what_transformers_does(ops, name):
    config, tensors, golden = load(name)
    offsets = golden["piece_offsets"]
    positions = np.concatenate([np.arange(n) for n in np.diff(offsets)])
    everything, stages = np.arange(len(positions)), {}
    n_layers = config.encoder.num_hidden_layers
    for n in range(n_layers + 1):
        encoder = ops.EncoderLayers(encoder_parameters(tensors, config.encoder._replace(num_hidden_layers=n)))
        x = encoder(golden["piece_ids"].astype(np.int64), positions, offsets, everything, offsets)
        stages[f"layer_{n - 1}" if n else "embeddings"] = x
    if config.tags:
        logits = numpy_ops.Linear(linear_parameters(tensors, "emissions.weight", "emissions.bias"))
        stages["logits"] = logits(x, offsets)
    check(f"{ops.name} {name}", stages, golden)
    assert n_layers == sum(key.startswith("layer_") for key in golden)
    assert ("logits" in golden) == bool(config.tags)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("name", ENCODERS)
def test_each_sequence_alone_gives_the_bits_it_has_in_the_batch(ops, name, step):
    config, tensors, golden = load(name)
    offsets, ids = golden["piece_offsets"], golden["piece_ids"].astype(np.int64)
    positions = np.concatenate([np.arange(n) for n in np.diff(offsets)])
    rows = [np.arange(0, n, step) for n in np.diff(offsets)]  # what is asked of each sequence
    row_offsets = np.cumsum([0, *map(len, rows)])
    asked = np.concatenate([start + some for start, some in zip(offsets, rows, strict=False)])
    encoder = ops.EncoderLayers(encoder_parameters(tensors, config.encoder))
    batch = encoder(ids, positions, offsets, asked, row_offsets)
    last = golden[f"layer_{config.encoder.num_hidden_layers - 1}"]
    assert np.abs(batch - last[asked]).max() < LARGEST_ERROR
    for i, (start, stop) in enumerate(pairwise(offsets)):
        alone = encoder(ids[start:stop], positions[start:stop], np.array([0, stop - start]), rows[i],
                        np.array([0, len(rows[i])]))
        assert np.array_equal(alone, batch[row_offsets[i]:row_offsets[i + 1]])


@pytest.mark.parametrize("name", ENCODERS + TAGGERS)
def test_pieces_are_those_of_transformers(name):
    config, _, golden = load(name)
    encoder = PieceEncoder(GOLDEN / name / "tokenizer.json", config.window)
    ids, owners = golden["sentence_ids"], golden["sentence_words"]
    for words, first in sentences(golden):
        pieces = encoder.encode(words)
        for i in range(len(words)):
            expected = ids[owners == first + i]  # the engine gives [UNK] to a word that has none
            assert (pieces.ids[pieces.offsets[i]:pieces.offsets[i + 1]].tolist()
                    == (expected.tolist() or [encoder._unk_id])), words[i]


@pytest.mark.parametrize("name", TAGGERS)
def test_head_computes_what_torch_does(ops, name):
    config, tensors, golden = load(name)
    network = Network(ops, tensors, config)
    batch = batch_of(name, config, golden)
    offsets = batch.word_offsets
    vectors = network.encoder(batch.piece_ids, batch.positions, batch.piece_offsets, batch.first_pieces, offsets)
    chars = network.chars(batch.words, offsets)
    n_filters = config.chars.cnn.num_filters
    stages = {"char_cnn": chars[:, :n_filters], "char_lstm": chars[:, n_filters:]}
    if config.chars.lstm is None:
        assert stages.pop("char_lstm").shape[1] == 0
    dense, *context = stages_of(ops, head_parameters(tensors, config), chars, vectors, offsets)
    stages |= {"dense": dense} | {f"context_{i}": layer for i, layer in enumerate(context)}
    np.testing.assert_array_equal(network.head(chars, vectors, offsets), network.emissions(batch))
    stages["emissions"] = network.emissions(batch)
    check(f"{ops.name} {name}", stages, golden)


@pytest.mark.parametrize("name", TAGGERS)
def test_crf_agrees_with_enumeration(ops, name):
    config, tensors, golden = load(name)
    offsets, emissions = golden["word_offsets"], golden["emissions"]
    network = Network(ops, tensors, config)
    n_tags = len(config.tags)
    start, end = (tensors.get(f"crf.{key}_transitions", np.zeros(n_tags, np.float32)) for key in ("start", "end"))
    alpha, beta, log_partition = forward_backward(emissions, offsets, start, tensors["crf.transitions"], end)
    totals = np.repeat(log_partition, np.diff(offsets))[:, None]
    stages = {"log_partition": log_partition, "marginals": np.exp(alpha + beta - totals)}
    decoded = network.crf.decode(emissions, offsets)
    assert np.array_equal(decoded.tags, golden["best"])
    found = [(sentence, *span) for sentence, spans in enumerate(decoded.spans) for span in spans]
    assert found == [(*map(int, span), str(label))
                     for span, label in zip(golden["spans"], golden["span_labels"], strict=True)]
    stages["span_scores"] = np.array([score for scores in decoded.scores for score in scores])
    check(f"{ops.name} {name}", stages, golden)


@pytest.mark.parametrize("name", TAGGERS)
def test_tags_from_words_are_those_of_torch(ops, name):
    config, tensors, golden = load(name)
    network = Network(ops, tensors, config)
    batch = batch_of(name, config, golden)
    decoded = network.crf.decode(network.emissions(batch), batch.word_offsets)
    assert np.array_equal(decoded.tags, golden["best"])
    assert np.allclose([score for scores in decoded.scores for score in scores], golden["span_scores"], atol=1e-4)


def load(name: str) -> tuple[Config, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return a golden model's config and tensors, and what was computed with them."""
    config = read_config(GOLDEN / name / "config.json")
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        return config, read_tensors(config, GOLDEN / name / "model.safetensors"), dict(file)


def sentences(golden: dict[str, np.ndarray]) -> list[tuple[list[str], int]]:
    """Return each sentence's words and the number of its first."""
    words, offsets = golden["words"].tolist(), golden["word_offsets"].tolist()
    return [(words[start:stop], start) for start, stop in pairwise(offsets)]


def batch_of(name: str, config: Config, golden: dict[str, np.ndarray]):
    """Return all sentences as one batch, through the model's tokenizer."""
    encoder = PieceEncoder(GOLDEN / name / "tokenizer.json", config.window)
    sequences = []
    for words, _ in sentences(golden):
        pieces = encoder.encode(words)
        sequences.append(Input([encoder.cls_id, *pieces.ids, encoder.sep_id],
                               [1 + first for first in pieces.offsets[:-1]], words))
    return make_batch(sequences)


def check(title: str, stages: dict[str, np.ndarray], golden: dict[str, np.ndarray]) -> None:
    """Compare every stage and log its largest error."""
    for stage, value in stages.items():
        assert value.shape == golden[stage].shape, stage
        error = float(np.abs(value - golden[stage]).max())
        log.info("%s %s: %.1e", title, stage, error)
        assert error < LARGEST_ERROR, stage
