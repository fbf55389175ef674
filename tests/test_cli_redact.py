"""Redaction on the command line: what went out comes back byte by byte, and on an error nothing comes out at all."""

import errno
import io
import json
import re
import stat
import sys
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nerlite
from nerlite.cli import main
from nerlite.config import SparkNLPConfig
from nerlite.io import csv, parquet
from nerlite.redaction import Placeholders

# Words that the tiny model takes for names now and then, and what looks like a placeholder.
LINES = ["the john of berlin " * 3, "EU rejects German call.", "[PER_1] acme [TEXT_1]", "", "a \u2603 in berlin"]


def run_command(model, command, *arguments, stdin=b""):
    """Run a command in this process: (status, output, errors), the streams as bytes and text."""
    options = () if command == "restore" else ("--model", str(model), "--backend", "numpy", "--threads", "1")
    streams = [io.TextIOWrapper(io.BytesIO(stdin)), *(io.TextIOWrapper(io.BytesIO()) for _ in range(2))]
    with (mock.patch.object(sys, "stdin", streams[0]), mock.patch.object(sys, "stdout", streams[1]),
          mock.patch.object(sys, "stderr", streams[2])):
        status = main([command, *options, *map(str, arguments)])
    for stream in streams[1:]:
        stream.flush()
    return status, streams[1].buffer.getvalue(), streams[2].buffer.getvalue().decode()


@pytest.fixture
def run(tiny_model):
    return lambda *arguments, **options: run_command(tiny_model, *arguments, **options)


@settings(max_examples=25)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))
                | st.sampled_from(["\r\n", "\n", "the john ", "[PER_1]"])).map("".join), st.booleans())
@example("\ufeff" + "\r\n".join(LINES) + "\n", False)
@example("\ufeff" + "\n".join(LINES) + "\r", True)
def test_a_file_comes_back_byte_by_byte(tiny_model, tmp_path_factory, text, whole):
    names = tmp_path_factory.mktemp("redact") / "names.json"
    data = text.encode()
    status, redacted, _ = run_command(tiny_model, "redact", "--map", names, *["--whole"] * whole, stdin=data)
    assert status == 0
    assert run_command(tiny_model, "restore", "--map", names, stdin=redacted) == (0, data, "")


def test_a_file_of_another_encoding_comes_back_in_utf8(run, tmp_path):
    text = "\n".join(LINES) + "\n"
    (tmp_path / "in.txt").write_bytes(text.encode("utf-16-le"))
    names = tmp_path / "names.json"
    status, redacted, _ = run("redact", "--encoding", "utf-16-le", "--map", names, tmp_path / "in.txt")
    assert status == 0
    assert run("restore", "--map", names, stdin=redacted) == (0, text.encode(), "")


def test_the_same_names_have_the_same_placeholders_in_all_files(run, tiny_model, tmp_path):
    files, names = [tmp_path / name for name in ("a.txt", "b.txt")], tmp_path / "names.json"
    for file in files:
        file.write_text("\n".join(LINES), encoding="utf-8")
    status, output, errors = run("redact", "--map", names, *files)
    assert (status, errors) == (0, "")
    placeholders = Placeholders()
    expected = "\n".join(document.redact(placeholders)
                         for document in nerlite.load(tiny_model, backend="numpy").pipe(LINES))
    assert output.decode() == expected * 2
    assert "[PER_1]" not in expected or len(placeholders.names) > 3
    assert stat.S_IMODE(names.stat().st_mode) == 0o600
    assert json.loads(names.read_text()) == placeholders.names
    assert run("redact", "--map", names, files[1]) == (0, expected.encode(), "")
    assert json.loads(names.read_text()) == placeholders.names
    assert run("redact", files[1])[1] == expected.encode()


