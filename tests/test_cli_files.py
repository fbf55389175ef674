"""Many files, and files of answers: what is read, what is there when a run ends, and how another goes on."""

import argparse
import bz2
import datetime
import decimal
import gc
import gzip
import itertools
import json
import lzma
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nerlite import cli
from nerlite.cli import brat_target, target
from nerlite.cli import options as common

ROOT = Path(__file__).parent.parent

LINE = "John lives in Berlin"


@pytest.fixture
def run(tiny_model, capfdbinary):
    """A function that runs `nerlite tag` on the tiny model: status, output, errors."""
    def run_command(*arguments):
        status = cli.main(["tag", "--model", str(tiny_model), "--backend", "numpy", "--threads", "1",
                           *map(str, arguments)])
        output, errors = capfdbinary.readouterr()
        return status, output.decode(), errors.decode()

    return run_command


def contents(folder):
    """What a folder holds: a file's name → its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def texts_of(output):
    return [json.loads(line)["text"] for line in output.splitlines()]


def test_folders_and_patterns(run, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name, content in (("b/1.txt", "one"), ("a.txt", "two"), ("c.jsonl", '{"text": "three"}'), ("d.png", "x"),
                          (".hidden/e.txt", "x"), (".f.txt", "x")):
        (tmp_path / name).write_text(content)
    status, output, errors = run(tmp_path)
    assert (status, texts_of(output)) == (0, ["two", "one", "three"])
    assert errors == f"nerlite: {tmp_path}: 2 files of other kinds are left out\n"
    assert texts_of(run(f"{tmp_path}/**/*.txt")[1]) == ["two", "one"]
    assert run(f"{tmp_path}/*.doc") == (2, "", f"nerlite: {tmp_path}/*.doc: no file matches\n")
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty")[2].startswith(f"nerlite: {tmp_path}/empty: no file of a kind that is read")
    (tmp_path / "[x].txt").write_text("brackets")
    assert texts_of(run(tmp_path / "[x].txt")[1]) == ["brackets"]


@pytest.mark.parametrize(("suffix", "compress"), [
    (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", None)])
def test_compressed_files(run, tmp_path, suffix, compress):
    compress = compress or pytest.importorskip(
        "backports.zstd" if sys.version_info < (3, 14) else "compression.zstd").compress
    data = json.dumps({"text": LINE}).encode() + b"\n"
    file = tmp_path / f"a.jsonl{suffix}"
    file.write_bytes(compress(data) + compress(data))
    status, output, _ = run(file)
    assert (status, texts_of(output)) == (0, [LINE] * 2)
    file.write_bytes(compress(data * 1000)[:-9])
    status, _, errors = run(file)
    assert (status, errors.count("\n")) == (2, 1)
    assert errors.startswith(f"nerlite: {file}: ")
    file.write_bytes(data)
    assert run(file)[0] == 2


def test_markup_is_not_tagged_in_silence(run, tmp_path):
    for name in ("a.html", "a.pdf"):
        (tmp_path / name).write_text("<b>John</b>")
    status, output, errors = run(tmp_path / "a.pdf")
    assert (status, output) == (2, "")
    assert "its text has to be taken out first" in errors
    status, output, errors = run(tmp_path / "a.html")
    assert (status, texts_of(output)) == (0, ["John"]) or "pip install 'nerlite[html]'" in errors
    assert texts_of(run("--input-format", "txt", tmp_path / "a.html")[1]) == ["<b>John</b>"]
    (tmp_path / "a.csv").write_text("name\nJohn\n")
    assert run(tmp_path / "a.csv")[2].startswith(f"nerlite: {tmp_path}/a.csv:1: no column 'text'; --text-column")
    assert run("--text-column", "name", "--output", "csv", tmp_path / "a.csv")[1].startswith("name,entities\nJohn,")


def test_a_file_of_answers_is_there_once_it_is_whole(run, tmp_path):
    (tmp_path / "a.txt").write_text(f"{LINE}\n" * 3)
    (tmp_path / "b.txt").write_text(f"{LINE}\n\xff", encoding="latin-1")
    _, expected, _ = run(tmp_path / "a.txt")
    assert run("--to", tmp_path / "out.jsonl", tmp_path / "a.txt") == (0, "", "")
    assert (tmp_path / "out.jsonl").read_text() == expected
    assert run("--to", tmp_path / "out.jsonl", tmp_path / "a.txt")[::2] == (
        2, f"nerlite: --to {tmp_path}/out.jsonl: there already\n")
    status, _, errors = run("--to", tmp_path / "bad.csv", tmp_path / "b.txt")
    assert (status, errors.startswith(f"nerlite: {tmp_path}/b.txt:2: not UTF-8")) == (2, True)
    assert not (tmp_path / "bad.csv").exists()
    assert "--resume goes on with it" in run("--to", tmp_path / "bad.csv", tmp_path / "b.txt")[2]
    progress = (tmp_path / "bad.csv.progress").read_bytes()
    (tmp_path / "bad.csv.progress").write_text('{"texts": 1, "bytes": 30, "run": {}, "skipped": 0, "state": null}')
    assert "not the progress of a run" in run("--to", tmp_path / "bad.csv", "--resume", tmp_path / "b.txt")[2]
    (tmp_path / "bad.csv.progress").write_bytes(progress)
    assert "not the same as in the run" in run("--to", tmp_path / "bad.csv", "--resume", tmp_path / "a.txt")[2]
    status, _, errors = run("--to", tmp_path / "bad.csv", "--resume", "--on-error", "skip", tmp_path / "b.txt")
    assert status == 0
    assert "skipped: 1 in all" in errors
    lines = (tmp_path / "bad.csv").read_text().splitlines()
    assert (lines[0], len(lines)) == ("text,entities", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt", "bad.csv", "out.jsonl"]


def test_a_folder_of_answers(run, tmp_path):
    (tmp_path / "in" / "x").mkdir(parents=True)
    for name in ("1.txt", "x/2.txt", "x/2.jsonl"):
        (tmp_path / "in" / name).write_text('{"text": "a"}\n')
    assert run("--to", f"{tmp_path}/out/", tmp_path / "in")[0] == 0
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["1.txt.jsonl", "x/2.jsonl", "x/2.txt.jsonl"]
    (tmp_path / "out" / "1.txt.jsonl").write_text("kept")
    (tmp_path / "out" / "x" / "2.jsonl").unlink()
    assert run("--to", tmp_path / "out", "--resume", tmp_path / "in")[0] == 0
    assert (tmp_path / "out" / "1.txt.jsonl").read_text() == "kept"
    assert (tmp_path / "out" / "x" / "2.jsonl").exists()


def report_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_is_left_out_is_in_a_report(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a.txt", "b.jsonl", "c", "c: 1.csv", "d.json", "e.conll", "f.jsonl"]
    Path("a.txt").write_bytes(b"john\n\xff\n")
    Path("b.jsonl").write_text('{"text": "john"}\n\n{"text": 5}\n{"text": "a: b", "entities": 1}\n{\n')
    Path("c").touch()
    Path("c: 1.csv").write_text("text,n\njohn,1\njohn\n")
    Path("d.json").write_text('[{"text": "john"},\n {"body": 1}, {"text":')
    Path("e.conll").write_text("john O\nof\n\nberlin O\n")
    Path("f.jsonl").write_text('{"text": "john"}\n')
    expected = [
        ("a.txt", 2, "text", "not UTF-8: byte 0xff at offset 5 of the file (invalid start byte); --encoding names "
         "another encoding"),
        ("b.jsonl", 3, "text", "key 'text': expected a string or null, got 5"),
        ("b.jsonl", 4, "text", "key 'entities': there already, and the answer is written there; --entities-key names "
         "another key for the entities"),
        ("b.jsonl", 5, "text", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("c: 1.csv", 3, "text", "expected 2 fields, got 1"),
        ("d.json", 2, "text", "no key 'text'; the line has 'body'"),
        ("d.json", 2, "rest of the file", "not JSON: Expecting value at column 23"),
        ("e.conll", 2, "text", "expected 2 columns, got 'of'"),
    ]
    status, output, errors = run("--on-error", "skip", "--errors", "report", *names)
    assert status == 0
    assert output.count("\n") == 6
    assert [tuple(line.values()) for line in report_of(Path("report"))] == expected
    assert errors.endswith("nerlite: skipped: 8 in all, see report\n")
    assert list(report_of(Path("report"))[0]) == ["file", "line", "left_out", "reason"]
    assert run("--on-error", "skip", "--errors", "none", names[-1])[::2] == (0, "")
    assert Path("none").read_text() == ""
    assert "--errors: expected --on-error skip" in run("--errors", "other", *names)[2]
    assert not Path("other").exists()
    for arguments, message in ((["--errors", "report"], "--errors report: there already"),
                               (["--errors", "x", "--to", "./x"], "--errors x: expected another file than --to"),
                               (["--errors", "no/x"], "--errors no/x: No such file or directory")):
        assert message in run("--on-error", "skip", *arguments, *names)[2]


def test_the_names_of_a_corpus_come_with_a_report(tiny_model, tmp_path, capfd):
    (tmp_path / "a.jsonl").write_text('{"text": "the john of berlin"}\n{}\n')
    assert cli.main(["count", "--model", str(tiny_model), "--backend", "numpy", "--on-error", "skip", "--errors",
                     str(tmp_path / "report"), str(tmp_path / "a.jsonl")]) == 0
    assert [line["line"] for line in report_of(tmp_path / "report")] == [2]
    assert "skipped: 1 in all, see" in capfd.readouterr().err


def test_a_folder_of_answers_ends_at_the_first_error_and_goes_on_there(run, tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abcd":
        (tmp_path / "in" / f"{name}.jsonl").write_text('{"text": "john"}\n' * 2 + ("{\n" * 3 if name in "bd" else ""))
    out, report = tmp_path / "out", tmp_path / "report"
    status, _, errors = run("--to", f"{out}/", tmp_path / "in")
    assert (status, errors.count("\n")) == (2, 1)
    assert sorted(path.name for path in out.iterdir()) == ["a.jsonl", "b.jsonl.partial", "b.jsonl.progress"]
    skip = ("--resume", "--on-error", "skip", "--errors", report)
    assert run("--to", out, *skip, tmp_path / "in")[0] == 0
    assert [(Path(line["file"]).name, line["line"]) for line in report_of(report)] == [
        (f"{name}.jsonl", line) for name in "bd" for line in (3, 4, 5)]
    assert sorted(path.name for path in out.iterdir()) == [f"{name}.jsonl" for name in "abcd"]
    whole = report.read_bytes()
    for name in "bd":  # answers that are made anew do not report anything twice
        (out / f"{name}.jsonl").unlink()
        assert run("--to", out, *skip, tmp_path / "in")[0] == 0
        assert sorted(report.read_bytes().splitlines()) == sorted(whole.splitlines())
    report.write_bytes(whole + b'{"file": "')  # as a killed run leaves it
    (out / "d.jsonl").unlink()
    assert run("--to", out, *skip, tmp_path / "in")[0] == 0
    assert report.read_bytes() == whole
    report.write_text("something else\n")
    (out / "a.jsonl").unlink()
    assert "expected the report of an earlier run, got" in run("--to", out, *skip, tmp_path / "in")[2]


def test_of_a_row_group_only_what_does_not_fit_is_left_out(run, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    monkeypatch.setattr(target, "ROWS_IN_GROUP", 8)
    rows = [{"text": "john", "n": i} if i not in (3, 5, 12) else {"text": "john", "n": i, "entities": []}
            for i in range(20)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, _, _ = run("--to", tmp_path / "a.parquet", "--on-error", "skip", "--errors", tmp_path / "report",
                       tmp_path / "a.jsonl")
    assert status == 0
    assert [line["line"] for line in report_of(tmp_path / "report")] == [4, 6, 13]
    assert pq.read_table(tmp_path / "a.parquet").column("n").to_pylist() == [
        i for i in range(20) if i not in (3, 5, 12)]
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3


def test_parquet_has_the_columns_of_all_texts_wherever_they_come(run, tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(target, "ROWS_IN_GROUP", 4)
    rows = [{"text": "john", "n": None, **({"late": i} if i in (6, 9) else {})} for i in range(10)]
    rows[8]["n"] = 1.5
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run("--to", tmp_path / "a.parquet", tmp_path / "a.jsonl") == (0, "", "")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["text", "n", "late", "entities"]
    assert table.column("late").to_pylist() == [row.get("late") for row in rows]
    assert table.column("n").to_pylist() == [row["n"] for row in rows]
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3
    rows[9]["n"] = "many"
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "b.jsonl:10: not of one table with the texts before it" in run(
        "--to", tmp_path / "b.parquet", tmp_path / "b.jsonl")[2]


def test_an_interrupted_parquet_keeps_what_is_answered(run, tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a.txt").write_text("the john\n" * 50)
    take, calls = target.ParquetTarget.add, []

    def interrupted(self, *arguments):
        calls.append(arguments)
        if len(calls) == 40:
            raise KeyboardInterrupt
        take(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(target.ParquetTarget, "add", interrupted)
        run("--to", tmp_path / "a.parquet", tmp_path / "a.txt")
    assert json.loads((tmp_path / "a.parquet.parts" / "progress.json").read_text())["texts"] == 39
    assert run("--resume", "--to", tmp_path / "a.parquet", tmp_path / "a.txt")[0] == 0
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 50


def test_a_parquet_that_is_interrupted_behind_a_part_has_no_text_twice(run, tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(target, "ROWS_IN_GROUP", 5)
    (tmp_path / "a.txt").write_text("".join(f"the john {i}\n" for i in range(20)))
    write = target.ParquetTarget._write

    def interrupted(self, table, number):
        write(self, table, number)
        if number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(target.ParquetTarget, "_write", interrupted)
        run("--to", tmp_path / "a.parquet", tmp_path / "a.txt")
    assert run("--resume", "--to", tmp_path / "a.parquet", tmp_path / "a.txt")[0] == 0
    assert pq.read_table(tmp_path / "a.parquet").column("text").to_pylist() == [f"the john {i}" for i in range(20)]


def test_csv_takes_keys_in_any_order_and_dates_as_they_are_written(run, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a.jsonl").write_text('{"text": "a", "id": [1]}\n{"id": true, "text": "b"}\n')
    status, out, _ = run("--output", "csv", "--min-score", "1", tmp_path / "a.jsonl")
    assert (status, out.splitlines()) == (0, ["text,id,entities", "a,[1],[]", "b,true,[]"])
    (tmp_path / "b.jsonl").write_text('{"text": "a", "id": 1}\n{"text": "b", "no": 2}\n')
    assert "expected the columns that the first text has: 'text', 'id', got 'text', 'no'" in run(
        "--output", "csv", tmp_path / "b.jsonl")[2]
    table = pa.table({"text": ["a"], "day": [datetime.date(2024, 1, 2)], "price": [decimal.Decimal("1.50")]})
    pq.write_table(table, tmp_path / "c.parquet")
    assert run("--output", "csv", "--min-score", "1", tmp_path / "c.parquet")[1].splitlines()[1] == (
        "a,2024-01-02,1.50,[]")


def test_answers_in_the_folder_that_is_read_are_not_read(run, tmp_path):
    (tmp_path / "a.txt").write_text("the john")
    for _ in range(2):
        assert run("--resume", "--to", f"{tmp_path}/answers/", tmp_path) == (0, "", "")
        assert set(contents(tmp_path)) == {"a.txt", "answers/a.txt.jsonl"}
    assert run("--to", tmp_path, tmp_path)[2] == (
        f"nerlite: --to {tmp_path}: expected another folder than the one that is read, or one in it\n")


def test_what_a_whole_run_left_does_not_stop_the_next(run, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("the john")
    arguments = ("--to", tmp_path / "a.jsonl", tmp_path / "a.txt")
    with monkeypatch.context() as patch:  # as if it ended before its last step
        patch.setattr(target.Progress, "remove", lambda self: None)
        assert run(*arguments)[0] == 0
    (tmp_path / "a.jsonl").unlink()
    assert run(*arguments) == (0, "", "")
    assert set(contents(tmp_path)) == {"a.txt", "a.jsonl"}


def test_brat_gets_a_text_and_its_standoff_for_each_document(run, tmp_path):
    (tmp_path / "in" / "x").mkdir(parents=True)
    texts = {"a.txt": "the john\r\nof berlin", "x/b.txt": "acme \U0001f600 in berlin", "x/c.txt": ""}
    for name, text in texts.items():
        (tmp_path / "in" / name).write_bytes(text.encode())
    (tmp_path / "in" / "d.jsonl").write_text('{"text": "john"}\n{"text": null}\n{"text": "eu \\ud83d berlin"}\n')
    assert run("--whole", "--output", "brat", "--to", tmp_path / "out", tmp_path / "in") == (0, "", "")
    found = contents(tmp_path / "out")
    assert set(found) == {"annotation.conf", "a.txt", "a.ann", "x/b.txt", "x/b.ann", "x/c.txt", "x/c.ann",
                          *(f"d.jsonl/00000{i}.{suffix}" for i in (1, 3) for suffix in ("txt", "ann"))}
    assert found["annotation.conf"] == (
        b"[entities]\nLOC\nMISC\nORG\nPER\n[relations]\n[events]\n[attributes]\n")
    assert {name: found[name].decode() for name in texts} == texts
    assert found["d.jsonl/000003.txt"].decode() == "eu \ufffd berlin"
    assert sum(map(len, (found[name] for name in found if name.endswith(".ann")))) > 50
    for name, content in found.items():
        text = found[name[:-3] + "txt"].decode() if name.endswith(".ann") else ""
        for number, line in enumerate(content.decode().splitlines() if text else [], 1):
            name, place, shown = line.split("\t")
            label, _, offsets = place.partition(" ")
            assert name == f"T{number}"
            assert label in {"LOC", "MISC", "ORG", "PER"}
            fragments = [tuple(map(int, each.split())) for each in offsets.split(";")]
            assert " ".join(text[start:end] for start, end in fragments) == shown


def test_brats_configuration_is_there_once_it_is_whole(run, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("the john")
    arguments = ("--output", "brat", "--to", tmp_path / "out", "--resume", tmp_path / "a.txt")
    write = Path.write_bytes

    def half(path, data):
        write(path, data[:len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        assert "No space left on device" in run(*arguments)[2]
    assert run(*arguments)[0] == 0
    assert contents(tmp_path / "out")["annotation.conf"].endswith(b"[attributes]\n")


def test_brat_in_the_folder_of_the_texts(run, tmp_path):
    (tmp_path / "a.txt").write_text("the john")
    (tmp_path / "annotation.conf").write_text("mine")
    arguments = ("--whole", "--output", "brat", "--to", tmp_path, tmp_path / "a.txt")
    assert run(*arguments) == (0, "", "")
    assert set(contents(tmp_path)) == {"a.txt", "a.ann", "annotation.conf"}
    assert (tmp_path / "annotation.conf").read_text() == "mine"
    (tmp_path / "a.ann").write_text("edited")
    assert run(*arguments)[2] == f"nerlite: --to {tmp_path}/a.ann: there already\n"
    assert run(*arguments, "--resume")[0] == 0
    assert (tmp_path / "a.ann").read_text() == "edited"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("another text")
    assert "there already, and not the text that was tagged" in run(
        "--whole", "--output", "brat", "--to", tmp_path / "other", tmp_path / "a.txt")[2]
    assert not (tmp_path / "other" / "a.ann").exists()
    (tmp_path / "a").write_text("the john")
    assert "would hold the answers of more than one file" in run(
        "--whole", "--output", "brat", "--to", f"{tmp_path}/new/", tmp_path / "a.txt", tmp_path / "a")[2]
    assert run("--output", "brat", tmp_path / "a.txt")[2] == "nerlite: --output brat: expected --to FOLDER\n"


@pytest.mark.skipif(os.name == "nt", reason="a file that is open there cannot be renamed")
@pytest.mark.parametrize(("kind", "name"), [(target.FileTarget, "out.jsonl"), (target.ParquetTarget, "out.parquet"),
                                            (brat_target.Folder, "out/")])
def test_two_runs_do_not_write_one_file(run, tmp_path, monkeypatch, kind, name):
    """One that is told to go on with what another is still writing would take its file from under it."""
    if kind is target.ParquetTarget:
        pytest.importorskip("pyarrow")
    (tmp_path / "a.txt").write_text(f"{LINE}\n" * 3)
    form = ["--output", "brat"] if kind is brat_target.Folder else []
    arguments = [*form, "--to", f"{tmp_path}/{name}", tmp_path / "a.txt"]
    add, others = kind.add, []

    def add_while_another_runs(self, document, record):
        add(self, document, record)
        monkeypatch.setattr(kind, "add", add)
        others.append(run("--resume", *arguments))

    monkeypatch.setattr(kind, "add", add_while_another_runs)
    assert run(*arguments) == (0, "", "")
    assert len(others) == 3
    for status, _, errors in others:
        assert (status, errors.endswith(": another run is writing it\n")) == (2, True)
    left = contents(tmp_path)
    assert run("--resume", *arguments) == (0, "", "")
    assert contents(tmp_path) == left
    assert not any("partial" in name or "part" in Path(name).parts for name in left)


@pytest.mark.parametrize(("kind", "name"), [(target.FileTarget, "out.jsonl"), (target.ParquetTarget, "out.parquet")])
def test_what_came_while_a_run_wrote_stays(run, tmp_path, monkeypatch, kind, name):
    if kind is target.ParquetTarget:
        pytest.importorskip("pyarrow")
    (tmp_path / "a.txt").write_text(f"{LINE}\n")
    add = kind.add

    def add_while_another_writes(self, document, record):
        (tmp_path / name).write_text("another's")
        add(self, document, record)

    monkeypatch.setattr(kind, "add", add_while_another_writes)
    assert run("--to", tmp_path / name, tmp_path / "a.txt")[::2] == (
        2, f"nerlite: --to {tmp_path / name}: there already\n")
    assert (tmp_path / name).read_text() == "another's"
    (tmp_path / name).unlink()
    monkeypatch.setattr(kind, "add", add)
    assert run("--to", tmp_path / name, "--resume", tmp_path / "a.txt")[0] == 0
    assert (tmp_path / name).stat().st_size > len(LINE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", name]


def test_only_files_can_be_gone_on_with(run, tmp_path):
    (tmp_path / "a.txt").write_text(LINE)
    for arguments in (("--resume", tmp_path / "a.txt"), ("--resume", "--to", tmp_path / "out", "-")):
        assert run(*arguments)[2].startswith("nerlite: --resume: expected files, and --to")


def test_parquet_keeps_its_columns_and_their_types(run, tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    monkeypatch.setattr(target, "ROWS_IN_GROUP", 3)
    table = pa.table({"id": pa.array(range(8), pa.int16()), "body": ["john", None, "acme", "", *["berlin"] * 4],
                      "when": pa.array([datetime.datetime(2024, 1, i, tzinfo=datetime.UTC) for i in range(1, 9)])})
    pq.write_table(table, tmp_path / "in.parquet")
    assert run("--text-column", "body", "--to", tmp_path / "out.parquet", tmp_path / "in.parquet") == (0, "", "")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.drop_columns("entities").equals(table)
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 3
    status, output, _ = run("--text-column", "body", tmp_path / "in.parquet")
    rows = [json.loads(line) for line in output.splitlines()]
    assert status == 0
    assert [row["entities"] for row in rows] == found.column("entities").to_pylist()
    assert any(row["entities"] for row in rows)
    assert [row["body"] for row in rows] == table.column("body").to_pylist()
    (tmp_path / "a.txt").write_text("john\n\n")
    (tmp_path / "b.csv").write_text("text,n\nberlin,1\n")
    assert run("--to", tmp_path / "b.parquet", tmp_path / "b.csv")[0] == 0
    assert pq.read_table(tmp_path / "b.parquet").column("n").to_pylist() == ["1"]
    (tmp_path / "none.txt").touch()
    assert run("--to", tmp_path / "none.parquet", tmp_path / "none.txt")[0] == 0
    assert pq.read_table(tmp_path / "none.parquet").column_names == ["text", "entities"]
    (tmp_path / "no.jsonl").write_text('{"text": "john", "entities": 1}')
    assert run("--on-error", "skip", "--to", tmp_path / "no.parquet", tmp_path / "no.jsonl")[0] == 0
    assert pq.read_table(tmp_path / "no.parquet").num_rows == 0
    assert run("--to", tmp_path / "both.parquet", tmp_path / "a.txt", tmp_path / "b.csv")[0] == 0
    both = pq.read_table(tmp_path / "both.parquet")
    assert both.column_names == ["text", "n", "entities"]
    assert both.column("n").to_pylist() == [None, None, "1"]
    for arguments, message in (([tmp_path / "in.parquet"], "no column 'text'; --text-column"),
                               (["--text-column", "id", tmp_path / "in.parquet"], "expected strings, got int16"),
                               (["--input-format", "parquet", tmp_path / "a.txt"], "not a readable Parquet file"),
                               (["--output", "parquet", tmp_path / "a.txt"], "--output parquet: expected --to")):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(target, "ROWS_IN_GROUP", 2)
        status, _, errors = run(*arguments)
        assert (status, message in errors) == (2, True), errors


def test_parquet_without_its_package_is_an_error_that_says_what_to_do(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.txt").write_text("john")
    for arguments in (["--to", tmp_path / "a.parquet"], ["--input-format", "parquet"]):
        assert "pip install 'nerlite[parquet]'" in run(*arguments, tmp_path / "a.txt")[2]


FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@FORKS
def test_processes_give_the_same_answers_in_order(run, tmp_path, monkeypatch):
    rows = [json.dumps({"text": f"john of {'acme ' * (i % 9)}"} if i % 10 else {"text": None}) for i in range(200)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    (tmp_path / "b.conll").write_text("john O\nof O\n\nberlin O\n")
    expected = run(tmp_path)
    assert expected[0] == 0
    assert run("--workers", 2, tmp_path) == expected
    (tmp_path / "c.jsonl").write_text("{\n")
    status, output, errors = run("--workers", 2, tmp_path)
    assert (status, output) == (2, expected[1])
    assert errors.startswith(f"nerlite: {tmp_path}/c.jsonl:1: not JSON")


@FORKS
def test_big_files_get_a_process_a_core(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text(LINE)
    options = argparse.Namespace(workers=None, threads=None)
    monkeypatch.setattr(common, "available_cores", lambda: 3)
    common.choose_workers(options, [str(tmp_path / "a.txt")])
    assert options.workers is None
    monkeypatch.setattr(common, "BIG", 4)
    for files, threads, expected in ((["-"], None, None), ([str(tmp_path / "a.txt")], 2, None),
                                     ([str(tmp_path / "a.txt")], None, 3 if sys.platform == "linux" else None)):
        options = argparse.Namespace(workers=None, threads=threads)
        common.choose_workers(options, files)
        assert options.workers == expected


@FORKS
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc to see processes in")
def test_processes_end_with_the_one_that_started_them(tiny_model):
    command = [sys.executable, "-m", "nerlite", "tag", "--model", tiny_model, "--backend", "numpy", "--workers", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"john\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == "john"  # while the pipe stays open
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        process.kill()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@FORKS
@pytest.mark.parametrize("form", ["jsonl", "csv", "html", "parquet", "brat"])
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bytes(run, tiny_model, tmp_path, monkeypatch, form):
    """The answers and the report on what is left out: lines that are no JSON, and answers that cannot be written."""
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    rng = random.Random(form)
    for file in files:
        rows = [json.dumps({"text": " ".join(["john", "acme", "the", "berlin"][:rng.randint(0, 4)]), "n": i}
                           | ({"entities": 0} if rng.random() < 0.05 else {})) for i in range(150)]
        file.write_text("".join(f"{'{' if rng.random() < 0.05 else row}\n" for row in rows))
    monkeypatch.setattr(target, "SECONDS_BETWEEN", 0.002)
    monkeypatch.setattr(target, "ROWS_IN_GROUP", 7)
    if form == "parquet":
        pytest.importorskip("pyarrow")
    content_of = contents if form == "brat" else Path.read_bytes
    whole, report, out, own_report = (tmp_path / name for name in ("whole", "report", "out", "own_report"))
    skip = ("--output", form, "--on-error", "skip", "--errors")
    start = time.perf_counter()
    assert run(*skip, report, "--to", whole, *files)[0] == 0
    seconds, context = time.perf_counter() - start, multiprocessing.get_context("fork")
    expected = content_of(whole), report.read_bytes()
    arguments = [*skip, own_report, "--to", out, "--resume", *files]
    command = ["tag", "--model", tiny_model, "--backend", "numpy", "--threads", "1", *arguments]
    killed = went_on = 0
    while killed < 20:
        process = context.Process(target=cli.main, args=([*map(str, command)],))
        process.start()
        time.sleep(rng.uniform(0, seconds / 3))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        is_whole = (out / "b.jsonl" if form == "brat" else out).exists()
        went_on += process.exitcode == -signal.SIGKILL and not is_whole
        if is_whole:
            assert (content_of(out), own_report.read_bytes()) == expected
            shutil.rmtree(out) if out.is_dir() else out.unlink()
    assert went_on > 10
    assert run(*arguments)[0] == 0
    assert (content_of(out), own_report.read_bytes()) == expected
    assert {line["left_out"] for line in report_of(report)} == {"text"}
    assert len(report_of(report)) > 10


def test_row_groups_that_a_killed_run_left_are_those_of_one_run(run, tiny_model, tmp_path, monkeypatch):
    """Killed while it tidies up; then its file is removed, and the next run is killed and gone on with."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(target, "ROWS_IN_GROUP", 2)
    (file := tmp_path / "a.jsonl").write_text('{"text": "john"}\n{\n' * 20)
    arguments = ["--output", "parquet", "--on-error", "skip", "--resume", file]

    def tag(out):
        return run(*arguments, "--errors", tmp_path / f"{out}.errors", "--to", tmp_path / out)[0]

    def killed(*_, **__):
        raise Killed

    assert tag("whole") == 0
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(target.shutil, "rmtree", killed)
        tag("out")
    (tmp_path / "out").unlink()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(target.ParquetTarget, "close", killed)
        flush, n = target.ParquetTarget._flush, itertools.count()
        patch.setattr(target.ParquetTarget, "_flush", lambda self: flush(self) if next(n) < 2 else killed())
        tag("out")
    gc.collect()  # what the killed run held, as a process would let it go
    assert tag("out") == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert len(report_of(tmp_path / "out.errors")) == len(report_of(tmp_path / "whole.errors")) == 20


