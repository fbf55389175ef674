"""Hostile input: what the readers of all formats, the writers after them and the splitter make of any bytes.

Each target takes bytes, of which the first two choose options, and is right where it returns or raises an `InputError`
that a terminal can show. `fuzz.py` gives them damaged files, and `guided.py` what reaches lines of code that nothing
before it has reached.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import json
import lzma
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from nerlite.cli import console
from nerlite.document import Document, Entity
from nerlite.errors import LONGEST_LINE, MOST_LINES, FileError, InputError
from nerlite.forms import form
from nerlite.io import READERS, WRITERS, format_named, writer_named
from nerlite.io.base import ReadOptions, Record, WriteOptions
from nerlite.limits import word_kinds
from nerlite.pipeline import _joined
from nerlite.text import PARAGRAPH, RULES, split_words

N_OPTIONS = 2
# Seconds of one core that 200,000 characters may take, many times what they do.
LONG, SECONDS = 200_000, 20
KEY = "entities"
# Each form's input as it should be, behind its options.
SEEDS = {
    "txt": ["Angela Merkel flew to Berlin.\r\nOslo\n\nParis", "\ufeffOne text\nof lines"],
    "jsonl": ['{"id": 1, "text": "Ada in Rome", "x": [1.5e3, null]}\n\n{"text": null}\n',
              '{"data": {"text": "\\u00e9\\ud800"}}'],
    "json": ['[{"text": "Ada"},\n {"text": null, "a": {"b": true}}]', '{"text": "Ada"}\n{"text": "\\n"} {"text": ""}'],
    "csv": ['id,text\r\n1,"Ada, in ""Rome"""\r\n2,\r\n', "text;b\nAda;Rome\n;\n\n1;2\n"],
    "tsv": ["id\ttext\n1\tAda in Rome\n", 'text\n"a\nb"\n'],
    "html": ["<p>Ada<br>in <b>Rome</b></p><table><tr><td>1<td hidden>2</table><pre>a\n\nb</pre><!-- c --><script>d",
             '<meta charset="iso-8859-1"><li style="display:none">a<li>&eacute;&#x41;'],
    "xml": ['<?xml version="1.0" encoding="ascii"?><a><b>Ada</b> in <c d="e">Rome</c><![CDATA[x]]>&amp;<?p q?></a>',
            '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;&lt;</a>'],
    "conll": ["-DOCSTART- -X- O\n\nEU NNP B-ORG\nin IN O\n\n# text = b\n1 Rome B-LOC\n",
              "#begin document (x)\n1\tAda\tB-PER\n2\tb\tO\n"],
}


def check_message(error: FileError) -> None:
    """Raise AssertionError where an error is none that a terminal can show."""
    lines = str(error).split("\n")
    assert len(lines) <= MOST_LINES, "too many lines"
    assert all(line.isprintable() and len(line) <= LONGEST_LINE for line in lines), "unreadable lines"


def options_of(data: bytes, fail: Callable[[InputError], None]) -> ReadOptions:
    """Return the options that input begins with."""
    bits = data[0]
    return ReadOptions(whole=bool(bits & 1), by=("document", "sentence")[bits >> 1 & 1],
                       text_key=("text", "data.text")[bits >> 2 & 1], text_column=("text", "b")[bits >> 3 & 1],
                       word_column=(None, 1, 2, 4)[bits >> 4 & 3], fail=fail)


def read(form: str, content: bytes, options: ReadOptions) -> Iterator[Record]:
    """Yield what a form's reader makes of a file's content."""
    reader = format_named(form)
    if not hasattr(reader, "read_file"):
        yield from reader.read(io.BytesIO(content), "f", options)
        return
    with tempfile.NamedTemporaryFile(suffix=f".{form}") as file:
        file.write(content)
        file.flush()
        yield from reader.read_file(file.name, "f", options)


def document_of(text: Any) -> Document:
    """Return a record's text as a document, of whose words some are entities."""
    if text is None:
        return Document("", array("I"), [])
    words = split_words(text) if isinstance(text, str) else _joined(text)
    entities = [Entity(words.text[start:end], ("PER", "LOC")[i % 2], start, end, 0.5)
                for i, (start, end) in enumerate(words.offsets) if end > start][::3]
    return Document(words.text, words.bounds, entities)


def check_reader(form: str, data: bytes) -> None:
    """Read a file, once to its first fault and once past all; write what was read, and read that."""
    if len(data) < N_OPTIONS:
        return
    errors: list[InputError] = []
    content = data[N_OPTIONS:]
    strict, lenient = list[Record](), list[Record]()
    try:
        lenient.extend(_each(read(form, content, options_of(data, errors.append)), lenient))
    except InputError as error:
        errors.append(error)
    try:
        strict.extend(_each(read(form, content, options_of(data, _raise)), strict))
        assert not errors, f"an error that was not raised: {errors[0]}"
    except InputError as error:
        assert errors and str(errors[0]) == str(error), f"{error} or {errors[:1]}"
    for each in errors:
        check_message(each)
    assert [record[:2] for record in strict] == [record[:2] for record in lenient[:len(strict)]]
    names = list(WRITERS) if form == "parquet" else [each for each in WRITERS if each not in ("parquet", "brat")]
    check_writer(names[data[1] % len(names)], lenient)
    if errors:
        raise errors[0]


def _raise(error: InputError) -> None:
    raise error


def _each(records: Iterator[Record], kept: list[Record]) -> Sequence[Record]:
    """Keep records as they come, so that those before an error are there."""
    kept.extend(records)
    return ()


