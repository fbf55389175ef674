"""What the README shows is what comes out: its Python sessions, its shell sessions, its table of the environment."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nerlite import environment

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
SESSIONS = [text for kind, text in BLOCKS if kind == "console"]
HOSTS = {host: [text for kind, text in BLOCKS
                if kind == "pycon" and re.search(rf"^>>> (import|from) {host}\b", text, re.MULTILINE)]
         for host in ("spacy", "presidio_analyzer", "pyspark", "ray")}


def test_python_sessions_give_what_they_show():
    """One after another, in one process, as a reader would type them; `...` stands for anything."""
    with_hosts = [text for texts in HOSTS.values() for text in texts]
    check("\n".join(text for kind, text in BLOCKS if kind == "pycon" and text not in with_hosts))


@pytest.mark.filterwarnings("default")  # of the hosts' own
@pytest.mark.parametrize("host", HOSTS)
def test_sessions_in_hosts_give_what_they_show(host, monkeypatch):
    pytest.importorskip(host)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    check("\n".join(HOSTS[host]))


def check(text):
    """Run a session."""
    assert text
    test = doctest.DocTestParser().get_doctest(text, {}, "README.md", str(README), 0)
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=output.append)
    assert not runner.failures, "".join(output)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda text: text.split("\n")[0][2:42])
def test_shell_sessions_print_what_they_show(session, tmp_path):
    """Each in a folder of its own; a line of the session that ends in `…` goes on in another way."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        while command.endswith("\\"):
            line, _, shown = shown.partition("\n")
            command = command[:-1] + line
        done = subprocess.run(command, shell=True, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True,
                              text=True, check=False)
        printed = done.stdout.splitlines()
        assert done.returncode == 0, done.stderr
        for line, expected in zip(printed, shown.splitlines(), strict=True):
            head, rest, _ = expected.partition("…")
            assert line.startswith(head) if rest else line == expected


def test_its_table_of_environment_variables_is_the_modules():
    rows = [f"| `{name}` | {reader} | {meaning} |" for name, meaning, reader in environment.VARIABLES.values()]
    table = "\n".join(["", "| variable | read by | what it does |", "|---|---|---|", *rows, ""])
    assert table + "\n" in README.read_text(encoding="utf-8")
    assert all(row.count("|") == 4 for row in rows)
