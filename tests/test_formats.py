"""Readers say what is wrong where; writers give lines that can be read back."""

import io
import itertools
import json
import re
import sys
from array import array

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nerlite.document import Document, Entity
from nerlite.errors import InputError, Place
from nerlite.io import READERS, WRITERS, brat, conll, csv, format_named, format_of, jsonl, table, writer_named
from nerlite.io import json as json_array
from nerlite.io.base import ReadOptions, Record, WriteOptions, decode, read_lines, select
from nerlite.io.conll import Sentence, read_rows, read_tagged
from nerlite.io.encoding import ToUtf8

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


def lines_of(data):
    return [line for _, line in read_lines(io.BytesIO(data), "f")]


def test_lines_lose_their_ends_and_the_byte_order_mark():
    assert lines_of("\ufeffa\r\n\n b\u2028c\ufeff\nlast".encode()) == ["a", "", " b\u2028c\ufeff", "last"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]))))
def test_lines_are_those_that_were_written(lines):
    assert lines_of("".join(f"{line}\n" for line in lines).encode()) == lines


def test_bytes_that_are_not_utf8_are_named_by_line_and_offset():
    good = "é\n".encode()
    with pytest.raises(InputError, match=r"^f:2: not UTF-8: byte 0xff at offset 5 of the file"):
        lines_of(good + b"ab\xff\n")
    with pytest.raises(InputError, match=r"^f:3: not UTF-8: byte 0xe9 at offset 4 of the file"):
        decode(b"a\n\nb\xe9\n", "f")


@pytest.mark.parametrize(("line", "message"), [
    ("{", r"not JSON: .* at column 2"), ('{"text": "a"\n', r"not JSON: .* at column 13"),
    ('{"text": "a\tb"}', "not JSON: Invalid control character at column 12"),
    ("[" * 100_000, "not JSON that can be read"),
    ('{"text": ' + "9" * 5_000 + "}", "not JSON that can be read"),
    ('["text"]', "expected a JSON object"),
    ('{"body": "x", "id": 1}', "no key 'text'; the line has 'body', 'id'"),
    ("{}", "no key 'text'; the line has no keys"),
    ('{"text": 5}', "key 'text': expected a string or null, got 5"),
    ('{"text": "x", "n": NaN}', "not JSON that can be read: NaN is no number of JSON's"),
    ('{"text": "x", "n": -Infinity}', "not JSON that can be read: -Infinity is no number of JSON's"),
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
    assert all(hasattr(format_named(name), "read_file" if name == "parquet" else "read") for name in READERS)
    nothing = Document("", array("I"), [])
    for name in WRITERS.keys() - {"brat", "parquet"}:
        writer = writer_named(name, "title", WriteOptions())
        assert "".join([writer.head(), writer.write(nothing, Record("", Place("f", 1))), writer.tail()]).endswith("\n")
    assert [format_of(f"a{suffix}") for suffix in (".JSONL", ".iob", ".txt", "", ".csv.gz", ".tsv.ZST", ".gz")] == [
        "jsonl", "conll", "txt", "txt", "csv", "tsv", "txt"]
    for suffix in (".pdf", ".DOCX.gz"):
        with pytest.raises(InputError, match=f"^a{suffix}: expected text, markup, a table or CoNLL columns, got"):
            format_of(f"a{suffix}")


def read_csv(source, **options):
    return list(csv.read(io.BytesIO(source.encode()), "f", ReadOptions(**options)))


@pytest.mark.parametrize(("source", "options", "texts"), [
    ("id,text\n1,a\n2,b\n", {}, ["a", "b"]), ('text;n\n"a ""x"";\nb";1\n', {}, ['a "x";\nb']), ("", {}, []),
    ("\ufeffbody,n\r\na,1\r\n\r\n,2\r\n", {"text_column": "body"}, ["a", ""]), ("text\n", {}, []),
])
def test_csv(source, options, texts):
    assert [record.text for record in read_csv(source, **options)] == texts


@pytest.mark.parametrize(("source", "message"), [
    ("a,b\n1,2\n", "f:1: no column 'text'; --text-column names the one with the texts; there are 'a', 'b'"),
    ("text,text\n", "f:1: expected each column once"), ("text,n\nx,1\ny\n", "f:3: expected 2 fields, got 1"),
    ('text\n"a', "f:2: not CSV: unexpected end of data"), ('text\n"a"b\n', "f:2: not CSV: ',' expected after"),
])
def test_bad_csv_is_named(source, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        read_csv(source)


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(
    exclude_categories=["Cs"])))), st.sampled_from(["csv", "tsv"]))