def check_writer(name: str, records: Sequence[Record]) -> None:
    """Write records; what keeps the columns or objects that they came with has them when it is read again."""
    documents = [(document_of(record.text), record) for record in records]
    if name == "parquet":
        tables = format_named(name).Tables(WriteOptions(KEY))
        assert tables.table(documents).num_rows == len(records)
        return
    if name == "brat":
        brat = format_named(name)
        for document, _ in documents:
            assert brat.standoff(document).count("\n") == len(document.entities)
        return
    writer = writer_named(name, "f", WriteOptions(KEY))
    text = "".join([writer.head(), *(writer.write(*each) for each in documents), writer.tail()])
    again = text.encode("utf-8", "backslashreplace")
    if name == "jsonl":
        rows = [json.loads(line) for line in text.split("\n")[:-1]]
        assert len(rows) == len(records)
        for row, (document, record) in zip(rows, documents, strict=True):
            assert len(row.pop(KEY)) == len(document.entities)
            if record.row is not None:
                assert repr(row) == repr(dict(record.row)), record
    elif name in ("csv", "tsv") and records and records[0].row is not None:
        column = next(iter(records[0].row), "")
        if text.isascii() or "\\" not in text:  # no surrogate's escape
            options = ReadOptions(text_column=column)
            rows = [dict(record.row or {}) for record in format_named(name).read(io.BytesIO(again), "f", options)]
            assert [list(row)[:-1] for row in rows] == [list(record.row or ()) for record in records]
            for row, record in zip(rows, records, strict=True):
                for key, value in (record.row or {}).items():
                    assert not isinstance(value, str) or row[key] == value, record
    elif name == "conll" and all(record.conll for record in records):
        found = [rows for record in records if record.conll for rows in record.conll.sentences]
        if any(rows.columns[0][0].startswith("#") for rows in found):  # which may look like a comment there
            return
        back = format_named(name).read_rows(text.split("\n"), "f", ReadOptions(word_column=1))
        assert [[row[:-1] for row in rows.columns] for document in back for rows in document.sentences] == [
            rows.columns for rows in found]
    elif name == "labelstudio":
        assert len(json.loads(text)) == len(records)


def check_file(data: bytes) -> None:
    """Decompress, decode and part into lines, at once and in parts."""
    if len(data) < N_OPTIONS:
        return
    suffix = ("", ".gz", ".bz2", ".xz")[data[0] & 3]
    encoding = (None, "utf-16", "latin-1", "utf-8", "utf-7", "cp932", "utf-32-be", "utf-8-sig")[data[0] >> 2 & 7]
    found: list[list[bytes] | InputError] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"f{suffix}")
        path.write_bytes(data[N_OPTIONS:])
        for size in (1 << 20, data[1] % 32 + (1 if encoding else 4096)):
            with mock.patch.object(console, "READ_SIZE", size):
                try:
                    found.append(list(console.Input([], encoding).read(str(path))))
                except InputError as error:
                    check_message(error)
                    found.append(error)
    for each in found:
        if isinstance(each, InputError):
            raise each
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in each[:-1])
    assert found[0] == found[1], "parts make a difference"


def check_words(data: bytes) -> None:
    """Split a text, some of them many times as long; words lie in it in order, and each has a form, a gap, a kind."""
    if len(data) < N_OPTIONS:
        return
    text = data[N_OPTIONS:].decode("utf-8", "replace")
    if data[1] % 32 == 31 and text:
        text *= LONG // len(text)
    before = time.process_time()
    words = split_words(text)
    bounds = list(words.bounds)
    assert bounds == sorted(bounds) and (not bounds or bounds[-1] <= len(text))
    assert all(start < end for start, end in words.offsets)
    assert all(word and not word.isspace() for word in words.read)
    assert len(words.breaks) == len(words) and max(words.breaks, default=0) <= PARAGRAPH
    forms = words.read.forms
    assert len(forms) == len(words.read) and len(word_kinds(list(forms), words.read.breaks)) == len(words.read)
    assert time.process_time() - before < SECONDS, "took too long"
    for word in words.read[:100]:
        assert form(form(word)) == form(word), word


def _parquet() -> Iterator[bytes]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return
    for table in (pa.table({"text": ["Ada in Rome", None], "b": [1, 2]}), pa.table({"b": ["x"], "c": [[{"d": 1.5}]]})):
        out = io.BytesIO()
        pq.write_table(table, out, compression="none")
        yield out.getvalue()


def _has(module: str) -> bool:
    try:
        __import__(module)
    except ImportError:
        return False
    return True


TARGETS: dict[str, Callable[[bytes], None]] = {
    **{name: functools.partial(check_reader, name) for name in READERS
       if _has({"html": "lxml", "xml": "lxml", "parquet": "pyarrow"}.get(name, "json"))},
    "file": check_file,
    "words": check_words,
}


def seeds(target: str) -> list[bytes]:
    """Return inputs as they should be."""
    if target == "file":
        text = "Ada in Zürich\nand Rome\n"
        packed = [pack(text.encode()) for pack in (bytes, gzip.compress, bz2.compress, lzma.compress)]
        wide = [bytes([first, 3]) + text.encode("utf-16") for first in (0, 4)]
        return [*(bytes([i, 7]) + content for i, content in enumerate(packed)), *wide]
    if target == "words":
        contents = [rule.text.encode() for rule in RULES]
    elif target == "parquet":
        contents = list(_parquet())
    else:
        contents = [each.encode() for each in SEEDS[target]]
    return [bytes([0, i]) + content for i, content in enumerate(contents)]
