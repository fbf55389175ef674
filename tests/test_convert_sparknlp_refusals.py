"""What the conversion of Spark NLP's models refuses: models that nerlite cannot represent, unsafe archives."""

import json
import random
import stat
import struct
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from convert_sparknlp.__main__ import main
from convert_sparknlp.archive import Folder
from convert_sparknlp.distilbert import read_distilbert
from convert_sparknlp.errors import ConversionError
from convert_sparknlp.ner import read_ner
from convert_sparknlp.stage import read_stage
from sparknlp_writer import golden_graph, write_bundle, write_embeddings, write_ner, write_pipeline, zip_folder

MAX_SECONDS = 1.0  # of processor time


@pytest.fixture
def refused(tmp_path, capsys):
    """A function that checks the command's answer to sources: one line, status 2, nothing written, within a second."""
    def check(*sources):
        started = time.process_time()
        assert main([*map(str, sources), str(tmp_path / "dst")]) == 2
        assert time.process_time() - started < MAX_SECONDS
        assert not (tmp_path / "dst").exists()
        message = capsys.readouterr().err
        assert message.startswith("convert_sparknlp: ")
        assert message.count("\n") == 1
        return message
    return check


def changing(name, **attributes):
    """A change of a graph: attributes of the nodes whose name ends so, or with op=… their operation."""
    def change(node):
        if node.name.endswith(name):
            node.op = attributes.get("op", node.op)
            for entry in node.attr:
                if entry.key in attributes:
                    kind, value = attributes[entry.key]
                    setattr(entry.value, kind, value)
    return change


NOT_REPRESENTED = {
    "another reference": ({}, {"storageRef": "T"}, "storageRef: trained on the embeddings 'T', but"),
    "another dimension": ({}, {"dimension": 10}, "reads word vectors of 10 numbers, but the embeddings have 8"),
    "a wrong dimension": ({"dimension": 768}, {}, "dimension: expected the network's 8, got 768"),
    "no room": ({"maxSentenceLength": 2}, {}, "maxSentenceLength: 2 leaves no room for a word"),
    "a mistyped setting": ({"caseSensitive": "yes"}, {}, "caseSensitive: expected bool, got 'yes'"),
    "no [UNK]": ({"vocabulary": ["[CLS]", "[SEP]"]}, {}, "[UNK] is missing"),
    "half a pair": ({"vocabulary": ["[UNK]", "[CLS]", "[SEP]", "\ud83d"]}, {}, "half of a surrogate pair"),
    "tanh GELU": ({"change": changing("/Gelu/Erf", op="Tanh")}, {}, "one exact GELU (Erf) a layer, got 0 for 1 layers"),
    "no heads": ({"n_heads": 3}, {}, "the hidden size 8 is no multiple of the 3 heads"),
    "no peepholes": ({}, {"change": changing("BlockLSTM", use_peephole=("b", False))}, "a cell without peepholes"),
    "clipped cells": ({}, {"change": changing("BlockLSTM", cell_clip=("f", 3.0))}, "a cell that clips its state"),
    "other cells": ({}, {"change": changing("BlockLSTM", op="BlockLSTMV2")}, "expected the operation BlockLSTM"),
    "no residual": ({}, {"change": changing("lstm-1/add", op="Identity")}, "whose input is added to its output"),
    "other padding": ({}, {"change": changing("conv1d/conv1d", padding=("s", b"VALID"))}, "padding SAME"),
    "other features": ({}, {"change": changing("char_repr_lstm/concat", op="AddN")}, "expected the character CNN,"),
    "one other gate": ({}, {"change": changing("clip_by_value", op="Relu")}, "3 sigmoid or hard sigmoid gates"),
    "steeper gates": ({}, {"change": changing("while/Mul", op="Sub")}, "expected gates of clip(0.2 x + 0.5, 0, 1)"),
    "too few rows": ({}, {"chars": "abcdefg"}, "expected at least 8 rows for the 7 characters, got 7"),
    "too few columns": ({}, {"n_columns": 2}, "tags: expected each once and at most 2, the columns of the network"),
    "a tag twice": ({}, {"tags": ["B-PER", "B-PER", "O"]}, "tags: expected each once"),
    "another default": ({}, {"default_tag": "X"}, "defaultTag: expected 'O'"),
    "other classes": ({}, {"classes": ["O", "I-PER", "B-PER"]}, "classes: expected the tags of"),
}