def test_tables_come_out_with_a_column_more(rows, form):
    writer = writer_named(form, "", WriteOptions())
    records = [Record(text, Place("f", 1), row={"text": text, "b,\t": other}) for text, other in rows]
    documents = [Document(text, array("q", [0, 1]), [Entity(text[:1], "PER", 0, 1, 0.5)] if text else [])
                 for text, _ in rows]
    output = "".join(map(writer.write, documents, records))
    again = list(format_named(form).read(io.BytesIO(output.encode()), "f", ReadOptions()))
    assert [(record.text, record.row["b,\t"]) for record in again] == rows
    assert [json.loads(record.row["entities"]) for record in again] == [
        [entity.to_dict() for entity in document.entities] for document in documents]


def test_label_studio_reads_tasks_with_regions_in_its_own_offsets():
    text = "\U0001f600 John"
    document = Document(text, array("q", [0, 1, 2, 6]), [Entity("John", "PER", 2, 6, 0.75)])
    writer = writer_named("labelstudio", "", WriteOptions())
    tasks = json.loads("".join([writer.head(), writer.write(document, Record(text, Place("f", 1), row={"id": 7})),
                                writer.write(Document("", array("q"), []), Record("", Place("f", 2))), writer.tail()]))
    assert tasks[0] == {"data": {"id": 7, "text": text}, "predictions": [{
        "model_version": "nerlite", "score": 0.75, "result": [{
            "from_name": "label", "to_name": "text", "type": "labels", "score": 0.75,
            "value": {"start": 3, "end": 7, "text": "John", "labels": ["PER"]}}]}]}
    assert tasks[1]["predictions"][0]["result"] == []
    again = writer_named("labelstudio", "", WriteOptions())
    again.go_on(writer.state())
    assert again.write(document, Record(text, Place("f", 1))).startswith(",")


@pytest.mark.parametrize(("text", "spans", "expected"), [
    ("In New\nYork.", [(3, 11)], "T1\tLOC_1 3 6;7 11\tNew York\n"),
    ("New \r\n\tYork  City", [(0, 17)], "T1\tLOC_1 0 3;7 17\tNew York  City\n"),
    ("\U0001f600 A\u2028B\nC D", [(2, 7), (8, 9)], "T1\tLOC_1 2 3;4 5;6 7\tA B C\nT2\tLOC_1 8 9\tD\n"),
    ("\ud800 x", [(0, 3)], "T1\tLOC_1 0 3\t\ufffd x\n"),
    ("none", [], ""),
])
def test_brat_reads_fragments_of_lines(text, spans, expected):
    entities = [Entity(text[start:end], "LOC:1", start, end, 0.5) for start, end in spans]
    assert brat.standoff(Document(text, array("I"), entities)) == expected


@pytest.mark.parametrize(("form", "source", "text"), [
    ("html", "<title>x</title><h1>Angela\n Merkel</h1><p>met <b>Barack</b> Obama<!-- not -->.<br>In&nbsp;Paris",
     "Angela Merkel\n\nmet Barack Obama.\nIn Paris"),
    ("html", "<table><tr><td>A</td><td>B</td></tr><tr><th>C</th></tr></table><script>x</script>", "A\tB\nC"),
    ("html", "<ul><li>M&uuml;ller</li> <li>Berlin</li></ul><p hidden>x</p>", "Müller\n\nBerlin"),
    ("html", "<div>" * 2000 + "deep", "deep"),
    ("html", "plain", "plain"),
    ("html", "<p>a\n  b<pre>Ada  L\nBo     Oslo\n \n<b>Cy</b>\n\tX</pre>c\nd",
     "a b\n\nAda L\nBo\tOslo\n\nCy\nX\n\nc d"),
    ("html", "a<p style='color:red; display: none'>b<i>c</i></p><p style='display:block'>d", "a\n\nd"),
    ("html", "<p>Köln 漢", "Köln 漢"),
    ("html", "<meta charset='iso-8859-1'><p>Zürich", "Zürich"),
    ("html", "<meta charset=windows-1252><p>Zürich ж", "Zürich ж"),
    ("xml", "<?xml version='1.0' encoding='UTF-16'?><a>Bern</a>", "Bern"),
    ("xml", "<?xml version='1.0' encoding='iso-8859-1'?><a><p>Z\xfcrich &amp; <name>Basel</name>.</p><p>Bern</p></a>",
     "Zürich & Basel.\n\nBern"),
    ("xml", "<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY f SYSTEM 'file:///etc/hostname'>]><a><c>1&f;</c><c>2</c></a>",
     "1&f;\n\n2"),
])
def test_markup_is_read_as_a_reader_sees_it(form, source, text):
    pytest.importorskip("lxml")
    encoding = "latin-1" if "iso-8859-1" in source else "utf-8"
    record, = format_named(form).read(io.BytesIO(source.encode(encoding)), "f", ReadOptions())
    assert record == Record(text, Place("f"))


