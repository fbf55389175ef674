"""What cannot be read or written: the error that ends a run or, where it is to be left out, a report on all of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from nerlite.cli.console import display_name, say
from nerlite.errors import InputError
from nerlite.io.base import Record


class _Failure(NamedTuple):
    """An error with a text of an output. text: how many come before it; is_answer: of writing, not of reading."""

    text: int
    is_answer: bool
    error: InputError


class Failures:
    """What goes wrong with the texts of an output, in the texts' order, whatever is read ahead of what is written.

    first: the error that ended the reading.
    """

    def __init__(self, *, skip: bool, report: Report | None = None) -> None:
        """skip: leave out what is wrong, say so and put it into the report; else the first error ends the work."""
        self._skip, self._report = skip, report
        self._waiting: list[_Failure] = []
        self._n_read = self._n_known = self._n_skipped = 0
        self.first: InputError | None = None

    def begin(self, files: Collection[str], n_done: int = 0, n_skipped: int = 0) -> None:
        """Begin an output of files. n_done: its texts that an earlier run has done; n_skipped: what it left out."""
        self._n_read, self._n_known, self._n_skipped = 0, n_done, self._n_skipped + n_skipped
        if self._report:
            self._report.keep([display_name(file) for file in files], n_skipped)

    def until_error(self, records: Iterator[Record]) -> Iterator[Record]:
        """End at bad input instead of raising, so that all that came before it is tagged and written first."""
        try:
            for record in records:
                self._n_read += 1
                yield record
        except InputError as error:
            self.first = error

    def fail(self, error: InputError, text: int | None = None) -> None:
        """Take what is wrong; return where it is to be left out. text: which one cannot be answered; None: reading."""
        if not self._skip:
            raise error
        place = self._n_read if text is None else text
        if place >= self._n_known:  # else an earlier run said so
            say(f"skipped: {error}")
            self._waiting.append(_Failure(place, text is not None, error))

    def settle(self, n_done: int | None = None) -> int:
        """Report and count what went wrong before the end of so many texts was reached; None: all of it."""
        if not self._waiting:
            return 0
        ripe = [each for each in self._waiting if n_done is None or each.text < n_done]
        self._waiting = [each for each in self._waiting if n_done is not None and each.text >= n_done]
        self._n_skipped += len(ripe)
        if ripe and self._report:
            self._report.write(each.error for each in sorted(ripe, key=lambda each: each[:2]))
        return len(ripe)

    def report(self) -> None:
        """Raise the error that ended the work, or say how much was left out."""
        self.settle()
        if self.first:
            raise self.first
        if n := self._report.n if self._report else self._n_skipped:
            say(f"skipped: {n:,} in all" + (f", see {self._report.path}" if self._report else ""))


class Report:
    """A file with a line of JSON for each thing that was left out: file, line, how much of it, and why.

    n: its lines.
    """

    def __init__(self, path: str, *, resume: bool) -> None:
        """resume: go on with the report that an earlier run left, if there is one."""
        self.path = path
        self._counts: Counter[str | None] | None = None
        if os.path.lexists(path) and not resume:
            raise InputError(f"--errors {path}: there already")

    @property
    def n(self) -> int:
        """How many lines there are."""
        return self._counts.total() if self._counts else 0

    def keep(self, names: Collection[str], n: int) -> None:
        """Of the lines on these files keep only the first n, since what comes after them is done again.

        Lines on other files may stand behind them, and stay: a run may name others than the one before, or some anew.
        The first call makes the file, if there is none.
        """
        own = set(names)
        try:
            if self._counts is None:
                self._counts = self._counted()
            found = sum(self._counts[name] for name in own)
            if found > n:
                self._counts = self._rewritten(own, n)
        except OSError as error:
            raise InputError(f"--errors {self.path}: {error.strerror}") from None
        if found < n:
            say(f"--errors {self.path}: expected {n:,} lines of an earlier run on {', '.join(sorted(own)):.200}, got "
                f"{found:,}: it names not all that was left out")

    def write(self, errors: Iterable[InputError]) -> None:
        """Write a line for each error; they are there for good."""
        assert self._counts is not None, "keep comes first"
        with open(self.path, "ab") as file:
            for error in errors:
                name, number = error.where or (None, None)
                what = "rest of the file" if error.ends_file else "text"
                line = json.dumps({"file": name, "line": number, "left_out": what, "reason": error.reason})
                file.write(line.encode() + b"\n")
                self._counts[name] += 1
            file.flush()
            os.fsync(file.fileno())

    def _counted(self) -> Counter[str | None]:
        """Return how many lines each file has; what a killed run wrote last, if it is no whole line, is taken away."""
        counts, size = Counter[str | None](), 0
        with open(self.path, "a+b") as file:
            file.seek(0)
            for line in file:
                if line.endswith(b"\n"):
                    counts[self._file_of(line)] += 1
                    size += len(line)
            file.truncate(size)
        return counts

    def _rewritten(self, own: set[str], n: int) -> Counter[str | None]:
        """Write the file without what `keep` leaves out; it is there whole at any moment."""
        counts = Counter[str | None]()
        with open(self.path, "rb") as old, open(f"{self.path}.new", "wb") as new:
            for line in old:
                name = self._file_of(line)
                n -= name in own
                if name not in own or n >= 0:
                    new.write(line)
                    counts[name] += 1
            new.flush()
            os.fsync(new.fileno())
        os.replace(f"{self.path}.new", self.path)
        return counts

    def _file_of(self, line: bytes) -> str | None:
        try:
            name: str | None = json.loads(line)["file"]
        except (ValueError, KeyError, TypeError):
            raise InputError(f"--errors {self.path}: expected the report of an earlier run, got {line!r:.80}") from None
        return name
