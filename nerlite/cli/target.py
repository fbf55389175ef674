"""Answers that are there only once they are whole, and that a later run can go on with.

While a file is written it is called FILE.partial, and FILE.progress says how far it is good: so many texts in so many
bytes, of which run. Whatever ends a run, the next one takes what is there behind that place away and goes on from it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from typing import Any, Protocol

from nerlite.cli.failures import Failures
from nerlite.document import Document
from nerlite.errors import InputError, Place
from nerlite.io import parquet
from nerlite.io.base import Record, WriteOptions, Writer

# So often it is written down how far a file is good; what an interrupted run did after it is done again.
SECONDS_BETWEEN = 1.0
# Texts of one row group of Parquet.
ROWS_IN_GROUP = 8192


class Target(Protocol):
    """What answers are written to, and a later run can go on with.

    n_done, n_skipped: texts that an earlier run has done, and what it left out amid them.
    """

    n_done: int
    n_skipped: int

    def add(self, document: Document, record: Record) -> None:
        """Take a document, one more text that is done."""

    def close(self, *, is_whole: bool) -> None:
        """Keep what there is; is_whole: under its own name."""


class Progress:
    """A file that says how far answers are good, and of which run they are.

    texts: how many are done; skipped: what was left out amid them; position: what else has to be known to go on, None
    where there is no earlier run.
    """

    def __init__(self, path: str, run: dict[str, Any], failures: Failures, *, resume: bool) -> None:
        """Read what an earlier run left.

        run: what has to be the same in a run that goes on with it; failures: what goes wrong with the texts; resume:
        go on with it, where there is one.
        """
        self._path, self._run, self._failures = path, run, failures
        self.texts, self.skipped, self.saved, self.position = 0, 0, 0.0, None
        if not os.path.exists(path):
            return
        try:
            with open(path, encoding="utf-8") as file:
                left = json.load(file)
            self.texts, self.skipped, self.position = (left[key] for key in ("texts", "skipped", "position"))
            changed = [key for key in run if left["run"][key] != run[key]]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"{path}: not the progress of a run: {error}") from None
        if not resume:
            raise InputError(f"--to: an earlier run was interrupted; --resume goes on with it, and without {path} it "
                             "begins anew")
        if changed:
            raise InputError(f"--resume: not the same as in the run that {path} is of: {', '.join(changed)}")

    def save(self, n_done: int, position: Any, *, is_whole: bool = False) -> None:
        """Write down how far the answers are good, once they are there for good, and after the report on them."""
        self.skipped += self._failures.settle(None if is_whole else n_done)
        with open(f"{self._path}.new", "w", encoding="utf-8") as file:
            json.dump({"texts": n_done, "skipped": self.skipped, "position": position, "run": self._run}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{self._path}.new", self._path)
        self.saved = time.monotonic()

    def remove(self) -> None:
        """Forget the run, whose answers are whole."""
        os.unlink(self._path)


class Alone:
    """Keeps other runs away from a file or folder until it is released, where the system and the disk have locks."""

    def __init__(self, path: str, to: str) -> None:
        """Lock the path, which is there; to: what a user called it. `InputError` where another run has it."""
        self._descriptor: int | None = None
        try:
            import fcntl
        except ImportError:  # Windows, where a file that another run has open cannot be renamed
            return
        self._descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_own = os.path.samestat(os.fstat(self._descriptor), os.stat(path))
        except (BlockingIOError, FileNotFoundError):
            is_own = False
        except OSError:  # of a disk without locks
            return
        if not is_own:  # it became the other run's answers, or goes on to
            raise InputError(f"--to {to}: another run is writing it")

    def release(self) -> None:
        """Let other runs at it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    __del__ = release


class FileTarget:
    """A file that is written under another name, and gets its own once it is whole."""

    def __init__(self, path: str, run: dict[str, Any], failures: Failures, writer: Writer, *, resume: bool) -> None:
        """Open the file; run, failures, resume: as in `Progress`."""
        refuse_existing(path)
        self._path, self._partial, self._failures, self._writer = path, f"{path}.partial", failures, writer
        if not os.path.lexists(self._partial):  # of a run whose answers were whole, and are gone
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{path}.progress")
        try:
            with open(self._partial, "ab"):
                self._alone = Alone(self._partial, path)
        except OSError as error:
            raise InputError(f"--to {path}: {error.strerror}") from None
        self._progress = Progress(f"{path}.progress", run, failures, resume=resume)
        self.n_done, self.n_skipped = self._progress.texts, self._progress.skipped
        is_new = self._progress.position is None
        n_bytes, state = self._progress.position or (0, None)
        self._n_bytes: int = n_bytes
        if os.path.getsize(self._partial) < self._n_bytes:
            raise InputError(f"{path}.progress: {self._partial} is not what it says")
        self._file = open(self._partial, "r+b")  # noqa: SIM115
        self._file.truncate(self._n_bytes)
        self._file.seek(self._n_bytes)
        if is_new:
            self._n_bytes = self._write(writer.head())
        else:
            writer.go_on(state)
        self._save()

    def add(self, document: Document, record: Record) -> None:
        """Write a document, one more text that is done; from time to time what there is is kept."""
        written = 0
        try:
            written = self._write(self._writer.write(document, record))
        except InputError as error:
            self._failures.fail(error, self.n_done)
        self.n_done, self._n_bytes = self.n_done + 1, self._n_bytes + written  # no interrupt comes in between
        if time.monotonic() - self._progress.saved >= SECONDS_BETWEEN:
            self._save()

    def close(self, *, is_whole: bool) -> None:
        """Keep what there is; is_whole: under its own name."""
        if is_whole:
            self._n_bytes += self._write(self._writer.tail())
        self._save(is_whole=is_whole)
        self._file.close()
        if is_whole:
            refuse_existing(self._path)  # it came meanwhile
            os.rename(self._partial, self._path)
            self._progress.remove()
        self._alone.release()

    def __del__(self) -> None:
        """Close the file of a run that ended by an error, which Python 3.13 would say once more."""
        with contextlib.suppress(OSError, AttributeError):  # AttributeError: it was never open
            self._file.close()

    def _write(self, text: str) -> int:
        """Write text, return its bytes; a lone surrogate, which UTF-8 does not have, comes out as JSON's escape."""
        return self._file.write(text.encode("utf-8", "backslashreplace"))

    def _save(self, *, is_whole: bool = False) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._progress.save(self.n_done, (self._n_bytes, self._writer.state()), is_whole=is_whole)


