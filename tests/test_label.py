"""tools/label.py: what models agree on, and what is left open."""

import gzip
import sys
from pathlib import Path

import pytest

import nerlite
from nerlite.io.conll import read_tagged, texts_of

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import label


def document(*names):
    words = ["Ada", "Li", "met", "Bob", "in", "Rome", "."]
    text = " ".join(words)
    entities = [nerlite.Entity(text[text.index(name):][:len(name)], kind, text.index(name),
                               text.index(name) + len(name), score) for name, kind, score in names]
    bounds, place = [], 0
    for word in words:
        bounds += [place, place + len(word)]
        place += len(word) + 1
    return nerlite.Document(text, nerlite.document.array("i", bounds), entities)


def test_names_that_all_find_are_kept_and_others_left_open():
    first = document(("Ada Li", "PER", 0.9), ("Bob", "PER", 0.9), ("Rome", "LOC", 0.9))
    second = document(("Ada Li", "PER", 0.8), ("Rome", "ORG", 0.9))
    assert label.agreed([first, second]) == ["B-PER", "I-PER", "O", "B-OPEN", "O", "B-OPEN", "O"]
    assert label.agreed([first]) == ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "O"]


def test_a_name_that_one_is_unsure_of_is_left_open():
    sure, unsure = (document(("Ada Li", "PER", score)) for score in (0.9, 0.4))
    assert label.agreed([sure, unsure])[:3] == ["B-OPEN", "B-OPEN", "O"]


def test_sentences_end_with_their_closing_marks():
    assert label.sentences_of('He said: "Go." She left! 3.5 p.c.') == [
        ["He", "said", ":", '"', "Go", ".", '"'], ["She", "left", "!"], ["3.5", "p.c."]]


def test_a_text_becomes_a_conll_file(tmp_path, tiny_model):
    with gzip.open(tmp_path / "text.gz", "wt", encoding="utf-8") as file:
        file.write("Ada met Bob. They left.\nRome is old.\n" * 20)
    arguments = [str(tiny_model), "--text", str(tmp_path / "text.gz"), "30", "--out", str(tmp_path / "out.conll")]
    assert label.main(arguments) == 0
    with (tmp_path / "out.conll").open("rb") as file:
        documents = list(read_tagged(texts_of(file, "out"), "out"))
    n_words = sum(len(sentence.words) for each in documents for sentence in each)
    assert 30 <= n_words < 40 and len(documents) > 3
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.parametrize("wrong", [["nowhere"], ["--text", "missing.gz", "5"]])
def test_errors_name_the_file(wrong, tmp_path, tiny_model, capsys):
    arguments = [*wrong, "--out", str(tmp_path / "out")]
    if "--text" in wrong:
        arguments.insert(0, str(tiny_model))
    else:
        arguments += ["--text", "missing.gz", "5"]
    assert label.main(arguments) == 2
    assert wrong[0 if "--text" not in wrong else 1] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
