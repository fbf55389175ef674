"""Conversion of Spark NLP's models: against what Spark NLP computed, and with models of other sizes written here."""

import gzip
import json
import os
import subprocess
import sys
from math import erf
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from convert_sparknlp.__main__ import main
from convert_sparknlp.archive import Folder
from convert_sparknlp.convert import convert
from convert_sparknlp.errors import ConversionError
from convert_sparknlp.java_objects import text
from convert_sparknlp.stage import read_stage
from convert_sparknlp.tensor_bundle import table
from sparknlp_writer import FIXTURES, write_embeddings, write_ner, write_pipeline, zip_folder

from nerlite.config import read_config
from nerlite.errors import ModelError
from nerlite.pieces import PieceEncoder
from nerlite.weights import read_tensors

ROOT = Path(__file__).parent.parent
FILES = ["README.md", "config.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture(scope="module")
def golden(data, tmp_path_factory):
    """The golden pair, converted: its source folder, config, tensors and model directory."""
    source, dst = data / "sparknlp", tmp_path_factory.mktemp("golden") / "model"
    config = convert([source / "distilbert_tiny_cased.zip", source / "ner_conll_distilbert_tiny_cased.zip"], dst)
    assert read_config(dst / "config.json") == config
    return source, config, read_tensors(config, dst / "model.safetensors"), dst


@pytest.fixture
def pair(tmp_path):
    """A random pair: two folders and a destination, with the weights in TensorFlow's layout."""
    def write(embeddings=None, ner=None):
        weights = write_embeddings(tmp_path / "embeddings", **(embeddings or {}))
        weights |= write_ner(tmp_path / "ner", **(ner or {}))
        return [tmp_path / "embeddings", tmp_path / "ner"], tmp_path / "dst", weights
    return write


# An independent calculation, by the semantics of Spark NLP's graphs, on the converted tensors.

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def lstm(x, tensors, name, gate, reverse=False):
    """Every step's output, (n, hidden), in the order of x."""
    w_ih, w_hh, bias = (tensors[f"{name}.{part}"] for part in ("w_ih", "w_hh", "bias"))
    hidden = len(w_hh)
    w_i, w_f, w_o = tensors.get(f"{name}.peepholes", np.zeros((3, hidden), np.float32))
    h = c = np.zeros(hidden, np.float32)
    outputs = []
    for row in x[::-1] if reverse else x:
        i, f, g, o = np.split(row @ w_ih + h @ w_hh + bias, 4)
        c = gate(f + c * w_f) * c + gate(i + c * w_i) * np.tanh(g)
        h = gate(o + c * w_o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs[::-1] if reverse else outputs)


def char_cnn(ids, tensors):
    """ids: (words, longest word), 0 past a word's end; the maximum is over all of them."""
    x = np.pad(tensors["chars.cnn.embeddings"][ids], ((0, 0), (1, 1), (0, 0)))
    windows = np.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=-1)
    return np.maximum(windows @ tensors["chars.cnn.conv.weight"] + tensors["chars.cnn.conv.bias"], 0).max(axis=1)


def char_lstm(ids, n_chars, tensors):
    rows = [tensors["chars.lstm.embeddings"][word[:n]] for word, n in zip(ids, n_chars, strict=True)]
    return np.stack([np.concatenate([lstm(x, tensors, "chars.lstm.forward", hard_sigmoid)[-1],
                                     lstm(x, tensors, "chars.lstm.backward", hard_sigmoid, reverse=True)[0]])
                     for x in rows])


def encode(ids, config, tensors):
    """DistilBERT's last hidden state, (n_pieces, hidden)."""
    def linear(x, name):
        return x @ tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def norm(x, name):
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + config.layer_norm_eps)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    x = tensors["encoder.word_embeddings"][ids] + tensors["encoder.position_embeddings"][:len(ids)]
    x = norm(x, "encoder.embedding_norm")
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layers.{i}"
        qkv = linear(x, f"{layer}.qkv").reshape(len(x), 3, config.num_attention_heads, -1)
        q, k, v = qkv.transpose(1, 2, 0, 3)
        scores = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        x = norm(x + linear(mixed.transpose(1, 0, 2).reshape(x.shape), f"{layer}.attention_out"),
                 f"{layer}.attention_norm")
        inner = linear(x, f"{layer}.ffn_in")
        inner *= 0.5 * (1 + np.vectorize(erf)(inner / np.sqrt(2)))
        x = norm(x + linear(inner, f"{layer}.ffn_out"), f"{layer}.ffn_norm")
    return x


