"""Damaged and hostile files in place of Spark NLP's models: one clear error, soon and in bounded memory."""

import errno
import random
import shutil
import struct
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from convert_sparknlp.archive import Folder
from convert_sparknlp.convert import convert
from convert_sparknlp.distilbert import read_distilbert
from convert_sparknlp.errors import ConversionError
from convert_sparknlp.graph import Graph
from convert_sparknlp.java_objects import parse
from convert_sparknlp.ner import read_ner
from convert_sparknlp.sequence_file import HEADER, records
from convert_sparknlp.stage import read_stage
from convert_sparknlp.tensor_bundle import TensorBundle, table
from sparknlp_writer import (
    FIXTURES,
    SYNC,
    block,
    java_array,
    java_class,
    java_object,
    java_text,
    new,
    sequence_file,
    varint,
    write_embeddings,
    write_ner,
    zip_folder,
)
from sparknlp_writer import (
    table as write_table,
)

MAX_SECONDS = 1.0
MAX_BYTES = 300 << 20


def bounded(read, data):
    """Whether read(data) ends in a result (or else in ConversionError), within a second and MAX_BYTES."""
    tracemalloc.start()
    started = time.process_time()
    try:
        read(data)
    except ConversionError as error:
        assert "file" in str(error)
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - started < 10 * MAX_SECONDS  # tracing makes it several times slower
    assert peak < MAX_BYTES
    return True


# Readers.

def read_records(data):
    return list(records(data, "file"))


def read_java(data):
    return parse(data, "file")


def read_table(data):
    return dict(table(data, "file"))


def read_graph(folder):
    """A reader of a graph's bytes; every function is looked into."""
    def read(data):
        (folder / "saved_model.pb").write_bytes(data)
        graph = Graph(Folder(folder, "file"))
        return [function.nodes for function in graph.called(graph.nodes.values())]
    return read


def field(*names):
    """The bytes of a field's last part, and the last record there."""
    data = FIXTURES.joinpath(names[0], "fields", *names[1:], "part-00001").read_bytes()
    return data, list(records(data, "file"))[-1]


