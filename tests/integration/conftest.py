"""What the hosts' tests share."""

import doctest
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def check_example() -> Callable[[str], None]:
    """A function that runs an example and compares what it prints with what its docstring says: ... is anything."""
    def check(name: str) -> None:
        script = EXAMPLES / name
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=Path(__file__).parent)
        assert done.returncode == 0, done.stderr[-3000:]
        lines = script.read_text(encoding="utf-8").split('"""')[1].partition("\nPrints")[2].splitlines()[2:]
        promised, printed = ("".join(f"{line.removeprefix('    ').rstrip()}\n" for line in part if line.strip())
                             for part in (lines, done.stdout.splitlines()))
        assert doctest.OutputChecker().check_output(promised, printed, doctest.ELLIPSIS), printed

    return check
