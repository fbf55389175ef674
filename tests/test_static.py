"""Static word embeddings, against a search by eye."""

import importlib
import zlib

import numpy as np
import pytest
from conftest import KNOWN, ROOT, random_tensors

import nerlite
from nerlite.network.static import StaticEmbeddings, key_of


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_each_word_has_the_embedding_of_its_key(write_model, tiny_config, dtype):
    table = random_tensors(tiny_config)
    embeddings = nerlite.load(write_model(dtype=dtype), backend="numpy")._network.features._static
    keys, rows = table["static.keys"].tolist(), table["static.rows"].tolist()
    words = [*KNOWN, "Angela", "BERLIN", "unknown", "", "\ud800", "angela" * 40]
    found = embeddings(words)
    assert found.shape == (len(words), 3)
    assert found.dtype == np.float32
    for word, row in zip(words, found, strict=True):
        key = zlib.crc32(word.lower().encode("utf-8", "surrogatepass"))
        expected = table["static.word_embeddings"][rows[keys.index(key)]] if word.lower() in KNOWN else np.zeros(3)
        assert row == pytest.approx(expected, abs=0.02 if dtype == "int8" else 0)


def test_a_word_beyond_all_keys_has_none():
    last = np.array([key_of("last")], np.uint32)
    tensors = {"static.keys": last, "static.rows": np.zeros(1, np.uint16), "static.word_embeddings": np.ones((1, 2))}
    words = [f"w{i}" for i in range(50)]
    assert {key_of(word) > last[0] for word in words} == {True, False}
    assert StaticEmbeddings(tensors)(["last", *words]).tolist() == [[1, 1], *[[0, 0]] * 50]


def test_words_change_by_their_embeddings(write_model, tiny_config):
    model = write_model()
    tagger = nerlite.load(model, backend="numpy")
    plain = nerlite.load(write_model(static=None), backend="numpy")
    width = plain._network.features(["angela"], np.array([0, 1])).shape[1]
    features = tagger._network.features(["angela", "unknown"], np.array([0, 2]))
    assert features.shape[1] == width + 3
    assert features[0, width:].any()
    assert not features[1, width:].any()


def test_principal_components_keep_distances_and_words_take_their_lower_case_row(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    static_embeddings = importlib.import_module("static_embeddings")
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 8)) + 5
    found = static_embeddings.reduced(vectors, 3)
    assert np.sqrt(np.square(found).mean()) == pytest.approx(0.5, rel=1e-5)
    ratio = (np.linalg.norm(vectors[:, None] - vectors, axis=2) + np.eye(40)) / (
        np.linalg.norm(found[:, None] - found, axis=2) + np.eye(40))
    off = ratio[~np.eye(40, dtype=bool)]
    assert off == pytest.approx(off[0], rel=1e-4)
    tensors = static_embeddings.tensors_of({"Apple": 1, "apple": 2, "BERLIN": 3, "Berlin": 4}, found)
    assert StaticEmbeddings(tensors)(["APPLE", "berlin", "x"]).tolist() == [*found[[2, 4]].tolist(), [0] * 3]