class ParquetTarget:
    """As `FileTarget`, for Parquet, which is no file before its end is written: rows lie in FILE.parts until then."""

    def __init__(self, path: str, run: dict[str, Any], failures: Failures, options: WriteOptions, *, resume: bool
                 ) -> None:
        """Begin, or go on; run, failures, resume: as in `Progress`; options: how entities are written."""
        self._arrow, self._parquet = parquet.arrow(Place(f"--to {path}"))
        refuse_existing(path)
        self._path, self._parts, self._failures = path, f"{path}.parts", failures
        os.makedirs(self._parts, exist_ok=True)
        self._alone = Alone(self._parts, path)
        self._progress = Progress(os.path.join(self._parts, "progress.json"), run, failures, resume=resume)
        self.n_done, self.n_skipped = self._progress.texts, self._progress.skipped
        n_parts, state = self._progress.position or (0, None)
        self._n_parts: int = n_parts
        self._tables = parquet.Tables(options)
        self._tables.go_on(state)
        self._waiting: list[tuple[Document, Record]] = []
        self._save()

    def add(self, document: Document, record: Record) -> None:
        """Take a document, one more text that is done."""
        self._waiting.append((document, record))
        if len(self._waiting) == ROWS_IN_GROUP or time.monotonic() - self._progress.saved >= SECONDS_BETWEEN:
            self._flush()

    def close(self, *, is_whole: bool) -> None:
        """Keep what there is; is_whole: put it together, under the file's own name."""
        self._flush(is_whole=is_whole)
        if is_whole:
            self._put_together()
        self._alone.release()

    def _put_together(self) -> None:
        if not self._n_parts:
            self._write(self._tables.table([]), 0)
        waiting = self._tables.whole(self._parquet.read_table(self._part(0)))
        with self._parquet.ParquetWriter(f"{self._path}.new", waiting.schema) as writer:
            for number in range(1, self._n_parts):
                more = self._tables.whole(self._parquet.read_table(self._part(number)))
                waiting = self._arrow.concat_tables([waiting, more])
                while waiting.num_rows >= ROWS_IN_GROUP:
                    writer.write_table(waiting.slice(0, ROWS_IN_GROUP).combine_chunks())
                    waiting = waiting.slice(ROWS_IN_GROUP)
            writer.write_table(waiting.combine_chunks(), row_group_size=ROWS_IN_GROUP)
        refuse_existing(self._path)
        os.rename(f"{self._path}.new", self._path)
        self._progress.remove()  # first, so that parts that are left are none of a run's
        shutil.rmtree(self._parts)

    def _part(self, number: int) -> str:
        return os.path.join(self._parts, f"{number:06}.parquet")

    def _flush(self, *, is_whole: bool = False) -> None:
        """Write what waits, as far as it can be written."""
        (waiting, self._waiting), n_parts = (self._waiting, []), self._n_parts
        if tables := self._tables_of(waiting, self.n_done) if waiting else []:
            self._write(self._arrow.concat_tables([self._tables.whole(table) for table in tables]), n_parts)
            n_parts += 1
        self._n_parts, self.n_done = n_parts, self.n_done + len(waiting)  # no interrupt comes in between
        self._save(is_whole=is_whole)

    def _save(self, *, is_whole: bool = False) -> None:
        self._progress.save(self.n_done, (self._n_parts, self._tables.state()), is_whole=is_whole)

    def _write(self, table: Any, number: int) -> None:
        self._parquet.write_table(table, self._part(number))

    def _tables_of(self, waiting: list[tuple[Document, Record]], first: int) -> list[Any]:
        """Return tables of all documents that fit into them, in order; first: which text of the output is theirs."""
        try:
            return [self._tables.table(waiting)]
        except InputError as error:
            if len(waiting) <= 1:
                self._failures.fail(error, first)
                return []
        half = len(waiting) // 2
        return self._tables_of(waiting[:half], first) + self._tables_of(waiting[half:], first + half)


def refuse_existing(path: str) -> None:
    """Refuse to write over answers that are there."""
    if os.path.lexists(path):
        raise InputError(f"--to {path}: there already")


def run_of(files: list[str], options: dict[str, Any], model: str) -> dict[str, Any]:
    """Return what has to be the same in a run that goes on with another's file: inputs, options and model."""
    return {"files": [[os.path.abspath(file), *_stamp(file)] for file in files], "options": options,
            "model": [model, *_stamp(os.path.join(model, "model.safetensors"))]}


def _stamp(file: str) -> list[int]:
    with contextlib.suppress(OSError):
        found = os.stat(file)
        return [found.st_size, found.st_mtime_ns]
    return []
