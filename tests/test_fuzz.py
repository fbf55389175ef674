"""A few hundred of the hostile files that `make fuzz` tries, the same each time, and those that were once too much."""

import contextlib
import json
import os
import random
import shutil
import signal

import fuzz
import pytest

N_CASES = 100

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each is tried in a forked process")


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_damaged_files_are_refused_in_few_words_or_used(target):
    ends, wrong = fuzz.fuzz(target, 0, N_CASES)
    assert wrong == {}
    assert ends["refused"] > N_CASES / 5
    assert ends["used"] > 0


def test_damage_reaches_the_names_of_files_in_a_checkpoint(tmp_path):
    """Names that no file can have are among those that an index of shards then has."""
    undamaged, names = fuzz.undamaged("checkpoint"), set()
    for seed in range(2000):
        index = tmp_path / "index.json"
        shutil.copyfile(undamaged / "distilbert" / "model.safetensors.index.json", index)
        with contextlib.suppress(ValueError, AttributeError, KeyError, TypeError, RecursionError):
            fuzz.change_json(random.Random(seed), index)
            names.update(map(str, json.loads(index.read_bytes())["weight_map"].values()))
    assert {"\0" in name for name in names} == {False, True}
    assert any("\ud800" in name for name in names)


def test_what_goes_wrong_is_seen(monkeypatch):
    """A crash, a hang, an unexpected error and a lack of memory, each with its seed; the others are tried as well."""
    def read(folder):
        seed = int((folder / "seed").read_text())
        if seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if seed == 2:
            raise ZeroDivisionError
        if seed == 3:
            while True:
                pass
        if seed == 4:
            raise fuzz.FileError("fine")
        if seed == 5:
            bytearray(4 << 30)

    case = fuzz.Case(lambda folder: (folder / "seed").write_text("0"), lambda rng, folder: None, read)
    monkeypatch.setitem(fuzz.TARGETS, "bad", case)
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    real = fuzz.run

    def run(target, seed):
        (fuzz.undamaged(target) / "seed").write_text(str(seed))
        return real(target, seed)

    monkeypatch.setattr(fuzz, "run", run)
    ends, wrong = fuzz.fuzz("bad", 0, 7)
    assert ends == {"used": 2, "refused": 1, "wrong": 4}
    assert wrong[1] == "ended the process: -9"
    assert wrong[2].startswith("ZeroDivisionError: '' at test_fuzz.py")
    assert wrong[3] == "took more than 1 seconds"
    assert wrong[5].startswith("MemoryError")
