"""The benchmarks give the network what it takes."""

import sys
from array import array
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import accuracy
import kernels
import natural_text
import redaction
import run
import small_texts
from natural_text import Sentence

import nerlite


def test_parts_of_the_network_are_those_of_the_reference():
    network, reference = (kernels.build(kernels.MODEL, backend) for backend in ("auto", "numpy"))
    parts = list(kernels.parts(kernels.MODEL))
    assert len(parts) == len(kernels.LENGTHS) + 4
    for part in parts:
        assert np.abs(part.work(network) - part.work(reference)).max() <= kernels.TOLERANCE, part.name


def test_words_are_joined_to_natural_text():
    sentence = "He said : \" I do n't ( yet ) like the Smiths ' $ 5 , \" and / or 3 % -- 'well' ."
    words = sentence.split(" ")
    tags = ["B-PER", *["O"] * (len(words) - 1)]
    document = natural_text.natural([Sentence(words, tags), Sentence(["Oslo"], ["B-LOC"])])
    assert document.text == 'He said: "I don\'t (yet) like the Smiths\' $5," and/or 3% -- \'well\'.\nOslo\n'
    assert [document.text[start:end] for start, end in document.places[0]] == words
    named = {(document.text[start:end], label) for start, end, label in document.entities}
    assert named == {("He", "PER"), ("Oslo", "LOC")}


def test_conll_as_natural_text_loses_little(data):
    documents = natural_text.read("valid")
    given, own, same = map(sum, zip(*map(natural_text.found_words, documents), strict=True))
    assert 200 * same / (given + own) > 99.8
    tagger, some = nerlite.load(natural_text.MODEL), documents[::4]
    by_words = natural_text.score(some, natural_text.by_words(tagger))
    assert by_words.fb1 - natural_text.score(some, natural_text.by_text(tagger)).fb1 <= 0.5


def test_redaction_counts_every_name_and_word_once(tiny_model, tmp_path):
    file = tmp_path / "gold.conll"
    file.write_text("-DOCSTART- O\n\nthe B-LOC\njohn B-PER\nof I-PER\nacme O\n\nberlin B-LOC\nx O\n" * 9)
    tagger = nerlite.load(tiny_model, backend="numpy")
    counts = redaction.measure(tagger, file)
    assert counts["all"]["names"] == 27
    assert counts["all"]["whole"] + counts["all"]["part"] + counts["all"]["none"] == 27
    assert counts["all"] == counts["PER"] + counts["LOC"]
    assert counts["words"].total() == 54
    assert counts["words"]["name"] == 36
    hidden = [tag != "O" for tag in tagger.documents_of([[["the", "john", "of", "acme"], ["berlin", "x"]]])[0].tags]
    assert counts["all"]["whole"] == 9 * (hidden[0] + all(hidden[1:3]) + hidden[4])
    assert counts["words"]["lost"] == 9 * (hidden[3] + hidden[5])


def test_reliability_is_the_share_that_is_right_in_each_bin():
    lines = list(accuracy.reliability("x", [(0.95, True), (0.97, True), (0.99, False), (0.42, False), (0.48, True)]))
    assert [line.split()[:3] for line in lines[1:]] == [["0.4", "2", "0.50"], ["0.9", "3", "0.67"]]
    assert lines[1].index("|") - lines[1].index("#") == round(0.45 * 50)  # where the scores are


def test_small_texts_have_their_entities_in_order(monkeypatch, capsys):
    texts = small_texts.read_texts()
    for case in texts:
        place = 0
        for name, label in case["entities"]:
            place = case["text"].index(name, place) + len(name)
            assert label in ("PER", "LOC", "ORG", "MISC")
    assert Counter(case["kind"] for case in texts) == dict.fromkeys({case["kind"] for case in texts}, 50)

    class Silent:
        def pipe(self, texts):
            return [nerlite.Document(text, array("I"), []) for text in texts]

    monkeypatch.setattr(nerlite, "load", lambda model: Silent())
    assert small_texts.main(["--wrong"]) == 0
    output = capsys.readouterr().out
    empty = [case["part"] for case in texts if not case["entities"]]
    assert f"| {empty.count('dev')} of 200 |" in output and f"| {empty.count('held')} of 200 |" in output
    assert output.count('"part": "dev"') == 200 - empty.count("dev") and '"part": "held"' not in output


def test_details_count_what_was_found(tmp_path, monkeypatch):
    for name in ("conll2003/valid.txt", "open/ewt.dev.conll", "open/btc.dev.conll", "open/tweebank.dev.conll"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Ada B-PER\nran O\n\nRome B-LOC\n")
    monkeypatch.setattr(accuracy, "DATA", tmp_path)

    def find(texts):
        return [[(accuracy.Span(0, 1, "PER"), 0.9)] for _ in texts]

    lines = list(accuracy.details(find, test=False))
    assert "| UNER-EWT dev | 50.0 | 0.0 |  |  | 66.7 |" in lines
    assert any(line.startswith("| 1 to 5 |") and " 50.0 |" in line for line in lines)


def test_a_whole_run_ends_in_a_page_and_tells_what_failed(tmp_path, monkeypatch, capsys):
    machine = {"cpu": "C", "cores": 2, "features": ["avx2"], "sgemm_gflops": 9.0, "int8_gops": None, "system": "L",
               "versions": {"numpy": "2"}, "blas": ["openblas"], "load": 0.0}
    part = {"part": "Viterbi", "unit": "words", "microseconds": 0.16, "gops": None, "share": None, "difference": 0.0}
    monkeypatch.setattr(run, "fresh", lambda measure: machine)
    monkeypatch.setattr(run.kernels, "run", lambda cache, n: {"parts": [part]})
    monkeypatch.setattr(run.startup, "run", lambda cache, n: 1 / 0)
    for name in ("speed_of_all", "levels", "curves"):
        monkeypatch.delattr(run, name)
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "kernels", "startup", "--cache", str(tmp_path)])
    assert run.main() == 1
    page = (tmp_path / "results" / "README.md").read_text()
    assert page in capsys.readouterr().out
    assert "| Viterbi | 0.16 a word |" in page
    assert "- startup: ZeroDivisionError" in page
