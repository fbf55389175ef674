import importlib
import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from nerlite.config import read_config
from nerlite.weights import expected_tensors, read_tensors

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield importlib.import_module("quantize")


def read_model(path):
    config = read_config(path / "config.json")
    return config, read_tensors(config, path / "model.safetensors")


@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_each_number_stays_within_half_a_step_or_is_the_largest(tool, tiny_model, tmp_path, dtype):
    tool.quantize(tiny_model, tmp_path / "small", dtype)
    before, exact = read_model(tiny_model)
    after, stored = read_model(tmp_path / "small")
    assert (after.dtype, after.tags, after.encoder) == (dtype, before.tags, before.encoder)
    for name, value in exact.items():
        found = stored[name].astype(np.float32)
        if f"{name}.scale" in stored:
            is_embedding = name.endswith("embeddings")
            scale, limit = np.expand_dims(stored[f"{name}.scale"], int(is_embedding)), 127 if is_embedding else 63
            near = np.abs(found * scale - value) <= scale * 0.501
            assert np.all(near | (np.abs(found) == limit)), name
            # Its own scale a row or channel: the largest number of each takes the whole range.
            assert np.all(np.abs(found).max(int(is_embedding)) >= limit * 0.99), name
        else:
            assert np.allclose(found, value, rtol=2 ** -11, atol=1e-7), name
    assert any(f"{name}.scale" in stored for name in exact) == (dtype == "int8")


def test_the_tokenizer_is_kept_and_the_card_says_what_changed(tool, tiny_model, tmp_path, capsys):
    assert tool.main([str(tiny_model), str(tmp_path / "small")]) == 0
    assert "small: int8" in capsys.readouterr().out
    before, after = ((path / "README.md").read_text(encoding="utf-8") for path in (tiny_model, tmp_path / "small"))
    assert after.startswith(before)
    assert "weights here are stored in int8; scores above are of the float32 form" in after
    found, expected = (json.loads((path / "tokenizer.json").read_bytes()) for path in (tmp_path / "small", tiny_model))
    assert found == expected


def test_only_a_float32_model_is_taken(tool, write_model, tmp_path, capsys):
    assert tool.main([str(write_model(dtype="int8")), str(tmp_path / "smaller")]) == 2
    assert "dtype: expected float32, got int8" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_broken_model_and_a_directory_in_use_are_refused(tool, tiny_model, tmp_path, capsys):
    assert tool.main([str(tmp_path / "none"), str(tmp_path / "small")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").touch()
    assert tool.main([str(tiny_model), str(tmp_path)]) == 2
    assert "expected a directory that does not exist or is empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_card_may_be_missing_and_the_current_directory_is_refused(tool, write_model, tmp_path, monkeypatch, capsys):
    model = write_model()
    (model / "README.md").unlink()
    monkeypatch.chdir(tmp_path)
    assert tool.main([str(model), "."]) == 2
    assert "expected another directory than the current one" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert tool.main([str(model), "small"]) == 0
    assert "stored in int8" in (tmp_path / "small" / "README.md").read_text(encoding="utf-8")


def test_a_refused_model_leaves_no_folder_behind(tool, tiny_model, tmp_path, monkeypatch):
    writer = importlib.import_module("nerlite.model_directory")
    monkeypatch.setattr(writer, "write_tensors", mock.Mock(side_effect=OSError("full")))
    assert tool.main([str(tiny_model), str(tmp_path / "a" / "b" / "c")]) == 2
    assert not list(tmp_path.iterdir())


def test_numbers_beyond_float16_are_refused(tool, tmp_path):
    writer = importlib.import_module("nerlite.model_directory")
    golden = Path(__file__).parent / "golden" / "bert-uncased"
    config, tensors = read_model(golden)
    assert set(tensors) == set(expected_tensors(config))
    large = {name: np.array(value) for name, value in tensors.items()}
    large["encoder.layers.0.ffn_in.bias"][0] = 1e6
    tokenizer_json = (golden / "tokenizer.json").read_text(encoding="utf-8")
    writer.write_model(config, large, tokenizer_json, "# large\n", tmp_path / "large")
    with pytest.raises(ValueError, match=r"as float16, got others in encoder\.layers\.0\.ffn_in\.bias$"):
        tool.quantize(tmp_path / "large", tmp_path / "small", "float16")