@pytest.mark.parametrize("case", NOT_REPRESENTED)
def test_not_represented(case, refused, tmp_path):
    embeddings, ner, expected = NOT_REPRESENTED[case]
    write_embeddings(tmp_path / "embeddings", **embeddings)
    write_ner(tmp_path / "ner", **ner)
    assert expected in refused(tmp_path / "embeddings", tmp_path / "ner")


PIPELINES = {
    "a further stage": ({"SentenceDetector": {}}, "nerlite follows a pipeline of one each of DocumentAssembler,"),
    "no embeddings": ({"DistilBertEmbeddings": None}, "expected a stage of class DistilBertEmbeddings"),
    "cleaned text": ({"DocumentAssembler": {"cleanupMode": "shrink"}}, "cleanupMode: 'shrink' is not supported"),
    "exceptions": ({"TokenizerModel": {"exceptions": ["New York"]}}, "exceptions: ['New York'] is not supported"),
    "moved chunks": ({"NerConverter": {"preservePosition": False}}, "preservePosition: False is not supported"),
}


@pytest.mark.parametrize("case", PIPELINES)
def test_pipelines_not_represented(case, refused, tmp_path):
    stages, expected = PIPELINES[case]
    assert expected in refused(write_pipeline(tmp_path / "pipeline", **stages))


def test_tokenizer_with_another_rule(refused, tmp_path):
    pipeline = write_pipeline(tmp_path / "pipeline")
    part = pipeline / "stages" / "1_TokenizerModel_1" / "fields" / "rules" / "part-00001"
    part.write_bytes(part.read_bytes().replace(b".,;:!?*-()", b".,;:!?*-(_"))
    assert "expected the Tokenizer's default rule" in refused(pipeline)


def test_embeddings_that_are_no_distilbert(refused, tmp_path):
    write_embeddings(tmp_path / "embeddings")
    write_ner(tmp_path / "ner")
    metadata = tmp_path / "embeddings" / "metadata" / "part-00000"
    metadata.write_text(metadata.read_text().replace("DistilBertEmbeddings", "BertEmbeddings"))
    assert "expected a saved DistilBertEmbeddings, got BertEmbeddings" in refused(tmp_path / "embeddings",
                                                                                  tmp_path / "ner")


def test_misshapen_and_missing_tensors(tmp_path):
    weights = write_ner(tmp_path / "ner")
    (tmp_path / "network").mkdir()
    for change, message in (({"b": np.zeros(3, np.float32)}, r"'b': expected the shape \(8\), got \(3,\)"),
                            ({"context_repr/W": np.zeros((7, 5), np.float32)}, r"expected the shape \(8, any\)"),
                            ({"inference/transition_params": None}, "no tensor 'inference/transition_params'")):
        changed = {name: tensor for name, tensor in (weights | change).items() if tensor is not None}
        write_bundle(tmp_path / "network", changed)
        (tmp_path / "network" / "saved_model.pb").write_bytes(golden_graph("ner").SerializeToString())
        (tmp_path / "ner" / "tensorflow").unlink()
        zip_folder(tmp_path / "network", tmp_path / "ner" / "tensorflow")
        with pytest.raises(ConversionError, match=message):
            read_ner(read_stage(Folder(tmp_path / "ner", "ner")), tmp_path, 8)


def test_damaged_weights(tmp_path, refused):
    write_embeddings(tmp_path / "embeddings")
    write_ner(tmp_path / "ner")
    network = tmp_path / "network"
    with zipfile.ZipFile(tmp_path / "ner" / "tensorflow") as archive:
        archive.extractall(network)
    data = network / "variables.data-00000-of-00001"
    whole = data.read_bytes()
    for damaged, message in ((bytes([whole[0] ^ 1]) + whole[1:], "'W': the checksum differs: the file is damaged"),
                             (whole[:-1], f"expected {len(whole):,} bytes, got {len(whole) - 1:,}"), (b"", "got 0")):
        data.write_bytes(damaged)
        (tmp_path / "ner" / "tensorflow").unlink()
        zip_folder(network, tmp_path / "ner" / "tensorflow")
        assert message in refused(tmp_path / "embeddings", tmp_path / "ner")


# Archives, and files where no archive is.

