"""A disk that is full, fails or is interrupted at the n-th call that changes a file, a process killed there: for all n.

What is written is then whole, a beginning, or not there, and the same command goes on to what it would have been.
"""

import ctypes
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
KILLED = 0
KINDS = {"full": errno.ENOSPC, "fails": errno.EIO, "interrupted": errno.EINTR, "killed": KILLED}
NEVER = 1 << 30
TEXTS = ["john of berlin and the acme eu in germaner 1990", "the EU"]


def tag_to_file(model, folder):
    """What a run that can be gone on with does: the answers, and how far they are good, after each text."""
    from nerlite.cli import target

    target.SECONDS_BETWEEN = 0
    return tag(model, folder, "--resume", "--to", str(folder / "out"))


def tag_to_parquet(model, folder):
    from nerlite.cli import target

    target.ROWS_IN_GROUP = 1
    return tag(model, folder, "--resume", "--output", "parquet", "--to", str(folder / "out"))


def tag_to_output(model, folder):
    return tag(model, folder)


def redact(model, folder):
    from nerlite import cli

    return cli.main(["redact", "--model", str(model), "--backend", "numpy", "--threads", "1", "--map",
                     str(folder / "map"), str(folder.parent / "in.txt")])


def write_a_model(model, folder):
    sys.path.insert(0, str(ROOT / "tools"))
    from quantize import quantize

    try:
        quantize(ROOT / "tests" / "golden" / "tagger", folder / "out")
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def keep_a_kernel(model, folder):
    """Compile, and keep on disk what was compiled, or call what is there."""
    from nerlite.kernels import jit

    return int(jit.entry(increment)(1) != 2)


def increment(x):
    return x + 1


TO_OUTPUT = ("tag_to_output", "redact")
JOBS = {job.__name__: job for job in (tag_to_file, tag_to_parquet, tag_to_output, redact, write_a_model,
                                   keep_a_kernel)}


def tag(model, folder, *arguments):
    from nerlite import cli

    return cli.main(["tag", "--model", str(model), "--backend", "numpy", "--threads", "1", *arguments,
                     str(folder.parent / "in.txt")])


def content(path):
    """The bytes of a file, or of the files in a folder by their names; None where nothing is."""
    if path.is_dir():
        return {each.name: each.read_bytes().hex() for each in sorted(path.iterdir())}
    return path.read_bytes().hex() if path.exists() else None


def attempt(job, model, folder, n, number):
    """Do a job in a process whose n-th call fails; return how it ended, how many calls there were, what it said."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.dup2(os.open(folder.parent / "errors", os.O_RDWR | os.O_CREAT | os.O_TRUNC), 2)
        if job in TO_OUTPUT:
            os.dup2(os.open(folder / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        library = ctypes.CDLL(None)
        library.fail_at(n, number, bytes(folder))
        status = 70
        try:
            status = JOBS[job](model, folder)
        finally:
            sys.stderr.flush()
            os.write(writing, str(library.n_calls()).encode())
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as calls:
        n_calls = calls.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return ended, int(n_calls or 0), (folder.parent / "errors").read_text()


def main(job, kind, model, folder):
    """Print, as JSON, what a job leaves undisturbed, and for each n what it leaves at first and at a second try."""
    folder = Path(folder, "files")

    def anew():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    anew()
    if job == "keep_a_kernel":
        import numba

        numba.config.CACHE_DIR = str(folder)
    import nerlite.cli.commands.tag

    nerlite.load(model, backend="numpy", threads=1)(TEXTS[0])  # so that no process has to import what it takes
    ended, n_calls, errors = attempt(job, model, folder, NEVER, KINDS[kind])
    assert ended == 0, errors
    whole, cases = content(folder / "out"), list[dict[str, Any]]()
    for n in range(1, n_calls + 1):
        anew()
        ended, _, errors = attempt(job, model, folder, n, KINDS[kind])
        left, out = names_in(folder), content(folder / "out")
        case = {"n": n, "ended": ended, "errors": errors, "left": left, "out": out}
        if (out != whole or job == "keep_a_kernel") and job not in TO_OUTPUT:
            again, _, more = attempt(job, model, folder, NEVER, KINDS[kind])
            case |= {"again": again, "errors_again": more, "out_again": content(folder / "out"),
                     "left_again": names_in(folder)}
        cases.append(case)
    sys.stdout.write(json.dumps({"whole": whole, "cases": cases}))


def names_in(folder):
    """The names of all that is in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What makes calls fail, compiled."""
    if sys.platform != "linux" or not shutil.which("cc"):
        pytest.skip("no C compiler on Linux")
    path = tmp_path_factory.mktemp("library") / "failing.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path, ROOT / "tests" / "failing_calls.c", "-ldl"],
                   check=True)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("job", JOBS)
def test_a_call_that_fails_leaves_what_is_right_or_nothing(library, tiny_model, tmp_path, job, kind):
    if needed := {"tag_to_parquet": "pyarrow", "keep_a_kernel": "numba"}.get(job):
        pytest.importorskip(needed)
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    done = subprocess.run([sys.executable, __file__, job, kind, tiny_model, tmp_path], capture_output=True, text=True,
                          env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    whole, cases = found["whole"], found["cases"]
    assert len(cases) >= (2 if job in ("write_a_model", "keep_a_kernel") else 1)
    for case in cases:
        ends = {"killed": [-signal.SIGKILL], "interrupted": [0], "full": [1, 2], "fails": [0, 1, 2]}
        if job == "keep_a_kernel" and kind != "killed":  # what is compiled answers, kept or not
            ends[kind] = [0]
        assert case["ended"] in ends[kind], case
        assert "Traceback" not in case["errors"], case
        assert "Exception" not in case["errors"], case
        assert case["ended"] < 1 or case["errors"].strip(), case
        assert case["ended"] != 0 or case["out"] == whole, case
        if job in TO_OUTPUT:  # a beginning, of whole lines as long as the process lives
            assert whole.startswith(case["out"]), case
            assert kind == "killed" or not case["out"] or case["out"].endswith("0a"), case
            assert job != "redact" or not case["out"] or "map" in case["left"], case
        elif job == "keep_a_kernel":  # without a word
            assert (case["again"], case["errors"]) == (0, ""), case
        elif case["out"] != whole:
            assert case["out"] is None, case
            assert (case["again"], case["out_again"]) == (0, whole), case
            assert job != "tag_to_file" or case["left_again"] == ["out"], case
            assert job != "write_a_model" or kind == "killed" or case["left"] == [], case


if __name__ == "__main__":
    main(*sys.argv[1:])
