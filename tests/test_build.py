"""How the package is built: what a build asks for, what it compiles, and what its wheel says of its kernels."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nerlite.ops import cpu, library, stamp

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import targets  # noqa: E402

pytest.importorskip("hatchling")
pytest.importorskip("editables")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what a wheel is built from, with the libraries that there are."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("nerlite", "tools", "weights"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    yield folder
    shutil.rmtree(folder)


def call(checkout, name, *arguments, **environment):
    """What a function of the build backend returns, called as pip does."""
    code = ("import json, sys; sys.path.insert(0, 'tools'); import hatch_build; "
            f"print(json.dumps(hatch_build.{name}(*sys.argv[1:])))")
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=checkout, capture_output=True, text=True,
                          env={"NERLITE_BUILD_LEVELS": "", **os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def names(requirements):
    return {requirement.partition(">=")[0] for requirement in requirements}


def test_what_a_build_asks_for_is_what_it_needs(checkout, tmp_path):
    assert not {"numba", "ziglang"} & names(call(checkout, "get_requires_for_build_editable"))
    assert not {"numba", "ziglang"} & names(call(checkout, "get_requires_for_build_wheel", NERLITE_BUILD_LEVELS="none"))
    (tmp_path / "cc").touch(mode=0o755)
    assert {"numba", "ziglang"} & names(call(checkout, "get_requires_for_build_wheel", PATH=str(tmp_path))) == {"numba"}
    for environment in ({"PATH": ""}, {"PATH": str(tmp_path), "NERLITE_BUILD_TARGET": "linux-aarch64"}):
        assert {"numba", "ziglang"} <= names(call(checkout, "get_requires_for_build_wheel", **environment))


def test_an_editable_install_compiles_nothing(checkout, tmp_path):
    before = sorted((checkout / "nerlite" / "ops").rglob("*"))
    wheel = call(checkout, "build_editable", str(tmp_path), PATH="")
    assert "none-any" in wheel
    assert sorted((checkout / "nerlite" / "ops").rglob("*")) == before
    assert not [name for name in zipfile.ZipFile(tmp_path / wheel).namelist() if "libraries" in name]


def test_a_wheel_without_kernels_is_for_any_machine_and_has_their_stamp(checkout, tmp_path):
    wheel = call(checkout, "build_wheel", str(tmp_path), NERLITE_BUILD_LEVELS="none")
    assert wheel.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(tmp_path / wheel) as file:
        assert [name for name in file.namelist() if "libraries" in name] == ["nerlite/ops/libraries/stamp"]
        assert file.read("nerlite/ops/libraries/stamp").decode().strip() == stamp.source_stamp()


def test_a_wheel_has_the_kernels_of_the_machine_that_builds_it(checkout, tmp_path):
    own = Path(library.library_path(cpu.cpu_level()))
    if not own.exists():
        pytest.skip("this machine's kernels are not built")
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    wheel = call(checkout, "build_wheel", str(tmp_path))
    assert "-py3-none-any" not in wheel
    if platform.libc_ver()[0] == "glibc":
        # Any index takes it, and pip on any machine whose glibc is not older than the libraries ask for.
        assert 17 <= int(re.search(r"-manylinux_2_(\d+)_", wheel)[1]) <= 29
    with zipfile.ZipFile(tmp_path / wheel) as file:
        assert sorted(name for name in file.namelist() if "libraries" in name) == sorted(
            ["nerlite/ops/libraries/stamp", f"nerlite/ops/libraries/{own.name}"])
        assert file.read(f"nerlite/ops/libraries/{own.name}") == own.read_bytes()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_wheels_for_other_systems_have_their_tags_and_their_levels(checkout, tmp_path, name):
    """Libraries that are there are not built again, so that this takes empty ones in their place."""
    pytest.importorskip("numba")
    pytest.importorskip("ziglang")
    target = targets.TARGETS[name]
    levels = [level for level in cpu.LEVELS.values()
              if level.machine == target.machine and level.name not in target.lacks]
    expected = [f"nerlite/ops/libraries/{Path(library.library_path(level, target.suffix)).name}" for level in levels]
    made = [checkout / path for path in expected if not (checkout / path).exists()]
    for path in made:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    wheel = call(checkout, "build_wheel", str(tmp_path), NERLITE_BUILD_TARGET=name)
    for path in made:
        path.unlink()
    assert wheel.endswith(f"-py3-none-{target.wheel}.whl")
    with zipfile.ZipFile(tmp_path / wheel) as file:
        assert sorted(name for name in file.namelist() if "libraries" in name) == sorted(
            [*expected, "nerlite/ops/libraries/stamp"])