def test_markup_that_cannot_be_read_is_named():
    pytest.importorskip("lxml")
    with pytest.raises(InputError, match=r"^f: not readable: "):
        list(format_named("xml").read([b"<a>"], "f", ReadOptions()))
    with pytest.raises(InputError, match=r"^f: not readable: Excessive depth"):
        list(format_named("html").read([b"<div>" * 3000, b"deep"], "f", ReadOptions()))
    assert list(format_named("html").read([b" "], "f", ReadOptions())) == []


def test_markup_without_its_package_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "lxml", None)
    for form in ("html", "xml"):
        with pytest.raises(InputError, match=r"pip install 'nerlite\[html\]'"):
            list(format_named(form).read([b"<a/>"], "f", ReadOptions()))


def test_a_table_has_one_set_of_columns(document):
    writer = writer_named("csv", "", WriteOptions())
    assert writer.write(document, Record("x", Place("f", 1), row={"n": 1, "x": None, "y": [1]})).startswith(
        'n,x,y,entities\n1,,[1],"[{')
    with pytest.raises(InputError, match=r"^g:1: expected the columns that the first text has: 'n', 'x', 'y'"):
        writer.write(document, Record("x", Place("g", 1), row={"m": 1}))
    with pytest.raises(InputError, match=r"^f:1: column 'entities': there already"):
        writer_named("csv", "", WriteOptions()).write(document, Record("x", Place("f", 1), row={"entities": 1}))


@pytest.mark.parametrize(("form", "source", "texts", "n_bad"), [
    ("txt", b"a\n\xff\nb\n", ["a", "b"], 1),
    ("jsonl", b'{"text": "a"}\n{\n{"text": 1}\n{"text": "b"}\n', ["a", "b"], 2),
    ("json", b'[{"text": "a"}, {"text": 3}, {"text": "b"}]', ["a", "b"], 1),
    ("csv", b'text,n\na,1\nx\n"y"z,2\nb,3\n', ["a", "b"], 2), ("tsv", b"text\na\n\xff\nb\n", ["a", "b"], 1),
    ("conll", b"a O\n\nb\n\nc O\n", [[["a"]], [["c"]]], 1),
])
def test_what_is_bad_may_be_left_out(form, source, texts, n_bad):
    failed = []
    options = ReadOptions(fail=failed.append)
    assert [record.text for record in format_named(form).read(io.BytesIO(source), "f", options)] == texts
    assert len(failed) == n_bad


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
    return jsonl.write(document, Record(document.text, Place("f", 1), row=row), WriteOptions())


def test_json_line(document):
    assert json.loads(written(document)) == {
        "text": "John lives in New York",
        "entities": [{"text": "John", "label": "PER", "start": 0, "end": 4, "score": 0.99},
                     {"text": "New York", "label": "LOC", "start": 14, "end": 22, "score": 0.6}]}
    kept = json.loads(written(document, {"id": 7, "body": document.text}))
    assert list(kept) == ["id", "body", "entities"]
    assert len(kept["entities"]) == 2


@pytest.mark.parametrize("key", ["entities", "truncated_at"])
def test_a_key_that_is_there_is_not_written_over(document, key):
    with pytest.raises(InputError, match=f"^f:1: key '{key}': there already, .*--entities-key"):
        written(document, {key: 1})


def read_json(source, form=jsonl, **options):
    return list(form.read(io.BytesIO(source.encode()), "f", ReadOptions(**options)))


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.text() | st.integers() | st.floats(
    allow_nan=False, allow_infinity=False), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))),
       st.sampled_from([None, 1]))
def test_an_object_comes_out_as_it_came_in(row, indent):
    row |= {"text": "a"}
    row.pop("entities", None), row.pop("truncated_at", None)
    for form, source in ((jsonl, json.dumps(row)), (json_array, json.dumps([row, row], indent=indent))):
        for record in read_json(source, form):
            line = jsonl.write(Document("a", array("q"), []), record, WriteOptions())
            assert line.count("\n") == 1
            assert json.loads(line) == row | {"entities": []}


