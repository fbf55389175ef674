"""What a command imports: its own module and what that needs, nothing of the other commands."""

import subprocess
import sys
from pathlib import Path

import pytest

from nerlite.cli.commands import COMMANDS

ROOT = Path(__file__).parent.parent
CODE = ("import atexit, sys; atexit.register(lambda: print('modules', *sys.modules)); "
        "from nerlite.cli import main; sys.exit(main(sys.argv[1:]))")


def modules_of(*arguments):
    """The modules that are there when a command ends."""
    done = subprocess.run([sys.executable, "-c", CODE, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_no_command_imports_none(option):
    modules = modules_of(option)
    assert not modules & {"numpy", "tokenizers", *(f"nerlite.cli.commands.{name}" for name in COMMANDS)}
    assert {name for name in modules if name.startswith("nerlite.")} <= {
        "nerlite.cli", "nerlite.cli.commands", "nerlite.errors"}


def test_a_command_imports_no_other(tiny_model):
    modules = modules_of("tag", "--model", tiny_model, "--backend", "numpy")
    assert {name for name in COMMANDS if f"nerlite.cli.commands.{name}" in modules} == {"tag"}
    unused = {"redaction", "page", "html", "training", "evaluate", "timings", "frames", "cli.target",
              "cli.brat_target", "cli.workers", "cli.hiding", "io.csv", "io.parquet"}
    assert not modules & {f"nerlite.{name}" for name in unused}
    assert not modules & {"pyarrow", "pandas", "lxml", "numba", "multiprocessing"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_alone(name):
    modules = modules_of(name, "--help")
    assert {each for each in COMMANDS if f"nerlite.cli.commands.{each}" in modules} == {name}
    assert not modules & {"numba", "pyarrow", "torch"}
