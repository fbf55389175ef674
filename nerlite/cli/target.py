"""A file of answers that is there only once it is whole, and that a later run can go on with.

While a file is written it is called FILE.partial, and FILE.progress says how far it is good: so many texts in so many
bytes, of which run. Whatever ends a run, the next one takes what is there behind that place away and goes on from it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from typing import Any, NamedTuple, Protocol

from nerlite.cli.failures import Failures
from nerlite.document import Document
from nerlite.errors import InputError, Place
from nerlite.io import parquet
from nerlite.io.records import Record, WriteOptions, Writer

# So often it is written down how far a file is good; what an interrupted run did after it is done again.
SECONDS_BETWEEN = 1.0
# Texts of one row group of Parquet.
ROWS_IN_GROUP = 8192


class Target(Protocol):
    """What answers are written to, and a later run can go on with.

    n_done, n_skipped: texts that are done, by an earlier run to begin with, and what was left out amid them.
    """

    n_done: int
    n_skipped: int

    def add(self, document: Document, record: Record) -> None:
        """Take a document, one more text that is done."""

    def close(self, *, is_whole: bool) -> None:
        """Keep what there is; is_whole: under its own name."""


class Progress(NamedTuple):
    """How far a file is good.

    run: what has to be the same in a run that goes on with it; skipped: what was left out amid these texts; state: the
    writer's.
    """

    texts: int
    bytes: int
    run: dict[str, Any]
    skipped: int
    state: Any


class FileTarget:
    """A file that is written under another name, and gets its own once it is whole."""

    def __init__(self, path: str, run: dict[str, Any], failures: Failures, writer: Writer, *, resume: bool) -> None:
        """Open the file.

        run: what says which run this is; failures: takes texts whose answer cannot be written; resume: go on with what
        an earlier run left.
        """
        self._path, self._run, self._failures, self._writer = path, run, failures, writer
        self._partial, self._progress = f"{path}.partial", f"{path}.progress"
        refuse_existing(path)
        left = self._left(resume=resume)
        self.n_done, self._n_bytes, self.n_skipped = (left.texts, left.bytes, left.skipped) if left else (0, 0, 0)
        try:
            self._file = open(self._partial, "r+b" if left else "wb")  # noqa: SIM115
            self._file.truncate(self._n_bytes)
            self._file.seek(self._n_bytes)
        except OSError as error:
            raise InputError(f"--to {path}: {error.strerror}") from None
        self._saved = time.monotonic()
        if left:
            writer.go_on(left.state)
        else:
            self._n_bytes = self._write(writer.head())
            self._save()

    def add(self, document: Document, record: Record) -> None:
        """Write a document, one more text that is done; from time to time what there is is kept."""
        written = 0
        try:
            written = self._write(self._writer.write(document, record))
        except InputError as error:
            self._failures.fail(error, self.n_done)
        self.n_done, self._n_bytes = self.n_done + 1, self._n_bytes + written  # no interrupt comes in between
        if time.monotonic() - self._saved >= SECONDS_BETWEEN:
            self._save()

    def close(self, *, is_whole: bool) -> None:
        """Keep what there is; is_whole: under its own name."""
        if is_whole:
            self._n_bytes += self._write(self._writer.tail())
        self._save(is_whole=is_whole)
        self._file.close()
        if is_whole:
            os.rename(self._partial, self._path)
            os.unlink(self._progress)

    def _write(self, text: str) -> int:
        """Write text, return its bytes; a lone surrogate, which UTF-8 does not have, comes out as JSON's escape."""
        return self._file.write(text.encode("utf-8", "backslashreplace"))

    def _left(self, *, resume: bool) -> Progress | None:
        """Return how far an earlier run came; None where there was none."""
        if not os.path.exists(self._progress):
            return None
        left = read_json(self._progress)
        check_left(left, self._run, self._progress, resume=resume)
        try:
            progress = Progress(**left)
            is_long_enough = os.path.getsize(self._partial) >= progress.bytes
        except (OSError, TypeError):
            is_long_enough = False
        if not is_long_enough:
            raise InputError(f"{self._progress}: {self._partial} is not what it says")
        return progress

    def _save(self, *, is_whole: bool = False) -> None:
        """Write down how far the file is good, once it and the report on its texts are there for good."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.n_skipped += self._failures.settle(None if is_whole else self.n_done)
        progress = Progress(self.n_done, self._n_bytes, self._run, self.n_skipped, self._writer.state())
        write_json(self._progress, progress._asdict())
        self._saved = time.monotonic()


def refuse_existing(path: str) -> None:
    """Refuse to write over answers that are there."""
    if os.path.lexists(path):
        raise InputError(f"--to {path}: there already")


def read_json(path: str) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the progress of a run: {error}") from None
    return value if isinstance(value, dict) else {}


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write a file that is there whole or not at all, for good."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def check_left(left: dict[str, Any], run: dict[str, Any], path: str, *, resume: bool) -> None:
    """Refuse what another run left, or any where it is not to be gone on with."""
    if not resume:
        raise InputError("--to: an earlier run was interrupted; --resume goes on with it, and without "
                         f"{path} it begins anew")
    of_left = left.get("run")
    if changed := [key for key in run if not isinstance(of_left, dict) or of_left.get(key) != run[key]]:
        raise InputError(f"--resume: not the same as in the run that {path} is of: {', '.join(changed)}")


class ParquetTarget:
    """As `FileTarget`, for Parquet, which is no file before its end is written: row groups are files in FILE.parts."""

    def __init__(self, path: str, run: dict[str, Any], failures: Failures, options: WriteOptions, *, resume: bool
                 ) -> None:
        """Begin, or go on; arguments as in `FileTarget`; options: how entities are written."""
        self._path, self._parts, self._failures = path, f"{path}.parts", failures
        _, self._parquet = parquet.arrow(Place(f"--to {path}"))
        refuse_existing(path)
        self.n_done, self.n_skipped, self._paths, schema = 0, 0, list[str](), None
        run_file = os.path.join(self._parts, "run.json")
        if os.path.exists(run_file):
            check_left(read_json(run_file), run, run_file, resume=resume)
            while os.path.exists(part := self._part(len(self._paths))):
                schema = self._parquet.read_schema(part)
                self.n_done = int(schema.metadata[b"nerlite.texts"])
                self.n_skipped = int(schema.metadata.get(b"nerlite.skipped", 0))
                self._paths.append(part)
        else:
            os.makedirs(self._parts, exist_ok=True)
            write_json(run_file, {"run": run})
        self._tables = parquet.Tables(options, schema and schema.remove_metadata())
        self._waiting: list[tuple[Document, Record]] = []

    def add(self, document: Document, record: Record) -> None:
        """Take a document, one more text that is done."""
        self._waiting.append((document, record))
        if len(self._waiting) == ROWS_IN_GROUP:
            self._flush()

    def close(self, *, is_whole: bool) -> None:
        """Keep whole row groups; is_whole: put them together, under the file's own name."""
        if not is_whole:
            return
        if self._waiting or not self._paths:
            self._flush()
        self.n_skipped += self._failures.settle()
        schema = self._parquet.read_schema(self._paths[0]).remove_metadata()
        with self._parquet.ParquetWriter(f"{self._path}.new", schema) as writer:
            for part in self._paths:
                writer.write_table(self._parquet.read_table(part).cast(schema))
        os.rename(f"{self._path}.new", self._path)
        for part in reversed(self._paths):  # the last first, run.json at the end: those that are left belong together
            os.remove(part)
        shutil.rmtree(self._parts)

    def _part(self, number: int) -> str:
        return os.path.join(self._parts, f"{number:06}.parquet")

    def _flush(self) -> None:
        """Write a row group, which is there whole or not at all."""
        waiting, self._waiting = self._waiting, []
        tables = self._tables_of(waiting, self.n_done)
        self.n_done += len(waiting)
        if not tables and self._tables.schema is None:  # no text had an answer that could be written
            return
        self.n_skipped += self._failures.settle(self.n_done)
        part = self._part(len(self._paths))
        marks = {"nerlite.texts": str(self.n_done), "nerlite.skipped": str(self.n_skipped)}
        table = self._tables.joined(tables).replace_schema_metadata(marks)
        self._parquet.write_table(table, f"{part}.new")
        os.rename(f"{part}.new", part)
        self._paths.append(part)

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


def run_of(files: list[str], options: dict[str, Any], model: str) -> dict[str, Any]:
    """Return what has to be the same in a run that goes on with another's file: inputs, options and model."""
    return {"files": [[os.path.abspath(file), *_stamp(file)] for file in files], "options": options,
            "model": [model, *_stamp(os.path.join(model, "model.safetensors"))]}


def _stamp(file: str) -> list[int]:
    with contextlib.suppress(OSError):
        found = os.stat(file)
        return [found.st_size, found.st_mtime_ns]
    return []
