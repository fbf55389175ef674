"""A frozen app finds nerlite's model and kernels, far from any Python."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("PyInstaller")

import nerlite

APP = """
import sys
import nerlite
from nerlite.cli import main
if sys.argv[1:]:
    sys.exit(main(sys.argv[1:]))
for backend in ("auto", "numpy"):
    ner = nerlite.load(backend=backend)
    print(ner.backend, [entity.label for entity in ner("John lives in Berlin.").entities])
"""


def test_a_frozen_app_tags(tmp_path):
    package = Path(nerlite.__file__).parent
    if not (package / "models").is_dir():
        pytest.skip("nerlite is not installed from a wheel")
    assert importlib.metadata.entry_points(group="pyinstaller40", name="hook-dirs")
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "PyInstaller", "--clean", "--log-level", "WARN", "app.py"],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    app = tmp_path / "dist" / "app"
    moved = app.rename(tmp_path / "elsewhere")
    done = subprocess.run([moved / "app"], cwd="/", env={}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    backend = nerlite.load().backend  # what this machine has without being frozen
    assert done.stdout.splitlines() == [f"{backend} ['PER', 'LOC']", "numpy ['PER', 'LOC']"]
    done = subprocess.run([moved / "app", "tag", "--input-format=csv", "--output=csv"], cwd="/", env={}, text=True,
                          input="text\nJohn lives in Berlin.\n", capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Berlin" in done.stdout.splitlines()[1].partition(".")[2]
    assert not list(moved.rglob("*llvmlite*"))
