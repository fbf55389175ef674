"""What a wheel holds: the package, its models, its licences, and nothing else; built twice, the same bytes."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODEL = ("README.md", "config.json", "model.safetensors", "tokenizer.json")
pytest.importorskip("hatchling")


def build(checkout, to, kind="wheel"):
    """A wheel without kernels, or an sdist."""
    code = f"import sys; sys.path.insert(0, 'tools'); import hatch_build; print(hatch_build.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, to], cwd=checkout, capture_output=True, text=True, check=True,
                          env={**os.environ, "NERLITE_BUILD_LEVELS": "none"})
    return to / done.stdout.split()[-1]


def copy(folder):
    """A checkout with what lies about in one that is worked in."""
    for name in ("nerlite", "tools", "weights", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "libraries"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for path in ("nerlite/__pycache__/x.pyc", ".venv/pip.conf", "nerlite/x.nbi", "nerlite/ops/libraries/old-0000.so",
                 "dist/x.whl", "weights/english-minilm-l6/model.safetensors.partial", "weights/x.partial/config.json",
                 "weights/english-minilm-l6/optimizer.pt", "weights/notes.txt", "weights/unfinished/config.json",
                 *(f"weights/{name}/{file}" for name in ("english.partial", ".partial-x") for file in MODEL)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(copy(tmp_path_factory.mktemp("checkout")), tmp_path_factory.mktemp("wheel"))


def test_a_wheel_holds_the_package_its_models_and_licences(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        licences = f"{metadata.removesuffix('METADATA')}licenses/"
        assert file.read(f"{licences}LICENSE") == (ROOT / "LICENSE").read_bytes()
        assert "License-Expression: Apache-2.0\n" in file.read(metadata).decode()
        for info in file.infolist():
            assert not info.filename.startswith("/") and ".." not in info.filename
            assert (info.external_attr >> 16) & 0o777 in (0o644, 0o755), info.filename
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "nerlite").rglob("*") if path.is_file()
               and not {"__pycache__", "libraries"} & set(path.parts) and path.suffix not in (".nbi", ".nbc")}
    models = {f"nerlite/models/{path.parent.name}/{file}"
              for path in (ROOT / "weights").glob("[!.]*/model.safetensors") for file in MODEL}
    assert {name for name in names if name.startswith("nerlite/")} == sources | models | {
        "nerlite/ops/libraries/stamp"}
    assert {name.removeprefix(metadata.removesuffix("METADATA")) for name in names if not name.startswith("nerlite/")
            } == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_a_source_distribution_has_the_models_own_files_and_gives_the_same_wheel(wheel, tmp_path):
    sdist = build(copy(tmp_path / "checkout"), tmp_path, "sdist")
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
        file.extractall(tmp_path / "unpacked", filter="data")
    assert {name for name in names if name.startswith("weights")} == {
        f"weights/{path.parent.name}/{file}" for path in (ROOT / "weights").glob("[!.]*/model.safetensors")
        for file in MODEL}
    (tmp_path / "wheel").mkdir()
    again = build(next((tmp_path / "unpacked").iterdir()), tmp_path / "wheel")
    assert again.read_bytes() == wheel.read_bytes()


def test_every_model_comes_with_its_card(wheel):
    with zipfile.ZipFile(wheel) as file:
        for config in (name for name in file.namelist() if name.endswith("/config.json")):
            card = file.read(config.replace("config.json", "README.md")).decode()
            assert "licence" in card.lower() or "license" in card.lower()


def test_two_builds_give_the_same_bytes(wheel, tmp_path):
    folder = copy(tmp_path / "another place")
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(path.stat().st_mode & ~0o077 | 0o200)
    (tmp_path / "wheel").mkdir()
    again = build(folder, tmp_path / "wheel")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()
