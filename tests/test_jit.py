"""How kernels are compiled and kept: lower CPU levels, and caches that are stale, damaged or not to be had."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nerlite.ops import cpu
from nerlite.ops.library import library_path

jit = pytest.importorskip("nerlite.kernels.jit", reason="numba is not installed")

MODULE = """
from nerlite.kernels.jit import entry, kernel

@kernel()
def twice(x):
    return x + x

@entry
def double(x):
    return twice(x)
"""
RUN = "import kernels; print(kernels.double(21), sum(kernels.double.stats.cache_hits.values()))"


@pytest.fixture
def run(tmp_path):
    """A function that calls a cached kernel in a process of its own and returns its result and cache hits."""
    (tmp_path / "kernels.py").write_text(MODULE)

    def call(code: str = RUN, **environment: str) -> str:
        process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True,
                                 env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")} | environment)
        return process.stdout.strip()

    return call


def test_kernels_are_cached_and_damage_is_mended(run, tmp_path):
    assert run() == "42 0"
    assert run() == "42 1"
    for file in (tmp_path / "cache").rglob("*.nbc"):
        file.write_bytes(file.read_bytes()[:100])
    assert run() == "42 0"
    assert run() == "42 1"
    assert run("import nerlite.kernels.jit as jit; jit._STAMP = 'other sources'; " + RUN) == "42 0"


def test_without_a_writable_folder_kernels_are_compiled_each_time(run):
    refuse = ("import numba.core.caching as c\n"
              "def refuse(self): raise OSError('read-only')\n"
              "for name in dir(c):\n"
              "    if isinstance(getattr(c, name), type) and hasattr(getattr(c, name), 'ensure_cache_path'):\n"
              "        getattr(c, name).ensure_cache_path = refuse\n")
    for _ in range(2):
        assert run(refuse + RUN) == "42 0"


def test_who_waits_for_numba_is_told_once_why(tmp_path):
    (tmp_path / "kernels.py").write_text(MODULE)
    code = ("from nerlite.kernels.notice import announce; announce(); announce(); import kernels; "
            "kernels.double(21), kernels.double(21.5)")
    for errors in (1, 0):  # where kernels are kept, the next process need not wait
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True,
                              env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")})
        assert done.stderr.count("\n") == errors
        assert done.stderr.startswith("nerlite: numba compiles kernels for this CPU (" if errors else "")
        assert (str(tmp_path / "cache") in done.stderr) == bool(errors)


LOWER = [name for name, level in cpu.LEVELS.items() if level.machine in ("", platform.machine())
         and level.features <= cpu._features() and name != cpu.cpu_level().name]


@pytest.mark.parametrize("level", LOWER)
def test_lower_cpu_levels_pass_the_tests_of_the_ops(level):
    tests, which = Path(__file__).parent / "test_ops.py", "(linear or layers or lstm or head or spans)"
    if Path(library_path(cpu.LEVELS[level])).exists():  # which saves compiling the same anew
        which += " and not numba"
    process = subprocess.run([sys.executable, "-m", "pytest", "-q", "-k", which, tests],
                             capture_output=True, text=True, env=os.environ | {"NERLITE_CPU_LEVEL": level}, check=False)
    assert process.returncode == 0, process.stdout
    assert "passed" in process.stdout


@pytest.mark.skipif("cpuid_fault" not in cpu._features() or shutil.which("cc") is None,
                    reason="nothing can be hidden here, or nothing compiled")
@pytest.mark.parametrize(("level", "hidden"), [
    ("avx2", ("avx512", "avx10", "avxvnni", "avxifma", "avxneconvert", "amx")), ("vnni", ("amx",))])
def test_the_older_cpus_of_benchmarks_lack_newer_features(tmp_path, level, hidden):
    library = tmp_path / "hide_features.so"
    source = Path(__file__).parent.parent / "benchmarks" / "hide_features.c"
    subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    code = "from llvmlite.binding import get_host_cpu_features as f; print(*(name for name, has in f().items() if has))"
    features = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                               env=os.environ | more).stdout.split()
                for more in ({}, {"LD_PRELOAD": str(library), "NERLITE_CPU_LEVEL": level})]
    assert set(features[1]) == {name for name in features[0] if not name.startswith(hidden)}


def test_an_unknown_cpu_level_is_refused(run):
    with pytest.raises(subprocess.CalledProcessError) as error:
        run(NERLITE_CPU_LEVEL="avx9")
    levels = "any, neon, i8mm, avx2, avxvnni, vnni, amx"
    assert f"NERLITE_CPU_LEVEL: expected one of {levels}, got 'avx9'" in error.value.stderr