def test_numbers_come_out_to_the_digit():
    source = '{"text":"Paris","id":12345678901234567890,"f":1.10,"e":1e5,"big":0.12345678901234567890,"huge":1e400}'
    for record in (*read_json(source), *read_json(f"[{source}]", json_array)):
        line = jsonl.write(Document("Paris", array("q"), []), record, WriteOptions(entities_key="found"))
        assert line == source[:-1] + ', "found": []}\n'


def test_keys_may_be_nested_and_texts_null():
    assert [record.text for record in read_json('{"data": {"text": "a"}}\n{"data.text": "b"}\n{"data": {"text": null}}',
                                                text_key="data.text")] == ["a", "b", None]
    with pytest.raises(InputError, match=r"^f:1: no key 'data\.text'; the line has 'data'"):
        read_json('{"data": "text"}', text_key="data.text")


@pytest.mark.parametrize(("source", "texts"), [
    ('[{"text": "a"},\n {"text":\n "b"}]\n', ["a", "b"]), ('{"text": "a"}\n{"text": "b"}', ["a", "b"]),
    ('{\n "text": "a"\n}\n', ["a"]), ("[]", []), ("", []), ("\ufeff[ ]", []),
])
def test_json_files(source, texts):
    assert [record.text for record in read_json(source, json_array)] == texts