def mutations(data, n, seed):
    """Damaged copies of data: a flipped bit, a cut, a number overwritten with a huge one, a part repeated."""
    rng = random.Random(seed)
    for _ in range(n):
        damaged, at = bytearray(data), rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del damaged[at:]
        elif kind == 2:
            damaged[at:at + 4] = rng.choice([b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0"])
        else:
            damaged[at:at] = damaged[at:at + rng.randrange(1, 200)]
        yield bytes(damaged)


N_MUTATIONS = 200


@pytest.mark.parametrize("names", [("ner", "datasetParams"), ("distilbert", "vocabulary"), ("distilbert", "signatures"),
                                   ("tokenizer", "rules")])
def test_damaged_fields(names):
    data, record = field(*names)
    assert bounded(read_records, data)
    assert bounded(read_java, record)
    n_refused = sum(not bounded(read_records, damaged) for damaged in mutations(data, N_MUTATIONS, 1))
    assert n_refused > N_MUTATIONS / 8
    n_refused = sum(not bounded(read_java, damaged) for damaged in mutations(record, N_MUTATIONS, 2))
    assert n_refused > N_MUTATIONS / 8


@pytest.mark.parametrize("name", ["distilbert", "ner"])
def test_damaged_indexes(name):
    """Every byte of a block is under a checksum, so nearly all damage is seen."""
    data = (FIXTURES / name / "variables.index").read_bytes()
    n_refused = sum(not bounded(read_table, damaged) for damaged in mutations(data, N_MUTATIONS, 3))
    assert n_refused > 0.9 * N_MUTATIONS


@pytest.mark.parametrize("name", ["distilbert", "ner"])
def test_damaged_graphs(name, tmp_path):
    with zipfile.ZipFile(FIXTURES / "graphs.zip") as archive:
        data = archive.read(f"{name}.pb")
    for damaged in mutations(data, 40, 4):
        bounded(read_graph(tmp_path), damaged)


def test_damaged_networks(tmp_path):
    """Whole models whose graph, behind good checksums, is damaged: converted or refused, never another error."""
    write_embeddings(tmp_path / "embeddings")
    write_ner(tmp_path / "ner")
    for source, name, read in (("embeddings", "distilbert_tensorflow", read_distilbert),
                               ("ner", "tensorflow", lambda stage, scratch: read_ner(stage, scratch, 8))):
        with zipfile.ZipFile(tmp_path / source / name) as archive:
            archive.extractall(network := tmp_path / f"network-{source}")
        graph = (network / "saved_model.pb").read_bytes()
        stage = read_stage(Folder(tmp_path / source, source))
        for damaged in mutations(graph, 40, 5):
            (network / "saved_model.pb").write_bytes(damaged)
            (tmp_path / source / name).unlink()
            zip_folder(network, tmp_path / source / name)
            try:
                read(stage, tmp_path)
            except ConversionError as error:
                assert str(error).startswith(source)


def test_a_stage_that_is_a_link_is_refused(tmp_path):
    write_ner(tmp_path / "elsewhere" / "ner")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "ner").symlink_to(tmp_path / "elsewhere" / "ner")
    with pytest.raises(ConversionError, match="saved/ner: expected a folder, got a link"):
        Folder(tmp_path / "saved", "saved") / "ner"
    with pytest.raises(ConversionError, match="saved/ner: expected a folder, got a link"):
        Folder(tmp_path / "saved", "saved").parts("ner")


def test_damaged_archives(tmp_path):
    write_embeddings(tmp_path / "embeddings")
    write_ner(tmp_path / "ner")
    zip_folder(tmp_path / "ner", tmp_path / "ner.zip")
    data = (tmp_path / "ner.zip").read_bytes()
    for i, damaged in enumerate(mutations(data, 50, 6)):
        (tmp_path / "ner.zip").write_bytes(damaged)
        try:
            convert([tmp_path / "embeddings", tmp_path / "ner.zip"], tmp_path / f"dst-{i}")
        except ConversionError as error:
            assert str(tmp_path / "ner.zip") in str(error)
            assert not (tmp_path / f"dst-{i}").exists()


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    write_embeddings(tmp_path / "embeddings")
    write_ner(tmp_path / "ner")
    zip_folder(tmp_path / "ner", tmp_path / "ner.zip")
    monkeypatch.setattr(shutil, "copyfileobj", mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(ConversionError, match=r": no room to unpack .*ner\.zip: No space left on device"):
        convert([tmp_path / "embeddings", tmp_path / "ner.zip"], tmp_path / "dst")
    assert not (tmp_path / "dst").exists()


@given(st.binary(max_size=300))
def test_any_bytes(data):
    for read, before in ((read_records, b""), (read_records, HEADER + SYNC), (read_java, b""),
                         (read_java, b"\xac\xed\0\5"), (read_table, b"")):
        try:
            read(before + data)
        except ConversionError as error:
            assert str(error).startswith("file: ")


@pytest.mark.parametrize(("value", "message"), [
    (b"s" + java_class("A", flags=4), "A is not in the serializable form"),
    (b"q" + struct.pack(">i", 0x7E0005), "a reference to record 5, which is not there"),
    (b"u" + java_class("[I") + struct.pack(">i", 2**31 - 1), r"an array of class '\[I' and length 2147483647"),
    (b"u" + java_class("[I") + struct.pack(">i", -1), "length -1"),
    (b"u" + java_class("[D") + struct.pack(">i", 8) + bytes(9), "ends too early"),
    (b"u" + java_class("") + bytes(4), "an array of class ''"),
    (b"t" + b"\xff\xff", "ends too early"),
    (b"t" + b"\0\1\xff", "bytes that are no text"),
    (b"|" + bytes(8), "records of type 0x7c are not expected here"),
    (b"pp", "expected its end"),
    (b"s" + java_class("A", [("I", "a")])[:-2] + b"x" + java_class("B") * 1 + b"p", "ends too early"),
    (java_object("scala.collection.immutable.List$SerializationProxy", {}), "a Scala list without its end"),
])
def test_impossible_java(value, message):
    with pytest.raises(ConversionError, match=message):
        parse(b"\xac\xed\0\5" + value, "file")


def test_java_bombs():
    """Deep nesting, long chains of superclasses, and arrays of arrays that would be huge if they were copied."""
    nested = b"u" + java_class("[L") + struct.pack(">i", 1)
    with pytest.raises(ConversionError, match="nested deeper than 60 levels"):
        parse(b"\xac\xed\0\5" + nested * 5000, "file")
    chain = b"r" + java_text("A") + bytes(8) + b"\2\0\0x"
    with pytest.raises(ConversionError, match="nested deeper than 60 levels"):
        parse(b"\xac\xed\0\5s" + chain * 5000, "file")
    with pytest.raises(ConversionError, match="more than 8 superclasses"):
        parse(b"\xac\xed\0\5s" + chain * 20 + b"p", "file")
    doubled = java_array("[L", [b"p"])
    for i in reversed(range(40)):  # array i's second element is its first one: array i + 1, the record 2 i + 3
        doubled = java_array("[L", [doubled, b"q" + struct.pack(">i", 0x7E0000 + 2 * i + 3)])
    assert bounded(read_java, b"\xac\xed\0\5" + doubled)
    assert bounded(read_java, b"\xac\xed\0\5" + java_array("[L", [b"p"] * 200_000))


@pytest.mark.parametrize(("data", "message"), [
    (b"SEQ\5" + HEADER[4:] + SYNC, "expected an uncompressed SequenceFile"),
    (HEADER.replace(b"Bytes", b"Text!") + SYNC, "expected an uncompressed SequenceFile"),
    (HEADER + SYNC[:5], "ends within its header"),
    (HEADER + SYNC + b"\xff\xff\xff\xff" + bytes(16), "a wrong sync mark at byte 95"),
    (HEADER + SYNC + bytes(5), "ends within a record, at byte 95"),
    (HEADER + SYNC + struct.pack(">iii", 2**31 - 1, 0, 2**31 - 5), "impossible lengths at byte 95"),
    (HEADER + SYNC + struct.pack(">iii", -8, 0, -12), "impossible lengths at byte 95"),
    (sequence_file([b"abc"])[:-1], "impossible lengths at byte 95"),
    (HEADER + SYNC + struct.pack(">iii", 4, 1, 0), "impossible lengths at byte 95"),
])
def test_impossible_sequence_files(data, message):
    with pytest.raises(ConversionError, match=message):
        read_records(data)


def footer(index_offset, index_size):
    handles = varint(0) + varint(0) + varint(index_offset) + varint(index_size)
    return handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def one_block(data):
    """A table with these bytes as its block, under good checksums."""
    index = block([(b"z", varint(0) + varint(len(data) - 5))])
    return data + index + footer(len(data), len(index) - 5)


@pytest.mark.parametrize(("data", "message"), [
    (b"", "truncated or damaged"),
    (bytes(48), "expected a checkpoint index, got another file"),
    (footer(0, 2**60), "exceeds the file"),
    (footer(2**60, 0), "exceeds the file"),
    (one_block(block([(b"b", b""), (b"a", b"")])), "not in order"),
    (one_block(block([(b"a", b""), (b"a", b"")])), "not in order"),
    (one_block(block([(b"a" * 5000, b"")])), "too long ones"),
    (write_table((b"%06d" % i, b"") for i in range(20_001)), "too many keys"),
])
def test_impossible_tables(data, message):
    with pytest.raises(ConversionError, match=message):
        read_table(data)


def test_a_checkpoint_in_a_graph_s_place_and_the_reverse(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes((FIXTURES / "ner" / "variables.index").read_bytes())
    with pytest.raises(ConversionError, match=r"file/saved_model\.pb: not a GraphDef"):
        Graph(Folder(tmp_path, "file"))
    (tmp_path / "variables.index").write_bytes(b"\x0a\x00" * 1000)
    with pytest.raises(ConversionError, match=r"file/variables\.index: expected a checkpoint index"):
        TensorBundle(Folder(tmp_path, "file"))


def test_huge_graphs(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(bytes((16 << 20) + 1))
    with pytest.raises(ConversionError, match=r"saved_model\.pb: expected at most 16,777,216 bytes"):
        Graph(Folder(tmp_path, "file"))
    (tmp_path / "saved_model.pb").write_bytes(b"\x0a\x00" * 200_000)
    with pytest.raises(ConversionError, match="expected at most 100,000 nodes and functions, got 200,000"):
        Graph(Folder(tmp_path, "file"))
    for n_attributes, message in ((10_001, "has more than 10,000 inputs or attributes"),
                                  (5_000_000, "of 10,000,000 bytes, expected at most 1,048,576")):
        node = b"\x2a\x00" * n_attributes
        (tmp_path / "saved_model.pb").write_bytes(b"\x0a" + varint(len(node)) + node)
        with pytest.raises(ConversionError, match=f"file/saved_model.pb: a node {message}"):
            Graph(Folder(tmp_path, "file"))


def test_tensors_outside_the_data_file(tmp_path):
    """Offsets and sizes that point elsewhere, under good checksums."""
    header = new("BundleHeaderProto")
    header.num_shards = 1
    for offset, size, shape, message in (
            (2**62, 4, (1,), "expected"), (0, 2**40, (2**38,), "expected 1,099,511,627,776 bytes"),
            (-8, 4, (1,), "are no whole tensor"), (0, 8, (1,), "are no whole tensor"),
            (0, 4, (-1,), "expected a shape"), (0, 8, (2**31, 2**31), "are no whole tensor")):
        entry = new("BundleEntryProto")
        entry.dtype, entry.offset, entry.size = 1, offset, size
        for length in shape:
            entry.shape.dim.add().size = length
        (tmp_path / "variables.index").write_bytes(write_table([(b"", header.SerializeToString()),
                                                                (b"x", entry.SerializeToString())]))
        (tmp_path / "variables.data-00000-of-00001").write_bytes(bytes(8))
        with pytest.raises(ConversionError, match=message):
            TensorBundle(Folder(tmp_path, "file")).tensor("x", [None] * len(shape))