def annotations(source):
    with gzip.open(source / "light.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {row["id"]: row for row in map(json.loads, lines)}


def test_golden_ner_stages(golden):
    """Every stage of the NER network from Spark's own word vectors."""
    source, config, tensors, _ = golden
    rows, stages = annotations(source), np.load(source / "stages.npz")
    documents = [name.removesuffix("/char_ids") for name in stages.files if name.endswith("/char_ids")]
    assert len(documents) == 9
    ids = {char: i + 1 for i, char in enumerate(config.chars.alphabet)}
    for document in documents:
        def expect(name, got, document=document):
            np.testing.assert_allclose(got, stages[f"{document}/{name}"], rtol=0, atol=2e-5, err_msg=document)

        words = [row["result"].encode("utf-16-le") for row in rows[document]["embeddings"]]
        units = [[chr(unit) for unit in np.frombuffer(word, "<u2")] for word in words]
        char_ids = np.zeros((len(units), max(map(len, units))), int)
        for row, word in zip(char_ids, units, strict=True):
            row[:len(word)] = [ids.get(char, 0) for char in word]
        np.testing.assert_array_equal(char_ids, stages[f"{document}/char_ids"])
        expect("char_cnn", cnn := char_cnn(char_ids, tensors))
        x = np.hstack([cnn, char_lstm(char_ids, list(map(len, units)), tensors), stages[f"{document}/embeddings"]])
        expect("chars_words", x)
        expect("dense", x := np.maximum(x @ tensors["context.dense.weight"] + tensors["context.dense.bias"], 0))
        for i in range(config.context.num_layers):
            layer = f"context.layers.{i}"
            x = x + np.hstack([lstm(x, tensors, f"{layer}.forward", sigmoid),
                               lstm(x, tensors, f"{layer}.backward", sigmoid, reverse=True)])
            expect(f"lstm_{i}", x)
        expect("scores", x @ tensors["emissions.weight"] + tensors["emissions.bias"])


def test_golden_word_vectors(golden):
    """Word vectors from text, of 20 documents in printable ASCII, where tokenizers splits as Spark NLP does."""
    source, config, tensors, dst = golden
    stages, tokenizer = np.load(source / "stages.npz"), Tokenizer.from_file(str(dst / "tokenizer.json"))
    n_documents = 0
    for document, row in annotations(source).items():
        ids, starts = [tokenizer.token_to_id("[CLS]")], []
        for token in row["embeddings"]:
            starts.append(len(ids))
            first = tokenizer.pre_tokenizer.pre_tokenize_str(token["result"])[0][0]
            ids += tokenizer.encode(first, add_special_tokens=False).ids
        whole = row["document"][0]["result"]
        if not whole.isascii() or not whole.isprintable() or len(ids) > 127 or len(row["token"]) != len(starts):
            continue
        got = encode([*ids, tokenizer.token_to_id("[SEP]")], config.encoder, tensors)[starts]
        np.testing.assert_allclose(got, stages[f"{document}/embeddings"], rtol=0, atol=5e-5, err_msg=document)
        n_documents += 1
        if n_documents == 20:
            return
    pytest.fail("expected at least 20 such documents")


def test_golden_settings(golden):
    _, config, _, dst = golden
    assert config.name == "ner_conll_distilbert_tiny_cased"
    assert (config.encoder.num_attention_heads, config.encoder.layer_norm_eps, config.window) == (4, 1e-12, 128)
    assert config.tags == ("O", "B-ORG", "I-ORG", "I-MISC", "B-PER", "I-PER", "B-LOC", "B-MISC", "I-LOC", "<unused-9>")
    assert config.chars.lstm.gate_activation == "hard_sigmoid"
    assert "".join(config.chars.alphabet).startswith("fQ4hSK6j")
    assert (config.sparknlp.case_sensitive, config.sparknlp.include_confidence) == (True, True)
    assert PieceEncoder(dst / "tokenizer.json", config.window).cls_id == 101
    assert sorted(path.name for path in dst.iterdir()) == FILES


def test_golden_conversion_gives_the_same_bytes_again(golden, tmp_path):
    source, _, _, dst = golden
    names = ["distilbert_tiny_cased.zip", "ner_conll_distilbert_tiny_cased.zip"]
    for i in range(2):
        convert([source / name for name in names], tmp_path / f"int8-{i}", dtype="int8")
    convert([source / name for name in names], tmp_path / "float32")
    for file in FILES:
        assert (tmp_path / "float32" / file).read_bytes() == (dst / file).read_bytes()
        assert (tmp_path / "int8-0" / file).read_bytes() == (tmp_path / "int8-1" / file).read_bytes()


def test_golden_pipeline(golden, tmp_path):
    source, config, tensors, _ = golden
    converted = convert([source / "pipeline.zip"], tmp_path / "model", name=config.name)
    assert converted == config
    for name, tensor in read_tensors(converted, tmp_path / "model" / "model.safetensors").items():
        np.testing.assert_array_equal(tensor, tensors[name])


# The readers on real bytes.

def test_fields_of_real_stages():
    embeddings, ner = (read_stage(Folder(FIXTURES / name, name)) for name in ("distilbert", "ner"))
    assert embeddings.map_field("signatures", str)["restoreOpName_"] == "StatefulPartitionedCall_2"
    vocabulary = embeddings.map_field("vocabulary", int)
    assert (len(vocabulary), vocabulary["##RO"], vocabulary["small"]) == (400, 2506, 2322)
    params, shown = ner.object_field("datasetParams")
    assert shown == "ner/fields/datasetParams/part-00001"
    assert params.fields["embeddingsDim"] == 128
    assert "".join(params.fields["chars"][:8]) == "fQ4hSK6j"
    assert params.fields["tags"] == ["B-ORG", "I-ORG", "I-MISC", "B-PER", "O", "I-PER", "B-LOC", "B-MISC", "I-LOC"]
    assert params.fields["emptyVector"] == params.fields["emptyEmbeddings"] == [0.0] * 128


def test_real_checkpoint_indexes():
    ner = dict(table((FIXTURES / "ner" / "variables.index").read_bytes(), "ner"))
    assert len(ner) == 138
    assert b"context_repr/lstm-2/lstm_fused_cell_1/w_o_diag" in ner
    assert len(dict(table((FIXTURES / "distilbert" / "variables.index").read_bytes(), "distilbert"))) == 38


@pytest.mark.parametrize(("encoded", "decoded"), [
    (b"caf\xc3\xa9", "café"), (b"\xed\x95\x9c\xea\xb5\xad", "한국"), (b"\xed\xa0\xbd\xed\xb8\x80a", "😀a"),
    (b"a\xc0\x80b", "a\0b"), (b"\xed\xa0\xbd", "\ud83d"),
])
def test_modified_utf8(encoded, decoded):
    assert text(encoded) == decoded


# Other pairs.

SHAPES = [
    ({"n_layers": 3, "n_heads": 4, "hidden": 8, "inner": 20}, {"n_layers": 1}),
    ({"n_layers": 1, "n_heads": 1, "hidden": 6}, {"dimension": 6, "n_layers": 4, "units": 3, "char_units": 4}),
    ({"n_layers": 12, "n_heads": 2, "hidden": 4}, {"dimension": 4, "n_columns": 38, "n_chars": 200}),
]


@pytest.mark.parametrize(("embeddings", "ner"), SHAPES)
def test_any_sizes(pair, embeddings, ner):
    sources, dst, weights = pair(embeddings, ner)
    config = convert(sources, dst)
    tensors = read_tensors(config, dst / "model.safetensors")
    hidden, units = embeddings["hidden"], ner.get("units", 4)
    assert (config.encoder.num_hidden_layers, config.encoder.num_attention_heads) == (
        embeddings["n_layers"], embeddings["n_heads"])
    assert (config.encoder.hidden_size, config.encoder.intermediate_size) == (hidden, embeddings.get("inner", 12))
    assert (config.context.num_layers, config.context.lstm_hidden_size) == (ner.get("n_layers", 2), units)
    n_columns = ner.get("n_columns", 5)
    assert config.tags == ("O", "B-PER", "I-PER", *(f"<unused-{i}>" for i in range(3, n_columns)))
    last = f"encoder.layers.{embeddings['n_layers'] - 1}"
    source = f"transformer/layer_._{embeddings['n_layers'] - 1}"
    np.testing.assert_array_equal(tensors[f"{last}.qkv.weight"][:, hidden:2 * hidden],
                                  weights[f"{source}/attention/k_lin/kernel"])
    np.testing.assert_array_equal(tensors[f"{last}.ffn_norm.bias"], weights[f"{source}/output_layer_norm/beta"])
    np.testing.assert_array_equal(tensors["encoder.position_embeddings"],
                                  weights["embeddings/position_embeddings/embeddings"])
    cell = "context_repr/lstm-0/lstm_fused_cell_1"
    i, c, f, o = np.split(weights[f"{cell}/kernel"], 4, axis=1)
    backward = "context.layers.0.backward"
    np.testing.assert_array_equal(np.vstack([tensors[f"{backward}.w_ih"], tensors[f"{backward}.w_hh"]]),
                                  np.hstack([i, f, c, o]))
    np.testing.assert_array_equal(tensors[f"{backward}.bias"][units:2 * units],
                                  weights[f"{cell}/bias"][2 * units:3 * units] + np.float32(1))
    np.testing.assert_array_equal(tensors[f"{backward}.peepholes"][1], weights[f"{cell}/w_f_diag"])
    np.testing.assert_array_equal(tensors["crf.transitions"], weights["inference/transition_params"])
    np.testing.assert_array_equal(tensors["chars.lstm.embeddings"], weights["char_repr_lstm/char_embeddings"][:4])


def test_settings_of_another_pair(pair):
    """Uncased, a short sentence length above the positions, all scores, a character given twice, surrogate halves."""
    sources, dst, _ = pair({"caseSensitive": False, "maxSentenceLength": 512, "n_positions": 9},
                           {"includeAllConfidenceScores": True, "chars": "ab\ud83da\ude00"})
    config = convert(sources, dst, spark_version="3.4", name="other")
    assert read_config(dst / "config.json") == config
    assert config.chars.alphabet == ("a", "b", "\ud83d", "a", "\ude00")
    assert (config.name, config.window, config.sparknlp.max_sentence_length) == ("other", 9, 9)
    assert (config.sparknlp.version, config.sparknlp.case_sensitive) == ("3.4", False)
    assert (config.sparknlp.include_confidence, config.sparknlp.include_all_confidence_scores) == (False, True)
    tokenizer = Tokenizer.from_file(str(dst / "tokenizer.json"))
    assert tokenizer.encode("Äa", add_special_tokens=False).tokens == ["a", "##a"]


def test_pieces_of_every_script(pair):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "한국", "##é", "東", "😀", "##", "\0"]
    sources, dst, _ = pair({"vocabulary": vocabulary})
    convert(sources, dst)
    tokenizer = json.loads((dst / "tokenizer.json").read_text(encoding="utf-8"))
    assert tokenizer["model"]["vocab"] == {piece: i for i, piece in enumerate(vocabulary)}
    assert tokenizer["model"]["max_input_chars_per_word"] == 200