def test_json_lines_keep_other_keys_but_no_earlier_answers(run, tmp_path):
    rows = [{"id": i, "body": line, "entities": ["secret"], "truncated_at": 3} for i, line in enumerate(LINES)]
    file, names = tmp_path / "in.jsonl", tmp_path / "names.json"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, output, errors = run("redact", "--map", names, "--text-key", "body", file)
    redacted = [json.loads(line) for line in output.splitlines()]
    assert (status, errors) == (0, "")
    assert [list(row) for row in redacted] == [["id", "body"]] * len(rows)
    assert [row["body"] for row in redacted] != LINES
    answers = b"".join(json.dumps({"choices": [{"message": row["body"]}], "n": 1.5, "none": None}).encode() + b"\n"
                       for row in redacted)
    status, output, errors = run("restore", "--map", names, "--input-format", "jsonl", stdin=answers)
    assert (status, errors) == (0, "")
    assert [json.loads(line) for line in output.splitlines()] == [
        {"choices": [{"message": line}], "n": 1.5, "none": None} for line in LINES]


def test_json_files_come_back_as_values(run, tmp_path):
    rows = [{"id": i, "data": {"body": line}} for i, line in enumerate(LINES)] + [{"id": 9, "data": {"body": None}}]
    file, names, redacted = (tmp_path / name for name in ("in.json", "names.json", "out.json"))
    file.write_text(json.dumps(rows, indent=2))
    status, output, errors = run("redact", "--map", names, "--text-key", "data.body", file)
    assert (status, errors) == (0, "")
    assert [json.loads(line) for line in output.splitlines()] != rows
    redacted.write_bytes(output)
    restored = run("restore", "--map", names, redacted)[1]
    assert [json.loads(line) for line in restored.splitlines()] == rows
    redacted.write_text(json.dumps([json.loads(line) for line in output.splitlines()], indent=1) + "\n\n")
    assert json.loads(run("restore", "--map", names, redacted)[1]) == rows
    redacted.write_text("[1, 2")
    assert run("restore", "--map", names, redacted)[::2] == (
        2, f"nerlite: {redacted}:1: not JSON: Expecting ',' delimiter at column 6\n")


MARKS = ["the john ", "of berlin", "[PER_1]", "[TEXT_1]", '"', ";", ",", "\t", "\r", "\n", "\ufeff"]
cells = st.lists(st.sampled_from(MARKS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=4
                 ).map("".join)


@settings(max_examples=25)
@given(st.lists(st.tuples(cells, cells)), st.sampled_from(["csv", "tsv"]), st.sampled_from(["\n", "\r\n"]),
       st.booleans())
@example([("the john of berlin, [PER_1]", "[LOC_2] of\r\n\"acme\"")] * 2, "csv", "\r\n", True)
def test_tables_come_back(tiny_model, tmp_path_factory, rows, form, end, mark):
    folder = tmp_path_factory.mktemp("redact")
    delimiter = "\t" if form == "tsv" else ";"
    source = "\ufeff" * mark + "".join(
        csv.line_of(row, delimiter, end) for row in (["id", "entities", "body"], *([a, "x", b] for a, b in rows)))
    options = ("--input-format", form, "--map", folder / "names.json")
    status, output, errors = run_command(tiny_model, "redact", *options, "--text-column", "body", stdin=source.encode())
    assert (status, errors) == (0, "nerlite: only the column 'body' is redacted; all others come out as they are "
                            "(--text-column)\n")
    kept = "\ufeff" * mark + "".join(csv.line_of(row, delimiter, end) for row in (["id", "body"], *rows))
    assert run_command(tiny_model, "restore", *options, stdin=output) == (0, kept.encode(), "")


def test_several_tables_become_one(run, tmp_path):
    files = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]
    for file, columns, delimiter in zip(files, (["text", "id"], ["text", "id"], ["id", "text"]), ",;,", strict=True):
        file.write_text(delimiter.join(columns) + f"\nthe john of berlin{delimiter}1\n")
    (tmp_path / "none.csv").touch()
    status, output, _ = run("redact", "--map", tmp_path / "names", "--to", tmp_path / "out.csv", *files[:2],
                            tmp_path / "none.csv")
    assert (status, output) == (0, b"")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert (lines[0], len(lines), lines[1]) == ("text,id", 3, lines[2])
    assert "john" not in lines[1]
    (tmp_path / "again.csv").write_text("\n".join(lines).replace(",", ";"))
    assert run("restore", "--map", tmp_path / "names", tmp_path / "out.csv", tmp_path / "again.csv")[1] == (
        b"text,id\n" + b"the john of berlin,1\n" * 4)
    assert run("redact", "--to", tmp_path / "out.csv", files[0])[2].endswith("out.csv: there already\n")
    for more, message in ((files[2], "c.csv:1: expected the columns that the first file has; nothing was written"),
                          (tmp_path / "a.txt", "expected files of one format, since they become one, got csv, txt")):
        (tmp_path / "a.txt").touch()
        status, output, errors = run("redact", "--to", tmp_path / "new.csv", files[0], more)
        assert (status, output, message in errors) == (2, b"", True), errors
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["a.csv", "b.csv", "c.csv", "none.csv", "names", "out.csv", "again.csv", "a.txt"])


