"""Readers say what is wrong where; writers give lines that can be read back."""

import io
import json
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nerlite.document import Document, Entity
from nerlite.io import READERS, WRITERS, format_named, format_of, jsonl, table, writer_named
from nerlite.io.conll import Sentence, read_rows, read_tagged
from nerlite.io.records import InputError, ReadOptions, Record, decode, read_lines, select

CONLL = """-DOCSTART- -X- O

EU NNP B-ORG
rejects VBZ O

Peter NNP B-PER

-DOCSTART- -X- O

Paris NNP B-LOC
"""


@pytest.fixture
def document() -> Document:
    text = "John lives in New York"
    return Document(text, array("q", [0, 4, 5, 10, 11, 13, 14, 17, 18, 22]),
                    [Entity("John", "PER", 0, 4, 0.99), Entity("New York", "LOC", 14, 22, 0.6)])


def test_lines_lose_their_ends_and_the_byte_order_mark():
    stream = io.BytesIO("\ufeffa\r\n\n b\u2028c\ufeff\nlast".encode())
    assert list(read_lines(stream, "f")) == ["a", "", " b\u2028c\ufeff", "last"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]))))
def test_lines_are_those_that_were_written(lines):
    stream = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    assert list(read_lines(stream, "f")) == lines


def test_bytes_that_are_not_utf8_are_named_by_line_and_offset():
    good = "é\n".encode()
    with pytest.raises(InputError, match=r"^f:2: not UTF-8: byte 0xff at offset 5 of the file"):
        list(read_lines(io.BytesIO(good + b"ab\xff\n"), "f"))
    with pytest.raises(InputError, match=r"^f:3: not UTF-8: byte 0xe9 at offset 4 of the file"):
        decode(b"a\n\nb\xe9\n", "f")


@pytest.mark.parametrize(("line", "message"), [
    ("{", r"not JSON: .* at column 2"),
    ("[" * 100_000, "not JSON that can be read"),
    ('{"text": ' + "9" * 5_000 + "}", "not JSON that can be read"),
    ('{"text": "x", "n": 1e400}', "not JSON that can be read: 1e400 is beyond what a float64 can be"),
    ('["text"]', "expected a JSON object"),
    ('{"body": "x", "id": 1}', "no key 'text'; the line has 'body', 'id'"),
    ("{}", "no key 'text'; the line has no keys"),
    ('{"text": 5}', "key 'text': expected a string, got 5"),
    ('{"text": null}', "key 'text': expected a string, got None"),
])
def test_a_bad_json_line_is_named(line, message):
    with pytest.raises(InputError, match=f"^f:3: {message}"):
        list(jsonl.read([b'{"text": "fine"}\n', b"\n", line.encode()], "f", ReadOptions()))


def test_conll_documents():
    documents = list(read_tagged(CONLL.splitlines(), "f"))
    assert documents == [[Sentence(["EU", "rejects"], ["B-ORG", "O"]), Sentence(["Peter"], ["B-PER"])],
                         [Sentence(["Paris"], ["B-LOC"])]]


def test_conll_without_documents_is_read_by_sentence():
    lines = [line for line in CONLL.splitlines() if not line.startswith("-")]
    documents = list(read_rows(lines, "f"))
    assert [document.start for document in documents] == [None] * 3
    assert [[rows.line for rows in document.sentences] for document in documents] == [[2], [5], [8]]


def test_conll_rows_keep_every_column_and_the_document_lines():
    first, second = read_rows(CONLL.splitlines(), "f")
    assert first.start == second.start == ["-DOCSTART-", "-X-", "O"]
    assert first.sentences[0].columns == [["EU", "NNP", "B-ORG"], ["rejects", "VBZ", "O"]]
    assert [rows.line for rows in first.sentences] == [3, 6]


def test_conll_words_may_hold_spaces_of_other_kinds():
    assert list(read_tagged(["10\u00a0000\tO", "a  B-X"], "f")) == [[Sentence(["10\u00a0000", "a"], ["O", "B-X"])]]


@pytest.mark.parametrize(("lines", "message"), [
    (["EU"], "f:1: expected 2 columns, got 'EU'"),
    (["EU NNP B-ORG", "", "a O"], "f:3: expected 3 columns, got 'a O'"),
    (["EU NNP B-ORG", "New York NNP B-LOC"], "f:2: expected 3 columns, got 'New York NNP B-LOC'"),
])
def test_a_conll_row_with_the_wrong_number_of_columns_is_named(lines, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        list(read_tagged(lines, "f"))


def test_a_format_is_found_by_its_name_and_by_its_files_suffix():
    for name in {*READERS, *WRITERS}:
        format_named(name)
    assert all(hasattr(format_named(name), "read") for name in READERS)
    nothing = Document("", array("I"), [])
    for name in WRITERS:
        writer = writer_named(name, "title")
        assert "".join([writer.head(), writer.write(nothing, Record("", "f:1")), writer.tail()]).endswith("\n")
    assert [format_of(f"a{suffix}") for suffix in (".JSONL", ".iob", ".txt", "")] == ["jsonl", "conll", "txt", "txt"]


def test_select_by_label_and_score_takes_the_tags_along(document):
    assert document.tags == ["B-PER", "O", "O", "B-LOC", "I-LOC"]
    assert select(document, [], 0) == document
    people = select(document, ["PER"], 0)
    assert [entity.text for entity in people.entities] == ["John"]
    assert people.tags == ["B-PER", "O", "O", "O", "O"]
    assert select(document, ["LOC"], 0.7).entities == []
    assert select(document, ["LOC"], 0.7).tags == ["O"] * 5
    assert select(document, ["PER", "LOC"], 0.6) == document


def written(document, row=None):
    return jsonl.write(document, Record(document.text, "f:1", row=row))


def test_json_line(document):
    assert json.loads(written(document)) == {
        "text": "John lives in New York",
        "entities": [{"text": "John", "label": "PER", "start": 0, "end": 4, "score": 0.99},
                     {"text": "New York", "label": "LOC", "start": 14, "end": 22, "score": 0.6}]}
    kept = json.loads(written(document, {"id": 7, "body": document.text, "entities": "old", "truncated_at": 3}))
    assert list(kept) == ["id", "body", "entities"]
    assert len(kept["entities"]) == 2


def test_json_line_says_where_the_model_stopped_reading():
    assert json.loads(written(Document("a b", array("q", [0, 1]), [], truncated_at=1)))["truncated_at"] == 1


@given(st.text())
@example("a lone \ud800 surrogate")
def test_json_lines_read_back_as_they_were(text):
    line = written(Document(text, array("q"), []))
    assert line.count("\n") == 1
    assert json.loads(line.encode("utf-8", "backslashreplace"))["text"] == text


def test_table(document, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert table.write(document, Record(document.text, "f:1")) == ("f:1  John lives in New York\n"
                                                                   "  0.99  PER    0–4  John\n"
                                                                   "  0.60  LOC  14–22  New York\n")


def test_table_keeps_to_the_width_and_to_printable_characters(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = "a\x1b[31m\nb" + "c" * 1_000
    document = Document(text, array("q"), [Entity("a\x1b[31m\nb", "X", 0, 7, 1.0)])
    lines = table.write(document, Record(text, "f")).splitlines()
    assert lines[0] == "f  a?[31m b" + "c" * 28 + "…"
    assert len(lines[0]) == 40
    assert lines[1] == "  1.00  X  0–7  a?[31m b"