@pytest.mark.parametrize(("source", "message"), [
    ('[{"text": "a"} {"text": "b"}]', "f:1: not JSON: expected , or ]"),
    ('[{"text": "a"},\n 3]', "f:2: expected a JSON"),
    ('[{"text": "a"}', "f:1: not JSON: expected , or ]"),
    ('[{"text": "a"}] x', "f: not JSON: expected the array's end"),
    ('[{"text": "a"},\n\n{"b"\n: 1,\n "c" 5}]', "f:5: not JSON: Expecting ':' delimiter at column 6"),
    ('{\n"a" 1}', "f:2: not JSON: Expecting ':' delimiter at column 5"),
    ('[\n\n{"text": NaN}]', "f:3: not JSON that can be read: NaN"), ("[", "f: not JSON: expected the array's end"),
])
def test_bad_json_files_are_named(source, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        read_json(source, json_array)


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
    assert table.write(document, Record(document.text, Place("f", 1)), WriteOptions()) == (
        "f:1  John lives in New York\n"
        "  0.99  PER    0–4  John\n"
        "  0.60  LOC  14–22  New York\n")


def test_table_keeps_to_the_width_and_to_printable_characters(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = "a\x1b[31m\nb" + "c" * 1_000
    document = Document(text, array("q"), [Entity("a\x1b[31m\nb", "X", 0, 7, 1.0)])
    lines = table.write(document, Record(text, Place("f")), WriteOptions()).splitlines()
    assert lines[0] == "f  a?[31m b" + "c" * 28 + "…"
    assert len(lines[0]) == 40
    assert lines[1] == "  1.00  X  0–7  a?[31m b"


def rows_of(text, **options):
    documents = read_rows(text.split("\n"), "f", ReadOptions(**options))
    return [rows for document in documents for rows in document.sentences]


@pytest.mark.parametrize(("text", "words"), [
    ("# title\nMerkel B-PER\n\n# next\nObama B-PER", [["Merkel"], ["Obama"]]),
    ("# id 52-ea\tdomain=en\nParis _ _ B-LOC\n", [["Paris"]]),
    ("#StarWars O\nin O\n\n# O\n1 O\nfan O", [["#StarWars", "in"], ["#", "1", "fan"]]),
    ("#\nfan", [["#", "fan"]]),
    ("a O\n# O\n#x O", [["a", "#", "#x"]]),
    ("# only\n\n# comments = 1\n\na O", [["a"]]),
    ("20 000\tO\nfans\tO", [["20 000", "fans"]]),
    ("EU B-ORG\n\u00a0 \nx O", [["EU"], ["x"]]),
    ("1 EU NNP B-ORG\n2 rejects VBZ O\n\n1 x NN O", [["EU", "rejects"], ["x"]]),
    ("1-2\tau\tP\tO\n1\tà\tP\tO\n2\tle\tD\tO\n2.1\tx\tX\tO", [["au", "à", "le", "x"]]),
    ("0\tEU\tO\n1\tsays\tO\n\n0\tNo\tO", [["EU", "says"], ["No"]]),
    ("7 EU O\n7 says O\n\n8 No O", [["EU", "says"], ["No"]]),
    ("0 EU\n1 says", [["0", "1"]]),
    ("#begin document (x); part 000\nEU O\nsays O\n#end document\n#begin document (y)\nNo O", [["EU", "says"], ["No"]]),
    ("1 O\nfan O", [["1", "fan"]]),
    ("1 O\n\n2 O", [["1"], ["2"]]),
    ("1 O\n2 B-PER\n\n1 O", [["1", "2"], ["1"]]),
    ("1 EU\n2 says", [["EU", "says"]]),
    ("-DOCSTART-\n\na O", [["a"]]),
    ("-DOCSTART-s O\na O", [["-DOCSTART-s", "a"]]),
])
def test_conll_words(text, words):
    assert [rows.words for rows in rows_of(text)] == words


def test_a_column_that_counts_words_is_said_and_can_be_had():
    said = []
    assert rows_of("1\tEU\tO\n2\tsays\tO", say=said.append)[0].words == ["EU", "says"]
    assert len(said) == 1
    assert said[0].startswith("f: the first column counts the words")
    assert rows_of("1\tEU\tO\n2\tsays\tO", word_column=1)[0].words == ["1", "2"]
    assert rows_of("7\tEU\tO\n7\tsays\tO", say=said.append)[0].words == ["EU", "says"]
    assert said[1].startswith("f: the first column counts the sentences")
    assert rows_of("B-ORG\tEU\nO\tsays", say=said.append)[0].words == ["B-ORG", "O"]
    assert said[2].startswith("f: the first column is read as the word, but looks like tags (--word-column 2")
    assert rows_of("B-ORG EU", word_column=2)[0].words == ["EU"]
    with pytest.raises(InputError, match="f:1: expected the word in column 4, got 2 columns"):
        rows_of("EU O", word_column=4)


@pytest.mark.parametrize("tag", ["PER", "B_PER", "0", "domain=en", "X-PER", "B-", "o"])
def test_what_is_no_tag_is_named(tag):
    with pytest.raises(InputError, match=f"^f:3: tag '{tag}': expected O or PREFIX-LABEL"):
        list(read_tagged(["a O", "", f"b {tag}", "c O"], "f"))


@pytest.mark.parametrize(("start", "row", "expected"), [
    ("-DOCSTART-", "EU NNP O", "-DOCSTART- -X- O O"), ("-DOCSTART- -X- O", "EU NNP I O", "-DOCSTART- -X- O O O"),
    ("-DOCSTART- -X- -X- O", "EU O", "-DOCSTART- O O"), ("-DOCSTART- -X- O", "EU NNP O", "-DOCSTART- -X- O O"),
])
def test_a_document_line_gets_as_many_columns_as_the_rows(start, row, expected):
    record, = conll.read([f"{line}\n".encode() for line in (start, "", row)], "f", ReadOptions())
    document = Document("EU", array("q", [0, 2]), [Entity("EU", "ORG", 0, 2, 1.0)])
    first, _, second, *_ = conll.write(document, record, WriteOptions()).split("\n")
    assert first == expected
    assert len(first.split()) == len(second.split())


def test_columns_parted_by_tabs_stay_so():
    record, = conll.read([b"20 000\tO\n"], "f", ReadOptions())
    document = Document("20 000", array("q", [0, 6]), [])
    assert conll.write(document, record, WriteOptions()) == "20 000\tO\tO\n\n"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 5),
       st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8", "gb18030"]))
def test_any_encoding_becomes_utf8_however_it_arrives(text, size, encoding):
    to_utf8, data = ToUtf8("f", encoding), text.encode(encoding)
    parts = [to_utf8(data[i:i + size]) for i in range(0, len(data), size)]
    assert b"".join([*parts, to_utf8(b"", final=True)]).decode().removeprefix("\ufeff") == text.removeprefix("\ufeff")


def test_utf16_is_noticed():
    text = "Angela Merkel visited Paris.\n"
    assert ToUtf8("f", None)(text.encode("utf-16")).decode() == text
    for bare, encoding in itertools.product((text, "Ангела Меркель"), ("utf-16-le", "utf-16-be")):
        with pytest.raises(InputError, match=f"^f: looks like UTF-16 without .* --encoding {encoding}"):
            ToUtf8("f", None)(bare.encode(encoding))
    with pytest.raises(InputError, match=r"^f: not utf-16: .*truncated"):
        ToUtf8("f", "utf-16")(text.encode("utf-16")[:-1], final=True)
    for data in (b"\0", b"\0\0\0\0\0\0\0\0\0\0", "Ангела Меркель".encode(), b"a line with a \0 in it"):
        assert ToUtf8("f", None)(data) == data
