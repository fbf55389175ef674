"""What the hosts' tests share."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def check_example() -> Callable[[str], None]:
    """A function that runs an example and compares what it prints with what its docstring says, line by line."""
    def check(name: str) -> None:
        script = EXAMPLES / name
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=Path(__file__).parent)
        assert done.returncode == 0, done.stderr[-3000:]
        promised = script.read_text(encoding="utf-8").split('"""')[1].partition("\nPrints")[2].splitlines()[2:]
        printed = [line.rstrip() for line in done.stdout.splitlines() if line.strip()]
        assert printed == [line.removeprefix("    ") for line in promised if line.strip()]

    return check