def test_words_of_conll_rows_come_back(run, tmp_path):
    rows = [("the", "the", "O"), ("john", "john", "B-PER"), ("of", "[PER_1]", "O"), ("berlins", "berlin", "I-PER"),
            ("of", "_", "O")]
    sentence = "".join("\t".join(row) + "\n" for row in rows) + "\n"
    source, names = "-DOCSTART-\t[PER_1]\tO\n\n" + sentence * 4, tmp_path / "names"
    (tmp_path / "in.conll").write_text(source.replace("the\tthe\tO\n", "# text = john\nthe\tthe\tO\n"))
    status, output, errors = run("redact", "--map", names, tmp_path / "in.conll")
    assert (status, errors.count("\n")) == (0, 1)
    redacted = [line.split("\t") for line in output.decode().splitlines()]
    assert [len(line) for line in redacted] == [len(line.split("\t")) for line in source.splitlines()]
    hidden = {name for placeholder, name in json.loads(names.read_text()).items() if "TEXT" not in placeholder}
    assert hidden & {"john", "berlins"}
    for row, original in zip(redacted, source.splitlines(), strict=True):
        for now, before in zip(row, original.split("\t"), strict=True):
            assert now == before or json.loads(names.read_text())[now] == before
    if "berlins" in hidden:
        assert "berlin" in hidden, "a lemma tells the name too"
    (tmp_path / "out.conll").write_bytes(output)
    assert run("restore", "--map", names, tmp_path / "out.conll") == (0, source.encode(), "")
    assert run("redact", "--label", "LOC", "--to", tmp_path / "new.conll", tmp_path / "in.conll")[0] == 0


