"""The distinct names of a corpus."""

import csv
import io
import os
import subprocess
import sys

import pytest

import nerlite
from nerlite import cli
from nerlite.cli.commands.count import Names
from nerlite.document import Entity


def entities(*pairs):
    return [Entity(text, label, 0, len(text), 1.0) for label, text in pairs]


def test_forms_that_differ_in_little_are_one_name():
    names = Names()
    names.add(entities(("PER", "Angela Merkel"), ("PER", "ANGELA  MERKEL"), ("PER", "Angela\nMerkel's"),
                       ("ORG", "U.S."), ("PER", "Angela Merkel"), ("ORG", "u.s."), ("PER", "Merkel"),
                       ("LOC", "Berlin,"), ("ORG", "Ｕ.S.")))
    assert names.most_common() == [("PER", "Angela Merkel", 4, ["ANGELA MERKEL", "Angela Merkel's"]),
                                   ("ORG", "U.S.", 3, ["u.s.", "Ｕ.S."]), ("LOC", "Berlin,", 1, []),
                                   ("PER", "Merkel", 1, [])]
    assert [name.text for name in names.most_common(least=2)] == ["Angela Merkel", "U.S."]


@pytest.mark.parametrize("output", ["table", "csv"])
def test_count(tiny_model, tmp_path, capsys, output):
    texts = ["My name is John and I work for Acme in Berlin.", "john of berlin"] * 3
    (tmp_path / "a.txt").write_text("\n".join(texts))
    expected, tagger = Names(), nerlite.load(tiny_model, backend="numpy")
    for document in tagger.pipe(texts):
        expected.add(document.entities)
    names = expected.most_common(2)
    assert names
    assert cli.main(["count", "--model", str(tiny_model), "--backend", "numpy", "--least", "2", "--output", output,
                     str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    if output == "csv":
        assert list(csv.reader(io.StringIO(printed)))[1:] == [
            [name.label, name.text, str(name.n), "; ".join(name.others)] for name in names]
    else:
        assert [line.split(None, 2) for line in printed.splitlines()] == [
            [str(name.n), name.label, name.text] for name in names]


def test_names_are_written_in_utf_8_whatever_the_terminal_has(tmp_path):
    (tmp_path / "a.txt").write_text("Łukasz Nowak was born in Łódź.", "utf-8")
    done = subprocess.run([sys.executable, "-m", "nerlite", "count", str(tmp_path / "a.txt")], check=True,
                          capture_output=True, env=os.environ | {"PYTHONIOENCODING": "cp1252"})
    assert done.stdout.decode("utf-8").split() == ["1", "LOC", "Łódź", "1", "PER", "Łukasz", "Nowak"]