def test_gates_of_a_plain_sigmoid(pair):
    def plain(node):
        if "bidirectional" in node.name and "clip_by_value" in node.name and node.op == "Maximum":
            node.op = "Sigmoid"
    sources, dst, _ = pair(ner={"change": plain})
    assert convert(sources, dst).chars.lstm.gate_activation == "sigmoid"


def test_pipeline_of_folders(tmp_path):
    config = convert([write_pipeline(tmp_path / "pipeline", NerConverter={"whiteList": ["PER"]})], tmp_path / "dst")
    assert config.sparknlp.white_list == ("PER",)
    assert "PER" in (tmp_path / "dst" / "README.md").read_text(encoding="utf-8").splitlines()[-1]


def test_zip_of_a_folder(pair, tmp_path):
    """Zips that hold the model's folder, not its files, and hidden files beside it."""
    sources, dst, _ = pair()
    zips = []
    for source in sources:
        (tmp_path / "wrapped" / source.name).parent.mkdir(exist_ok=True)
        source.rename(tmp_path / "wrapped" / source.name)
        (tmp_path / "wrapped" / source.name / ".tensorflow.crc").touch()
        zips.append(tmp_path / f"{source.name}.zip")
        zip_folder(tmp_path / "wrapped", zips[-1])
        (tmp_path / "wrapped").rename(tmp_path / f"done-{source.name}")
    assert convert(zips, dst).name == "ner"