def test_parquet_comes_back(run, tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    monkeypatch.setattr(parquet, "ROWS_READ", 3)
    n = 2 * len(LINES)
    table = pa.table({"id": pa.array(range(n + 1), pa.int16()), "body": pa.array([*LINES * 2, None], pa.large_string()),
                      "other": ["[PER_1]", None] * len(LINES) + ["x"], "entities": [[{"text": "john"}]] * (n + 1)},
                     ).replace_schema_metadata({"made by": "a test"})
    for name, rows in (("in", n + 1), ("none", 0)):
        pq.write_table(table.slice(0, rows), tmp_path / f"{name}.parquet")
        options = ("--map", tmp_path / f"{name}.json", "--to")
        status, output, _ = run("redact", "--text-column", "body", *options, tmp_path / f"{name}.out",
                                tmp_path / f"{name}.parquet")
        assert (status, output) == (0, b"")
        redacted = pq.read_table(tmp_path / f"{name}.out")
        assert redacted.column_names == ["id", "body", "other"]
        assert run("restore", "--input-format", "parquet", *options, tmp_path / f"{name}.back", tmp_path / f"{name}.out"
                   ) == (0, b"", "")
        assert pq.read_table(tmp_path / f"{name}.back").equals(table.slice(0, rows).drop_columns("entities"),
                                                               check_metadata=True)
        if rows:
            assert redacted["body"].to_pylist() != table["body"].to_pylist()
            assert set(json.loads((tmp_path / "in.json").read_text())) == set(re.findall(
                r"\[\w+_\d+\]", " ".join(filter(None, redacted["body"].to_pylist() + redacted["other"].to_pylist()))))
    before = sorted(tmp_path.iterdir())
    new = ("--to", tmp_path / "new", "--text-column")
    for arguments, message in (((), "Parquet: expected --to FILE"), (new[:2], "no column 'text'; --text-column"),
                               ((*new, "id"), "column 'id': expected strings, got another type")):
        status, output, errors = run("redact", *arguments, tmp_path / "in.parquet")
        assert (status, output, message in errors) == (2, b"", True), errors
    with mock.patch.object(Placeholders, "redact", side_effect=[*"abcde", RuntimeError("Angela")]):
        status, output, errors = run("redact", *new, "body", tmp_path / "in.parquet")
    assert (status, output, "Angela" in errors) == (2, b"", False)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("row", [
    {"text": "the john of berlin", "n": 1, "other": ["[PER_1]", {"[PER_1]": "[LOC_1] [PER_1]"}, None]},
    {"text": "john \ud83d"},
], ids=["what looks like a placeholder under other keys", "a lone surrogate"])
def test_an_object_comes_back(run, tmp_path, row):
    source, names = json.dumps(row).encode() + b"\n", tmp_path / "names"
    status, output, _ = run("redact", "--input-format", "jsonl", "--map", names, stdin=source)
    assert status == 0
    assert run("restore", "--input-format", "jsonl", "--map", names, stdin=output) == (0, source, "")


@pytest.mark.parametrize(("name", "content", "place"), [
    ("in.txt", b"Angela\n\xff Merkel\n", "in.txt:2"),
    ("in.jsonl", b'{"text": "Angela"}\n{"Merkel"\n', "in.jsonl:2"),
    ("in.jsonl", b'{"text": "Angela"}\n["Merkel"]\n', "in.jsonl:2"),
    ("in.jsonl", b'{"text": "Angela"}\n{"text": ["Merkel: 5"]}\n', "in.jsonl:2"),
    ("in.jsonl", b'{"text": "Angela"}\n{"Merkel": "Angela:1: x"}\n', "in.jsonl:2"),
    ("in.csv", b"id,text\n1,Angela\n2,Merkel,3\n", "in.csv:3"),
    ("in.csv", b"id,text\n1,Angela\n2,\"Merkel\" x\n", "in.csv:3"),
    ("in.csv", b"Angela,text,Angela\n1,Angela,2\n", "in.csv:1"),
    ("in.csv", b"Angela,Merkel\n1,2\n", "in.csv:1: no column 'text'; --text-column names the one with the texts"),
    ("in.tsv", b"text\tid\nAngela\t1\n\xff\t2\n", "in.tsv:3"),
    ("in.conll", b"Angela B-PER\n\nMerkel\n", "in.conll:3"),
    ("in.html", b"Angela <b>Merkel</b>", "in.html"),
])
def test_on_bad_input_nothing_of_it_comes_out(run, tmp_path, name, content, place):
    file, names = tmp_path / name, tmp_path / "names.json"
    file.write_bytes(content)
    status, output, errors = run("redact", "--map", names, file)
    assert (status, output) == (2, b"")
    assert f"{place}{'' if ': ' in place else ': '}" in errors
    assert "Angela" not in errors
    assert "Merkel" not in errors
    assert not names.exists()


def test_on_an_error_of_our_own_nothing_comes_out(run):
    with mock.patch.object(Placeholders, "redact", side_effect=["one", RuntimeError("Angela Merkel")]):
        status, output, errors = run("redact", stdin=b"Angela\nMerkel\n")
    assert (status, output) == (2, b"")
    assert errors == "nerlite: RuntimeError at or after stdin:2; nothing was written\n"


def test_without_its_map_nothing_comes_out(run, tmp_path):
    with mock.patch("os.fsync", side_effect=OSError(errno.ENOSPC, "no space left")):
        status, output, errors = run("redact", "--map", tmp_path / "names.json", stdin=b"the john of berlin\n")
    assert (status, output) == (1, b"")
    assert "no space left" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_map_that_another_run_wrote_meanwhile_is_kept(run, tmp_path):
    names = tmp_path / "names.json"
    Placeholders({"[PER_1]": "Ann"}).save(names)
    save, redact = Placeholders.save, Placeholders.redact

    def meanwhile(self, *arguments):
        save(Placeholders({"[PER_1]": "Bo"}), names)
        return redact(self, *arguments)

    with mock.patch.object(Placeholders, "redact", meanwhile):
        status, output, errors = run("redact", "--map", names, stdin=b"x\n")
    assert (status, output) == (2, b"")
    assert "changed meanwhile; nothing was written" in errors
    assert Placeholders.load(names).names == {"[PER_1]": "Bo"}


def test_what_a_model_does_not_read_is_not_let_through(write_model):
    model = write_model(sparknlp=SparkNLPConfig(max_sentence_length=8), crf_boundaries=False)
    text = b"x\n" + b"the john of berlin " * 9
    status, output, errors = run_command(model, "redact", stdin=text)
    assert (status, output) == (2, b"")
    assert errors.startswith("nerlite: stdin:2: the model stops reading long texts")
    assert run_command(model, "redact", "--window", stdin=text)[0] == 0


def test_options_that_do_not_fit_are_refused(run, tmp_path):
    (tmp_path / "bad.json").write_text("[]")
    for arguments, message in (
            (("redact", "--label", "PERSON"), "--label PERSON: the model has the labels LOC, MISC, ORG, PER"),
            (("redact", "--text-key", "entities"), "--text-key entities: expected another key"),
            (("redact", "--map", tmp_path / "bad.json"), "bad.json: not a map of placeholders: expected a JSON object"),
            (("restore", "--map", tmp_path / "none.json"), "none.json: no such file"),
            (("redact", "--input-format", "txt", tmp_path / "none.txt"), "none.txt: no such file")):
        status, output, errors = run(*arguments, stdin=b"x\n")
        assert (status, output) == (2, b"")
        assert message in errors


def test_only_one_label(run, tiny_model):
    status, output, _ = run("redact", "--label", "LOC", stdin="\n".join(LINES).encode())
    assert status == 0
    assert output.decode() == "\n".join(
        document.redact(placeholders, ["LOC"]) for placeholders in [Placeholders()]
        for document in nerlite.load(tiny_model, backend="numpy").pipe(LINES))


def test_placeholders_that_the_map_does_not_have_are_named(run, tmp_path):
    names = tmp_path / "names.json"
    Placeholders({"[PER_1]": "Ann"}).save(names)
    text = " ".join(f"[PER_{i}]" for i in range(1, 9)) + "\n"
    status, output, errors = run("restore", "--map", names, stdin=text.encode())
    assert (status, output.decode()) == (0, text.replace("[PER_1]", "Ann"))
    assert errors == (f"nerlite: not in {names}, so left as they are: [PER_2], [PER_3], [PER_4], [PER_5], [PER_6], … "
                      "(7 in all)\n")


def test_tag_writes_a_page(run, tiny_model, tmp_path):
    (tmp_path / "<a>.txt").write_text("\n".join(LINES), encoding="utf-8")
    status, output, errors = run("tag", "--output", "html", tmp_path / "<a>.txt")
    page = output.decode()
    assert (status, errors) == (0, "")
    found = sum(len(document.entities) for document in nerlite.load(tiny_model, backend="numpy").pipe(LINES))
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert page.count("<mark ") == found > 3
    assert f"4 texts, {found} names" in page, "a blank line is none"
    assert "&lt;a&gt;.txt:3</h2>" in page
    assert run("tag", "--output", "html")[1].decode().endswith("</html>\n"), "of nothing, an empty page"
