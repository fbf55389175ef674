"""A converted Spark NLP model in nerlite's engine against what Spark NLP itself answered with it."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from heads import stages_of

import nerlite
from nerlite.backends import load_ops
from nerlite.batch import make_batch
from nerlite.evaluate import evaluate
from nerlite.network.parameters import head_parameters
from nerlite.sparknlp import to_annotations
from nerlite.weights import read_tensors

COLUMNS = {"document": "document", "token": "token", "ner": "ner", "ner_chunk": "entities"}
# Of 5,562 confidences this many lie so near the middle of two roundings that a last bit of the scores decides.
BORDERLINE = 4


@pytest.fixture(scope="module")
def golden(data):
    return data / "sparknlp"


@pytest.fixture(scope="module")
def convert(golden, tmp_path_factory):
    pytest.importorskip("google.protobuf")
    folder = tmp_path_factory.mktemp("converted")

    def run(name: str, *options: str) -> Path:
        tool = Path(__file__).parent.parent / "tools" / "convert_sparknlp"
        subprocess.run([sys.executable, tool, golden / "pipeline.zip", folder / name, *options], check=True,
                       capture_output=True)
        return folder / name

    return run


@pytest.fixture(scope="module")
def model(convert):
    return convert("spark")


@pytest.fixture(scope="module")
def tagger(model, backend):
    return nerlite.load(model, backend=backend)


@pytest.fixture(scope="module")
def texts(golden):
    rows = map(json.loads, (golden / "docs.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["text"] for row in rows}


def read_answers(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {answer["id"]: answer for answer in map(json.loads, lines)}


def assert_same_annotations(document, answer):
    """Compare all but confidences to the letter; return how many confidences are one unit of the last place off."""
    n_off = 0
    for ours, theirs in COLUMNS.items():
        found, expected = to_annotations(document)[ours], answer[theirs]
        assert len(found) == len(expected), answer["id"]
        for one, other in zip(found, expected, strict=True):
            mine, its = ({**annotation["metadata"]} for annotation in (one, other))
            confidences = float(mine.pop("confidence", 0)), float(its.pop("confidence", 0))
            assert abs(confidences[0] - confidences[1]) < 1.01e-4, answer["id"]
            n_off += confidences[0] != confidences[1] and ours == "ner"
            assert mine == its, answer["id"]
            for key in ("begin", "end", "result"):
                assert one[key] == other[key], answer["id"]
    return n_off


def test_every_annotation_of_every_document(tagger, texts, golden):
    answers = read_answers(golden / "light.jsonl.gz")
    documents = tagger.pipe(texts.values())
    assert sum(assert_same_annotations(document, answers[name])
               for name, document in zip(texts, documents, strict=True)) <= BORDERLINE


def test_every_annotation_by_the_rules_of_version_3_4(convert, texts, golden):
    tagger = nerlite.load(convert("spark-3.4", "--spark-version", "3.4"))
    answers = read_answers(golden / "light-3.4.4.jsonl.gz")
    documents = tagger.pipe(texts.values())
    assert sum(assert_same_annotations(document, answers[name])
               for name, document in zip(texts, documents, strict=True)) <= BORDERLINE


def test_stages(tagger, texts, golden):
    stages, network = np.load(golden / "stages.npz"), tagger._network
    ops, config = load_ops(tagger.backend), tagger.config
    parameters = head_parameters(read_tensors(config, f"{tagger.path}/model.safetensors"), config)
    largest = dict.fromkeys(("embeddings", "chars_words", "dense", "lstm_0", "lstm_1", "lstm_2", "scores"), 0.0)

    def compare(name, stage, found):
        expected = stages[f"{name}/{stage}"]
        assert found.shape == expected.shape
        largest[stage] = max(largest[stage], float(np.abs(found - expected).max()))

    for name, text in texts.items():
        if f"{name}/embeddings" not in stages:
            continue
        batch = make_batch(list(tagger._rules.read(text).sequences))
        offsets = batch.word_offsets
        vectors = network.encoder(batch.piece_ids, batch.positions, batch.piece_offsets, batch.first_pieces, offsets)
        compare(name, "embeddings", vectors)
        characters = network.chars(batch.words, offsets)
        compare(name, "scores", network.head(characters, vectors, offsets))
        if f"{name}/dense" in stages:
            theirs = stages[f"{name}/embeddings"]
            compare(name, "chars_words", np.concatenate([characters, theirs], axis=1))
            dense, *lstms = stages_of(ops, parameters, characters, theirs, offsets)
            compare(name, "dense", dense)
            for i, states in enumerate(lstms):
                compare(name, f"lstm_{i}", states)
    assert largest.pop("embeddings") < 5e-5
    assert largest.pop("scores") < 2e-4
    assert max(largest.values()) < 2e-5, largest


@pytest.mark.parametrize(("part", "fb1"), [("test", 74.37), ("valid", 80.87)])
def test_conll(tagger, golden, part, fb1):
    with gzip.open(golden / f"conll_{part}.tsv.gz", "rt", encoding="utf-8") as lines:
        sentences = [[row.split("\t") for row in block.splitlines()] for block in lines.read().strip().split("\n\n")]
    n_sentences = 300 if tagger.backend == "numpy" else len(sentences)  # the reference takes its time
    words, gold, spark = ([[row[i] for row in sentence] for sentence in sentences[:n_sentences]] for i in range(3))
    found = tagger.tag(words)
    assert found == [["O" if tag == "-" else tag for tag in sentence] for sentence in spark]
    if n_sentences == len(sentences):
        assert round(evaluate(gold, found).overall.fb1, 2) == fb1


def test_windows_read_what_spark_nlp_leaves_out(model, texts):
    plain, windowed = nerlite.load(model), nerlite.load(model, window=True)
    long = next(text for name, text in texts.items() if name.startswith("long") and plain(text).truncated_at)
    one, other = plain(long), windowed(long)
    assert other.truncated_at is None
    assert other.words == one.words
    cut = one.truncated_at
    assert not any(entity.start > cut for entity in one.entities)
    assert any(entity.start > cut for entity in other.entities)
    short = next(text for name, text in texts.items() if name.startswith("news"))
    assert windowed(short) == plain(short)


def test_int8_gives_nearly_the_same_tags(convert, model, texts):
    exact, rounded = nerlite.load(model), nerlite.load(convert("spark-int8", "--dtype", "int8"))
    pairs = [(a, b) for one, other in zip(exact.pipe(texts.values()), rounded.pipe(texts.values()), strict=True)
             for a, b in zip(one.tags, other.tags, strict=True)]
    assert np.mean([a == b for a, b in pairs]) > 0.998
