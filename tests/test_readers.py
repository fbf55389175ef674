"""Input that readers once took for what it is not, and what finds such input."""

import contextlib
import importlib.util
import io
import time

import fuzz
import pytest
import readers

from nerlite.errors import InputError
from nerlite.io import format_named, jsonl
from nerlite.io.base import ReadOptions, WriteOptions


@pytest.mark.parametrize("target", readers.TARGETS)
def test_every_reader_reads_the_input_that_damage_begins_with(target):
    seeds = readers.seeds(target)
    assert seeds
    for seed in seeds:
        for option in range(13):  # of writers
            with contextlib.suppress(InputError):  # of a writer that takes one kind of rows
                readers.TARGETS[target](bytes([seed[0], option]) + seed[2:])


def test_a_row_that_is_written_as_another_is_seen(monkeypatch):
    real = jsonl.write
    monkeypatch.setattr(jsonl, "write", lambda *arguments: real(*arguments).replace("Ada", "Eve"))
    with pytest.raises(AssertionError):
        readers.check_reader("jsonl", b'\0\0{"text": "Ada"}')
    readers.check_reader("jsonl", b'\0\0{"text": "Bob"}')


def test_what_stands_before_a_value_of_json_is_white_space_to_json():
    """What is more than that would come out again in JSON lines."""
    for space in ("\v", "\f", "\x1c", "\x85", "\xa0", "\u2028"):
        with pytest.raises(InputError, match=r"^f:1: not JSON: Expecting value at column 1"):
            list(readers.read("json", f'{space}{{"text": ""}}'.encode(), ReadOptions()))
    assert len(list(readers.read("json", b' \t\r\n{"text": ""}', ReadOptions()))) == 1


def test_make_fuzz_says_that_readers_are_not_led(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["fuzz.py", "--seconds", "0.01", "--first", "1", "readers"])
    assert fuzz.main() == 0
    assert "atheris is not installed" in capsys.readouterr().out


def test_readers_are_led_by_the_code_that_input_reaches(monkeypatch, tmp_path, capsys):
    pytest.importorskip("atheris")
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr("sys.executable", fuzz.sys.executable)
    assert fuzz.guide("json", 3, 1)
    assert "inputs, led by what they reach" in capsys.readouterr().out
    assert len(list((tmp_path / "corpus" / "json").iterdir())) >= 1


@pytest.mark.parametrize(("form", "content"), [
    ("xml", b"<a>" + b"<b>x</b>" * 50_000 + b"</a>"),
    ("xml", b"<a>" + b"<b><c>x</c>\n</b>" * 50_000 + b"</a>"),
    ("json", b'{"text": "a' + b" " * 200_000 + b'b"}'),
    ("json", b'{"text": "a"' + b" " * 200_000 + b"}"),
])
def test_time_grows_in_proportion(form, content):
    if form not in readers.TARGETS:
        pytest.skip("lxml is not installed")
    before = time.process_time()
    assert len(list(readers.read(form, content, ReadOptions()))) == 1
    assert time.process_time() - before < 10  # in proportion to its square it was minutes


def test_xml_amid_text_is_told_by_each_parent():
    pytest.importorskip("lxml")
    text = "<a><b>One <i>two</i> three</b><b><i>four</i><i>five</i></b><b><i>six</i> seven</b></a>"
    (record,) = readers.read("xml", text.encode(), ReadOptions())
    assert record.text == "One two three\n\nfour\n\nfive\n\nsix seven"


@pytest.mark.parametrize(("number", "words"), [("1" * 5000, ["A", "B", "C"]), ("0", ["A", "B", "C"]),
                                               ("007", ["007"] * 3), ("٣", ["٣"] * 3)])
def test_a_sentences_number_is_one_whatever_its_length(number, words):
    (record,) = readers.read("conll", "".join(f"{number} {word} O\n" for word in "ABC").encode(), ReadOptions())
    assert record.text == [words]


@pytest.fixture
def parquet():
    """A function that yields the records of a table whose file has some bytes exchanged for others."""
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    def read(table, old=b"", new=b""):
        out = io.BytesIO()
        pq.write_table(table, out, compression="none")
        assert old in out.getvalue()
        return list(readers.read("parquet", out.getvalue().replace(old, new) if old else out.getvalue(), ReadOptions()))

    return read


@pytest.mark.parametrize("old", ["Ada", "Bern", "city"])
def test_texts_and_names_of_parquet_that_are_not_utf8(parquet, old):
    import pyarrow as pa

    with pytest.raises(InputError, match=r"^f: not a readable Parquet file: .*(?:utf-8|UTF8)"):
        parquet(pa.table({"text": ["Ada"], "city": ["Bern"]}), old.encode(), b"\xff" * len(old))


@pytest.mark.parametrize("names", [["text", "text"], ["text", "a"], ["a", "a"]])
def test_parquet_has_each_column_once(parquet, names):
    import pyarrow as pa

    with pytest.raises(InputError, match=r"^f: expected each column once, got 'text', "):
        parquet(pa.table([pa.array(["x"])] * 3, ["text", *names]))


@pytest.mark.parametrize(("kind", "value"), [("date32", 2 ** 30), ("duration[s]", 2 ** 50), ("timestamp[us]", 2 ** 62)])
def test_values_of_parquet_that_python_does_not_have(parquet, kind, value):
    import pyarrow as pa

    column = pa.array([value], pa.type_for_alias(kind))
    records = parquet(pa.table({"text": ["Ada"], "when": column}))
    document = readers.document_of(records[0].text)
    with pytest.raises(InputError, match=r"^f:1: column 'when': a .* that can't be written: "):
        format_named("jsonl").write(document, records[0], WriteOptions())
    assert format_named("parquet").Tables(WriteOptions()).table([(document, records[0])]).num_rows == 1