def write_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def special(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


HOSTILE_NAMES = ["../evil", "a/../../evil", "/evil", "C:evil", "a\\..\\evil", "a//b", "./a", "..", "a/./b"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_paths_that_lead_elsewhere(name, refused, tmp_path):
    source = write_zip(tmp_path / "x.zip", [("metadata/part-00000", b"{}"), (name, b"evil")])
    before = set(tmp_path.parent.iterdir())
    assert f"{source}: {name!r}: expected a path inside the archive" in refused(source)
    assert set(tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(mode, refused, tmp_path):
    source = write_zip(tmp_path / "x.zip", [(special("metadata", mode | 0o777), b"/etc")])
    assert "expected a plain file, got a link or device" in refused(source)


def test_links_in_a_folder(refused, tmp_path):
    write_embeddings(tmp_path / "embeddings")
    write_ner(tmp_path / "ner")
    (tmp_path / "ner" / "tensorflow").rename(tmp_path / "elsewhere")
    (tmp_path / "ner" / "tensorflow").symlink_to(tmp_path / "elsewhere")
    assert "ner/tensorflow: expected a plain file, got a link" in refused(tmp_path / "embeddings", tmp_path / "ner")


def test_zip_bomb(refused, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data", "w") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
    assert "expected at most" in refused(tmp_path / "x.zip")


def test_zip_bomb_that_understates_its_size(refused, tmp_path):
    source = write_zip(tmp_path / "x.zip", [("data", bytes(50 << 20))])
    data = source.read_bytes()
    source.write_bytes(data.replace(struct.pack("<I", 50 << 20), struct.pack("<I", 10)))
    assert "not a readable zip" in refused(source)


def test_files_that_overlap(refused, tmp_path):
    """Many entries that all unpack the same bytes."""
    source = write_zip(tmp_path / "x.zip", [("data", random.Random(0).randbytes(100_000))])
    data = source.read_bytes()
    start = data.rindex(b"PK\1\2")
    entry, end = data[start:data.rindex(b"PK\5\6")], data[data.rindex(b"PK\5\6"):]
    copies = b"".join(entry.replace(b"data", b"%04d" % i) for i in range(1000))
    end = end[:8] + struct.pack("<HHI", 1000, 1000, len(copies)) + end[16:]
    source.write_bytes(data[:start] + copies + end)
    assert "expected at most" in refused(source) or "overlap" in refused(source)


def test_too_many_files(refused, tmp_path):
    source = write_zip(tmp_path / "x.zip", [(str(i), b"") for i in range(10_001)])
    assert "expected at most 10,000 files, got 10,001" in refused(source)


def test_a_long_table_of_contents(refused, tmp_path):
    source = write_zip(tmp_path / "x.zip", [(special("a" * 60_000 + str(i), stat.S_IFREG), b"") for i in range(80)])
    assert "expected a zip with at most 10,000 files below 4 GiB" in refused(source)


def test_names_given_twice(refused, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        source = write_zip(tmp_path / "x.zip", [("a", b"1"), ("a", b"2")])
    assert "'a': expected each name once" in refused(source)


def test_what_is_no_zip(refused, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK" + bytes(1000))
    assert "not a zip, or a truncated one" in refused(tmp_path / "x.zip")
    source = write_zip(tmp_path / "y.zip", [("a", b"1" * 1000)])
    source.write_bytes(source.read_bytes()[:-1])
    assert "not a zip, or a truncated one" in refused(source)
    (tmp_path / "folder").mkdir()
    assert "metadata: expected a folder with files part-*; there is none" in refused(tmp_path / "folder")


@pytest.mark.parametrize("metadata", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b'{"class": 1}',
                                      b'{"class": "NerDLModel", "uid": "x", "paramMap": []}', b"1" * 10_000])
def test_broken_metadata(metadata, refused, tmp_path):
    (tmp_path / "source" / "metadata").mkdir(parents=True)
    (tmp_path / "source" / "metadata" / "part-00000").write_bytes(metadata)
    assert "source/metadata/part-00000: " in refused(tmp_path / "source")


def test_a_uid_is_no_path(tmp_path):
    write_embeddings(tmp_path / "embeddings")
    metadata = tmp_path / "embeddings" / "metadata" / "part-00000"
    content = json.loads(metadata.read_text())
    metadata.write_text(json.dumps(content | {"uid": "../../evil"}))
    (tmp_path / "a" / "b").mkdir(parents=True)
    read_distilbert(read_stage(Folder(tmp_path / "embeddings", "embeddings")), tmp_path / "a" / "b")
    assert not list(tmp_path.glob("evil*"))
    assert not list((tmp_path / "a").glob("evil*"))