class Killed(BaseException):
    """What ends a process at once."""


def test_nothing_in_a_folder_is_missing_without_a_word(run, tmp_path, monkeypatch):
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("one.txt", "b/two.txt"):
        (tmp_path / "a" / name).write_text("john\n")
    (tmp_path / "a/zz.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "a/pipe.txt")
    status, output, errors = run("--on-error", "skip", tmp_path / "a")
    assert (status, output.count("\n")) == (0, 2)
    assert "1 files of other kinds" in errors and "zz.txt: No such file or directory" in errors
    scandir = os.scandir

    def refused(path):
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    status, output, errors = run("--on-error", "skip", tmp_path / "a")
    assert (status, output, errors) == (2, "", f"nerlite: {tmp_path / 'a/b'}: Permission denied\n")


def test_answers_to_what_was_changed_since_are_kept_and_said(run, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "in" / name).write_text("john\n")
    arguments = ["--to", f"{tmp_path}/out/", "--resume", tmp_path / "in"]
    assert run(*arguments)[0] == 0
    answer = (tmp_path / "out/b.txt.jsonl").read_bytes()
    assert run(*arguments) == (0, "", "")
    (tmp_path / "in/b.txt").write_text("the john\n")
    os.utime(tmp_path / "in/b.txt", (2e9, 2e9))
    status, output, errors = run(*arguments)
    assert (status, output, errors.count("\n")) == (0, "", 1)
    assert f"{tmp_path / 'out/b.txt.jsonl'}: kept, though what it answers was changed since" in errors
    assert (tmp_path / "out/b.txt.jsonl").read_bytes() == answer
    (tmp_path / "out/b.txt.jsonl").unlink()
    assert run(*arguments) == (0, "", "")
    assert b"the john" in (tmp_path / "out/b.txt.jsonl").read_bytes()
