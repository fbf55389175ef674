"""nerlite out of a zip on the path: it tags with a model that lies outside, or says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nerlite"
CODE = """
import sys
import nerlite
print(nerlite.__file__)
print([entity.label for entity in nerlite.load(*sys.argv[1:], backend="numpy")("John lives in Berlin.").entities])
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    shutil.copytree(PACKAGE, folder / "content" / "nerlite",
                    ignore=shutil.ignore_patterns("__pycache__", "libraries", "models"))
    return shutil.make_archive(str(folder / "nerlite"), "zip", folder / "content")


def run(archive, *arguments):
    return subprocess.run([sys.executable, "-c", CODE, *arguments], capture_output=True, text=True,
                          cwd=Path(archive).parent, env={**os.environ, "PYTHONPATH": archive})


def test_a_model_beside_it_is_read(archive):
    done = run(archive, PACKAGE.parent / "weights" / "english-minilm-l6")
    assert done.stdout.splitlines() == [str(Path(archive, "nerlite", "__init__.py")), "['PER', 'LOC']"], done.stderr


def test_its_own_models_are_not_and_it_says_what_to_do(archive):
    done = run(archive)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        f"nerlite lies in an archive, {archive}, where it cannot read its models and kernels: unpack it, and put that "
        "folder on the path instead")
