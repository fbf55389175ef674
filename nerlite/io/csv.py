"""CSV: a row a text, whose columns are kept; the first row names them."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from nerlite.document import Document
from nerlite.errors import InputError, Place
from nerlite.io.base import ReadOptions, Record, WriteOptions, decoded_lines, entity_dicts
from nerlite.io.base import Writer as BaseWriter

# Texts are longer than the module's own limit for a field.
csv.field_size_limit(2**31 - 1)


class Table(NamedTuple):
    """A table as its file has it.

    mark: its byte order mark, if it has one; end, delimiter: those of its first line; where, header: that line's place,
    and the columns that it names, none where the file is empty; rows: where each is, and its fields.
    """

    mark: str
    end: str
    delimiter: str
    where: Place
    header: list[str]
    rows: Iterator[tuple[Place, list[str]]]

    def line(self, fields: list[str]) -> str:
        """Return a row as this table has them."""
        return line_of(fields, self.delimiter, self.end)


def read(lines: Iterable[bytes], name: str, options: ReadOptions, delimiter: str | None = None) -> Iterator[Record]:
    """Yield the text of each row, in the column options.text_column; delimiter: as in `table_of`.

    `InputError` where there is no such column, or for a row that has not as many fields as the first.
    """
    table = table_of(lines, name, options, delimiter)
    if table.header:
        options.check_column(table.header, table.where)
        column = table.header.index(options.text_column)
        for where, row in table.rows:
            yield Record(row[column], where, row=dict(zip(table.header, row, strict=True)))


def table_of(lines: Iterable[bytes], name: str, options: ReadOptions, delimiter: str | None) -> Table:
    """Begin to read a table; delimiter: None is what the first line has, comma or semicolon."""
    lines = iter(lines)
    first = next(lines, b"")
    delimiter = delimiter or (";" if first.count(b";") > first.count(b",") else ",")
    rows = _rows(itertools.chain([first], lines), name, options, delimiter)
    where, header = next(rows, (Place(name), []))
    return Table("\ufeff" * first.startswith(codecs.BOM_UTF8), "\r\n" if first.endswith(b"\r\n") else "\n", delimiter,
                 where, header, rows)


def _rows(lines: Iterable[bytes], name: str, options: ReadOptions, delimiter: str
          ) -> Iterator[tuple[Place, list[str]]]:
    """Yield where each row is, and its fields, as many as the first has, which names the columns, each once."""
    decoded = (line for _, line in decoded_lines(lines, name, options.fail))
    rows = csv.reader(decoded, delimiter=delimiter, strict=True)
    n_columns = 0
    while True:
        where = Place(name, rows.line_num + 1)
        try:
            row = next(rows, None)
        except csv.Error as error:
            options.fail(InputError(f"not CSV: {error}", where))
            continue
        if row is None:
            return
        if not row:  # a blank line
            continue
        if not n_columns and len(set(row)) != len(row):
            raise InputError(f"expected each column once, got {', '.join(map(repr, row)):.200}", where)
        n_columns = n_columns or len(row)
        if len(row) == n_columns:
            yield where, row
        else:
            options.fail(InputError(f"expected {n_columns} fields, got {len(row)}", where))


class Writer(BaseWriter):
    """Writes a row a document: the columns that it came with, or its text, and its entities as JSON."""

    def __init__(self, title: str, options: WriteOptions, delimiter: str = ",") -> None:
        self._options, self._delimiter, self._columns = options, delimiter, list[str]()

    def state(self) -> list[str]:
        """Return the columns, none before the first document."""
        return self._columns

    def go_on(self, state: list[str]) -> None:
        """Go on with the columns of an earlier run."""
        self._columns = state

    def write(self, document: Document, record: Record) -> str:
        """Return a document's row, before the first one also the columns' names."""
        key, names = self._options.entities_key, ""
        row: Mapping[str, object] = {"text": document.text} if record.row is None else record.row
        self._options.check_free("column", row, record.where)
        if not self._columns:
            self._columns = list(row)
            names = line_of([*row, key], self._delimiter)
        if set(row) != set(self._columns):
            expected, got = (f"{', '.join(map(repr, names)):.500}" for names in (self._columns, row))
            raise InputError(f"expected the columns that the first text has: {expected}, got {got}", record.where)
        entities = json.dumps(entity_dicts(document, self._options.offset_unit), ensure_ascii=False)
        return names + line_of([*(_field(row[name]) for name in self._columns), entities], self._delimiter)


def line_of(fields: list[str], delimiter: str, end: str = "\n") -> str:
    """Return a row."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow(fields)  # quotes both characters of its line end
    return line.getvalue().removesuffix("\r\n") + end


def _field(value: object) -> str:
    """Return a value as a field: nothing for null, JSON for what has it, else as text, such as a date."""
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)
