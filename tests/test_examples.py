"""The examples run, and say what they are there to show."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import nerlite
from nerlite.evaluate import evaluate
from nerlite.io.conll import read_tagged, texts_of

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path):
    """A function that runs an example in an empty folder and returns the lines that it prints."""
    def run_example(name):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-W", "error", ROOT / "examples" / name], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, check=True).stdout.splitlines()

    return run_example


def test_redact(run, tmp_path):
    assert run("redact.py") == [
        "[PER_1] of [ORG_1] wrote from [LOC_1]: her order has not come. She asks for [PER_2].",
        "[PER_2] answered that [ORG_1] moved to [LOC_2]. Write to [PER_1] about it.",
        "Dear Maria Keller, your order went to the old address of Acme Corp in Zurich. Tom Baker sends it to Geneva "
        "now."]
    assert stat.S_IMODE((tmp_path / "conversation.json").stat().st_mode) == 0o600


def test_frames(run):
    lines = [line.split() for line in run("frames.py")]
    assert lines[0] == ["document", "text", "label", "start", "end", "score"]
    assert lines[1][:-1] == ["0", "a", "Ada", "Lovelace", "PER", "0", "12"]
    assert lines[4][:-1] == ["3", "c", "Royal", "Society", "ORG", "4", "17"]
    assert sorted(lines[6:]) == [["LOC", "1"], ["ORG", "1"], ["PER", "2"]]


def test_recipes_train_a_model_of_their_own_labels(tmp_path):
    pytest.importorskip("torch")
    files, model = ROOT / "examples/recipes", tmp_path / "recipes"
    arguments = [files / "train.conll", "--valid", files / "valid.conll", "--out", model, "--epochs", "12"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "nerlite", "train", *arguments], env=environment, check=True)
    ner = nerlite.load(model)
    assert ner.labels == ["FOOD", "QUANTITY"]
    with (files / "valid.conll").open("rb") as file:
        sentences = [sentence for document in read_tagged(texts_of(file, "valid"), "valid") for sentence in document]
    found = ner.tag([sentence.words for sentence in sentences])
    assert evaluate([sentence.tags for sentence in sentences], found).overall.fb1 > 80
