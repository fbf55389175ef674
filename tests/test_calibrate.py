"""tools/calibrate.py: scores that say how often they are right."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from nerlite.config import read_config

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import calibrate


def test_fit_finds_the_slope_and_shift_that_scores_were_made_with():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 200_000)
    right = rng.random(len(logits)) < 1 / (1 + np.exp(-(0.6 * logits + 0.3)))
    found = calibrate.fit(1 / (1 + np.exp(-logits)), right.astype(float), np.ones(len(logits)))
    assert found == pytest.approx((0.6, 0.3), abs=0.02)


def test_a_model_is_calibrated_once(tiny_model, tmp_path, monkeypatch, capsys):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    labels = sorted({tag[2:] for tag in read_config(model / "config.json").tags if tag != "O"})
    (tmp_path / "valid.txt").write_text(f"Ada B-{labels[0]}\nran O\n\nRome B-{labels[-1]}\nis O\nold O\n" * 20)
    recipe = {"name": "x", "start": "y", "train": [{"path": "valid.txt"}], "valid": [{"path": "valid.txt"}]}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    monkeypatch.setenv("NERLITE_DATA", str(tmp_path))
    assert calibrate.main([str(model), str(tmp_path / "recipe.json")]) == 0
    assert read_config(model / "config.json").calibration is not None
    assert calibrate.main([str(model), str(tmp_path / "recipe.json")]) == 2
    assert "got one already" in capsys.readouterr().err