def test_command(pair, capsys):
    sources, dst, _ = pair()
    arguments = [*map(str, sources), str(dst)]
    assert main([*arguments, "--dtype", "float16", "--spark-version", "3.4", "--name", "mine"]) == 0
    config = read_config(dst / "config.json")
    assert (config.dtype, config.sparknlp.version, config.name) == ("float16", "3.4", "mine")
    assert capsys.readouterr().out == f"{dst}: mine, float16, tags: O B-PER I-PER <unused-3> <unused-4>\n"
    assert main(arguments) == 2  # the destination is in use now
    assert "nothing was written" in capsys.readouterr().err
    with pytest.raises(ModelError, match="nothing was written"):
        convert(sources, dst)


def test_command_as_it_is_typed(tmp_path):
    """The folder is run as a program; an error is one line and status 2, and leaves nothing."""
    run = subprocess.run([sys.executable, str(ROOT / "tools" / "convert_sparknlp"), "absent.zip", "absent", "dst"],
                         cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
                         check=False)
    assert run.returncode == 2
    assert run.stderr == "convert_sparknlp: absent.zip: no such file or folder\n"
    assert list(tmp_path.iterdir()) == []


def test_swapped_sources(pair):
    sources, dst, _ = pair()
    with pytest.raises(ConversionError, match="expected a saved DistilBertEmbeddings, got NerDLModel"):
        convert(sources[::-1], dst)
    with pytest.raises(ConversionError, match="expected a saved PipelineModel, got NerDLModel"):
        convert(sources[1:], dst)
    assert not dst.exists()
