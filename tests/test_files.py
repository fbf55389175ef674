"""Files of a model that are replaced, changed or no files at all: one whole model or an error, never parts of two."""

import contextlib
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from conftest import random_tensors

import nerlite
from nerlite import pipeline
from nerlite.config import read_config, write_config
from nerlite.errors import ModelError
from nerlite.weights import FileTensors

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from nerlite.model_directory import write_model

FILES = ("config.json", "model.safetensors", "tokenizer.json")
TEXT = "john of berlin and the acme eu in germaner 1990"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def models(tiny_config, tiny_model, tmp_path):
    """Two models of one shape, in v1/ and v2/; all of their files differ."""
    tokenizer_json = (tiny_model / "tokenizer.json").read_text(encoding="utf-8")
    other = tokenizer_json.replace('"john":', '"kjohn":').replace('"acme":', '"john":')
    for name, tags, tokenizer in (("v1", tiny_config.tags, tokenizer_json), ("v2", tiny_config.tags[::-1], other)):
        write_model(tiny_config._replace(tags=tags), random_tensors(tiny_config, len(name + tags[0])), tokenizer, "# x",
                    tmp_path / name)
    return tmp_path


def answer(path):
    """All that a model says of a text, or that it cannot be used."""
    try:
        tagger = nerlite.load(path, backend="numpy")
    except ModelError as error:
        return str(error)
    return tagger.config.tags, tagger(TEXT).entities


def link(folder):
    """Let the link that models are loaded by point to v2."""
    (folder / "new").symlink_to("v2")
    (folder / "new").replace(folder / "current")


def rename_directories(folder):
    (folder / "v1").rename(folder / "old")
    (folder / "v2").rename(folder / "v1")


def rename_files(folder):
    for name in FILES:
        (folder / "v2" / name).replace(folder / "v1" / name)


def write_over_files(folder):
    for name in FILES:
        shutil.copyfile(folder / "v2" / name, folder / "v1" / name)


@pytest.mark.parametrize("moment", ["read_config", "read_tensors", "Network"])
@pytest.mark.parametrize("replace", [link, rename_directories, rename_files, write_over_files])
def test_a_model_that_is_replaced_while_it_is_loaded_is_never_mixed(models, monkeypatch, replace, moment):
    whole = [answer(models / name) for name in ("v1", "v2")]
    assert whole[0][1] != whole[1][1]
    (models / "current").symlink_to("v1")
    real = getattr(pipeline, moment)

    def then_replace(*arguments):
        result = real(*arguments)
        replace(models)
        return result

    monkeypatch.setattr(pipeline, moment, then_replace)
    found = answer(models / "current")
    assert found in whole or "it is another model's, or was changed" in found
    monkeypatch.undo()
    assert answer(models / "current") == whole[1]


def test_files_of_two_models_are_refused(models):
    for name, key in (("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")):
        mixed = models / name
        shutil.copytree(models / "v1", mixed)
        shutil.copyfile(models / "v2" / name, mixed / name)
        with pytest.raises(ModelError, match=rf"{name}: expected the file whose checksum is .*checksums\.{key}"):
            nerlite.load(mixed)
        config = read_config(mixed / "config.json")
        write_config(config._replace(checksums=None), mixed / "config.json")
        nerlite.load(mixed)


def test_a_checksum_sees_every_byte(models):
    path = models / "v1" / "model.safetensors"
    before, size = FileTensors(path).checksum(), path.stat().st_size
    for at in (20, size // 3, size // 2, size - 1):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        (models / "changed").write_bytes(data)
        try:
            assert FileTensors(models / "changed").checksum() != before
        except ModelError:
            assert at == 20  # in the header
    assert FileTensors(path).checksum() == before


def test_what_becomes_of_files_changes_nothing_that_is_loaded(models):
    tagger = nerlite.load(models / "v1")
    before = tagger(TEXT).entities
    for spoil in (lambda path: path.write_bytes(b"\xff" * path.stat().st_size), lambda path: os.truncate(path, 0),
                  lambda path: path.unlink()):
        for name in FILES:
            spoil(models / "v1" / name)
        assert tagger(TEXT).entities == before


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices have names in POSIX")
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_refused_at_once(models, name):
    path = models / "v1" / name
    listener = socket.socket(socket.AF_UNIX)
    for make, message in ((os.mkfifo, "expected a file, got a pipe"),
                          (lambda path: path.symlink_to("/dev/zero"), "expected a file, got a pipe, a device"),
                          (os.mkdir, "not readable: Is a directory"),
                          (lambda path: path.symlink_to(path.name), "not readable: Too many levels of symbolic links"),
                          (lambda path: listener.bind(os.path.relpath(path)), "not readable: No such device")):
        path.unlink()
        make(path)
        with pytest.raises(ModelError, match=rf"{name}: {message}"):
            nerlite.load(models / "v1")
        if path.is_dir():
            path.rmdir()
            path.touch()
    listener.close()


def test_a_file_beyond_all_models_is_not_read(models):
    for name, message in (("config.json", "expected at most 1,048,576 bytes"),
                          ("tokenizer.json", "expected at most 33,554,432 bytes"),
                          ("model.safetensors", "a header of 1,099,511,627,776 bytes, expected at most 4,194,304")):
        path = models / "v1" / name
        whole = path.read_bytes()
        path.write_bytes((1 << 40).to_bytes(8, "little") if name == "model.safetensors" else b"")
        os.truncate(path, 1 << 40)  # takes no room on the disk
        with pytest.raises(ModelError, match=rf"{name}: .*{message}"):
            nerlite.load(models / "v1")
        path.write_bytes(whole)


def test_loading_leaves_no_file_open(models):
    def descriptors():
        found = []
        for number in range(100):
            with contextlib.suppress(OSError):
                found.append((number, os.fstat(number).st_ino))
        return found

    before = descriptors()
    tagger = nerlite.load(models / "v1")
    (models / "v1" / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError):
        nerlite.load(models / "v1")
    with pytest.raises(ModelError):
        nerlite.load(ROOT / "tests")
    assert descriptors() == before
    assert tagger(TEXT).words


@pytest.mark.parametrize("path", sorted(path.parent for path in ROOT.glob("weights/*/config.json")),
                         ids=lambda path: path.name)
def test_a_shipped_model_is_checked(path):
    config = read_config(path / "config.json")
    assert config.checksums is not None
    assert FileTensors(path / "model.safetensors").checksum() == config.checksums.weights
