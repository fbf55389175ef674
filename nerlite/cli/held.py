"""Output that comes out whole: held back until all of it is there, then written, to standard output or a new file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection
from typing import Any

from nerlite.cli.console import Output
from nerlite.cli.target import refuse_existing
from nerlite.errors import InputError, Place
from nerlite.io import parquet

# More than so many bytes wait in a temporary file, which has no name; so many are written at once.
BYTES_IN_MEMORY = 1 << 26
WRITTEN_AT_ONCE = 1 << 20


class HeldLines:
    """Lines of text."""

    def __init__(self, path: str | None) -> None:
        """path: of a file that is made in the end; None: standard output."""
        if path is not None:
            refuse_existing(path)
        self._path = path
        self._held = tempfile.SpooledTemporaryFile(BYTES_IN_MEMORY)  # noqa: SIM115

    def __enter__(self) -> HeldLines:
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def add(self, lines: str) -> None:
        """Hold lines."""
        self._held.write(lines.encode("utf-8", "backslashreplace"))  # as JSON escapes a lone surrogate

    def release(self) -> None:
        """Write all of them."""
        self._held.seek(0)
        if self._path is None:
            with Output() as output:
                while lines := self._held.readlines(WRITTEN_AT_ONCE):
                    output.write(b"".join(lines).decode("utf-8"))
            return
        with _new_file(self._path) as temporary:
            with open(temporary, "wb") as file:
                while data := self._held.read(WRITTEN_AT_ONCE):
                    file.write(data)
            os.rename(temporary, self._path)


class HeldTable:
    """Batches of rows, for a Parquet file, whose columns are those of the first."""

    def __init__(self, path: str | None) -> None:
        """path: of the file that is made in the end."""
        if path is None:
            raise InputError("Parquet: expected --to FILE: it is nothing for standard output")
        refuse_existing(path)
        self._path = path
        self._writer: Any = None
        _, self._parquet = parquet.arrow(Place(f"--to {path}"))
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> HeldTable:
        self._temporary = self._stack.enter_context(_new_file(self._path))
        return self

    def __exit__(self, *exception: object) -> None:
        with self._stack:
            if self._writer is not None:
                self._writer.close()

    def add(self, batch: Any) -> None:
        """Hold rows, a record batch of pyarrow's; ValueError where they have other columns than the first."""
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._temporary, batch.schema)
        self._writer.write_batch(batch)

    def release(self) -> None:
        """Write all of them."""
        self._writer.close()
        os.rename(self._temporary, self._path)


def held_for(path: str | None, forms: Collection[str]) -> HeldLines | HeldTable:
    """Return what holds back the output of files of these formats; path: of a new file, None: standard output."""
    return HeldTable(path) if "parquet" in forms else HeldLines(path)


@contextlib.contextmanager
def _new_file(path: str) -> Any:
    """Yield a file's name for the time until it is whole; what has that name at the end is removed."""
    temporary = f"{path}.{os.getpid()}.new"
    try:
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
