"""What holds of all adapters where their hosts are not: `make integration` tests them where they are."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOSTS = {"spacy": "spacy", "presidio": "presidio_analyzer", "spark": "pyspark", "ray": "pyarrow"}


@pytest.mark.parametrize(("extra", "host"), HOSTS.items())
def test_a_missing_host_is_named_with_its_extra(extra, host):
    code = f"import sys; sys.modules[{host!r}] = None; import nerlite.integrations.{extra}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: nerlite.integrations.{extra}: ")
    assert last.endswith(f": pip install 'nerlite[{extra}]'")


def test_every_host_has_an_extra_an_environment_and_tests():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    environments = re.search(r"^HOSTS = (.*)$", makefile, re.MULTILINE)[1].split()
    assert set(environments) == {path.stem.removeprefix("test_") for path in ROOT.glob("tests/integration/test_*.py")}
    assert set(HOSTS) <= set(environments) <= set(extras)
