"""Loading and tagging that end in the midst: by an interrupt, for want of memory, by a disk that fails. What comes next
is right, and nothing stays open.
"""

import contextlib
import errno
import gc
import io
import itertools
import os
import sys
from pathlib import Path

import pytest

import nerlite
from nerlite import files
from nerlite.errors import ModelError

PACKAGE = str(Path(nerlite.__file__).parent)
TEXTS = ["john of berlin and the acme eu in germaner 1990", "the EU", "", "x.y " * 60]
# So many of a call's lines are where it ends once.
N_LINES = 25
# What closes a file may leave it open rather than close another's that has its number by then.
CLOSING = ("__del__", "_close")

# Of files that an interrupt left to be closed when they are forgotten.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def lines_of(function, at=0, kind=None):
    """How many lines of the package a call comes to; at the `at`-th it raises an error of that kind.

    Nothing here holds the error: a generator's frame may keep what traces it for good (Python 3.11), and all it holds.
    """
    lines = itertools.count(1)
    n = 0

    def trace(frame, event, argument):
        nonlocal n
        if not frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_name in CLOSING:
            return None
        if event == "line" and (n := next(lines)) == at:
            raise kind
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return n


def descriptors():
    """The descriptors that are open once nothing holds an error any more."""
    gc.collect()
    found = []
    for number in range(64):
        with contextlib.suppress(OSError):
            found.append((number, os.fstat(number).st_ino))
    return found


def some(n):
    """Numbers of lines: the first ones, and others all over."""
    return sorted({*range(1, min(n, 12)), *range(1, n + 1, max(1, n // N_LINES))})


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_loading_may_end_at_any_line(tiny_model, kind):
    def load():
        return nerlite.load(tiny_model, backend="numpy", threads=1)

    expected = [document.entities for document in load().pipe(TEXTS)]
    before, n = descriptors(), lines_of(load)
    for at in some(n):
        with contextlib.suppress(kind):
            assert lines_of(load, at, kind) < at  # not reached
        assert descriptors() == before
    assert [document.entities for document in load().pipe(TEXTS)] == expected


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_tagging_may_end_at_any_line(tiny_model, kind):
    tagger = nerlite.load(tiny_model, backend="numpy", threads=1)
    expected = [document.entities for document in tagger.pipe(TEXTS)]

    def tag():
        given = []
        try:
            given.extend(document.entities for document in tagger.pipe(TEXTS, batch_size=2))
        finally:
            assert given == expected[:len(given)]

    for at in some(lines_of(tag)):
        with contextlib.suppress(kind):
            lines_of(tag, at, kind)
        assert [document.entities for document in tagger.pipe(TEXTS)] == expected


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ENOMEM])
def test_a_disk_that_fails_at_any_reading_is_named(tiny_model, monkeypatch, number):
    """Each opening and each reading of a file in turn."""
    real_open, calls = os.open, itertools.count(1)
    fails_at = 0

    class Failing(io.BufferedReader):
        def readinto(self, buffer):
            step()
            return super().readinto(buffer)

        def read(self, *size):
            step()
            return super().read(*size)

        def seek(self, *place):
            step()
            return super().seek(*place)

    def step():
        if next(calls) == fails_at:
            raise OSError(number, os.strerror(number))

    def failing_open(*arguments, **options):
        step()
        return real_open(*arguments, **options)

    open_file, before = files.open_file, descriptors()
    monkeypatch.setattr(os, "open", failing_open)
    for module in ("nerlite.files", "nerlite.weights"):
        monkeypatch.setattr(sys.modules[module], "open_file",
                            lambda path: Failing(open_file(path).detach()))
    nerlite.load(tiny_model, backend="numpy", threads=1)
    n = next(calls)
    assert n > 50
    for at in (*range(1, 12), *range(12, n, 10)):
        calls, fails_at = itertools.count(1), at
        with pytest.raises(ModelError, match=rf"{os.strerror(number)}"):
            nerlite.load(tiny_model, backend="numpy", threads=1)
        assert descriptors() == before
    fails_at = 0
    assert nerlite.load(tiny_model, backend="numpy", threads=1)(TEXTS[0]).entities
