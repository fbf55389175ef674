"""TSV: CSV with tabs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nerlite.io import csv
from nerlite.io.base import ReadOptions, Record, WriteOptions


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the text of each row, as `csv.read` does."""
    yield from csv.read(lines, name, options, "\t")


class Writer(csv.Writer):
    """Writes a row a document, as CSV's does."""

    def __init__(self, title: str, options: WriteOptions) -> None:
        super().__init__(title, options, "\t")
