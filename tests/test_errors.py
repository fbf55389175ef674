"""What errors say of files that anybody may have made: short, and nothing that a terminal obeys."""

import json
import pickle
import sys
from pathlib import Path

import pytest
from conftest import random_tensors

from nerlite.config import read_config, write_config
from nerlite.errors import LONGEST_LINE, MOST_LINES, FileError, InputError, ModelError, Place
from nerlite.io import jsonl
from nerlite.io.base import ReadOptions
from nerlite.weights import read_tensors, write_tensors

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from convert_sparknlp.errors import ConversionError


def assert_readable(message):
    assert len(message.split("\n")) <= MOST_LINES
    assert max(map(len, message.split("\n"))) <= LONGEST_LINE
    assert all(character.isprintable() or character == "\n" for character in message)


@pytest.mark.parametrize("kind", [ModelError, InputError, ConversionError])
def test_errors_of_files_are_readable(kind):
    for message in ("\x1b[2Jgone\r\u202eevil\ud800\x00", "\n".join(map(str, range(12_000))), "x" * 10 ** 6,
                    "\x1b" * 10 ** 6):
        error = kind(message)
        assert isinstance(error, FileError)
        assert_readable(str(error))
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind("\x1b[2J\tü\u00a0")) == r"\x1b[2J\tü\xa0"
    assert str(kind("a\n" * 30)).endswith("\n  … and 12 lines more")
    assert str(kind("a\nb")) == "a\nb"


def test_what_is_wrong_with_input_carries_its_place():
    for where, message in ((Place("a: b.txt", 2), "a: b.txt:2: not UTF-8"), (Place("\x1b.gz"), r"\x1b.gz: not UTF-8"),
                           (None, "not UTF-8")):
        for error in (InputError("not UTF-8", where), pickle.loads(pickle.dumps(InputError("not UTF-8", where)))):
            assert (str(error), error.reason, error.where) == (message, "not UTF-8", where)


def test_a_file_says_nothing_to_the_terminal(tiny_config, tmp_path):
    folder = tmp_path / "\x1b[31mred"
    folder.mkdir()
    path = folder / "config.json"
    write_config(tiny_config, path)
    data = json.loads(path.read_text())
    data["\x1b[2J"] = data["encoder"]["\x1b]0;title\x07"] = 1
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"\\x1b\[31mred.*\\x1b\[2J: unknown key") as error:
        read_config(path)
    assert_readable(str(error.value))
    with pytest.raises(InputError, match=r"\\x1b\[1mbold:1: ") as error:
        list(jsonl.read([b'{"\\u001b[2J": 1}'], "\x1b[1mbold", ReadOptions()))
    assert_readable(str(error.value))


def test_a_thousand_faults_are_twenty_lines(tiny_config, tmp_path):
    big = tiny_config._replace(encoder=tiny_config.encoder._replace(num_hidden_layers=1000))
    write_tensors(tiny_config, random_tensors(tiny_config), tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="11976 tensors differ") as error:
        read_tensors(big, tmp_path / "model.safetensors")
    assert_readable(str(error.value))
    assert "encoder.layers.2.qkv.weight" in str(error.value)
