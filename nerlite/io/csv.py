"""CSV: a row a text, whose columns are kept; the first row names them."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping

from nerlite.document import Document
from nerlite.io.records import InputError, ReadOptions, Record, WriteOptions, decoded_lines, entity_dicts

# Texts are longer than the module's own limit for a field.
csv.field_size_limit(2**31 - 1)


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the text of each row, in the column options.text_column, "text" by default.

    `InputError` where there is no such column, or for a row that has not as many fields as the first.
    """
    yield from read_table(lines, name, options, None)


def read_table(lines: Iterable[bytes], name: str, options: ReadOptions, delimiter: str | None) -> Iterator[Record]:
    """delimiter: None is what the first row has, comma or semicolon."""
    decoded = (line for _, line in decoded_lines(lines, name, options.fail))
    first = next(decoded, "")
    if delimiter is None:
        delimiter = ";" if first.count(";") > first.count(",") else ","
    rows = csv.reader(itertools.chain([first], decoded), delimiter=delimiter, strict=True)
    header: list[str] = []
    column = 0
    while True:
        where = f"{name}:{rows.line_num + 1}"
        try:
            row = next(rows, None)
        except csv.Error as error:
            options.fail(InputError(f"{where}: not CSV: {error}"))
            continue
        if row is None:
            return
        if not row:  # a blank line
            continue
        if not header:
            header, column = row, _text_column(row, where, options.text_column)
        elif len(row) == len(header):
            yield Record(row[column], where, row=dict(zip(header, row, strict=True)))
        else:
            options.fail(InputError(f"{where}: expected {len(header)} fields, got {len(row)}"))


def _text_column(header: list[str], where: str, wanted: str | None) -> int:
    """Return which column has the texts."""
    if len(set(header)) != len(header):
        raise InputError(f"{where}: expected each column once, got {', '.join(map(repr, header)):.200}")
    name = "text" if wanted is None else wanted
    if name not in header:
        hint = "--text-column names the one with the texts; " if wanted is None else ""
        raise InputError(f"{where}: no column {name!r}; {hint}there are {', '.join(map(repr, header)):.500}")
    return header.index(name)


class Writer:
    """Writes a row a document: the columns that it came with, or its text, and its entities as JSON."""

    def __init__(self, title: str, options: WriteOptions, delimiter: str = ",") -> None:
        self._options, self._delimiter, self._columns = options, delimiter, list[str]()

    def head(self) -> str:
        """Return nothing: the first document says which columns there are."""
        return ""

    def state(self) -> list[str]:
        """Return the columns, none before the first document."""
        return self._columns

    def go_on(self, state: list[str]) -> None:
        """Go on with the columns of an earlier run."""
        self._columns = state

    def write(self, document: Document, record: Record) -> str:
        """Return a document's row, before the first one also the columns' names."""
        key, row, names = self._options.entities_key, _row(record, document), ""
        if key in row:
            raise InputError(f"{record.where}: column {key!r}: there already, and the answer is written there; "
                             "--entities-key names another for the entities")
        if not self._columns:
            self._columns = list(row)
            names = self._line([*row, key])
        if list(row) != self._columns:
            raise InputError(f"{record.where}: expected the columns that the first text has: "
                             f"{', '.join(map(repr, self._columns)):.500}")
        entities = json.dumps(entity_dicts(document, self._options.offset_unit), ensure_ascii=False)
        return names + self._line([*map(_field, row.values()), entities])

    def tail(self) -> str:
        """Return nothing."""
        return ""

    def _line(self, fields: list[str]) -> str:
        line = _Line()
        csv.writer(line, delimiter=self._delimiter).writerow(fields)  # quotes both characters of its line end
        return line.text.removesuffix("\r\n") + "\n"


class _Line:
    text = ""

    def write(self, text: str) -> None:
        self.text += text


def _row(record: Record, document: Document | None = None) -> Mapping[str, object]:
    if record.row is not None:
        return record.row
    return {"text": document.text if document and record.text is not None else ""}


def _field(value: object) -> str:
    """Return a value as a field: a text as it is, nothing for null, else JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
