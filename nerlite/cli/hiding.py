"""What files become when the names in their texts are hidden: the same files but for that, format by format; and what
hiding names and putting them back ask of their files.
"""

from __future__ import annotations

import argparse
import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce
from typing import Any

from nerlite.cli.console import Input, display_name, say
from nerlite.document import Document
from nerlite.errors import InputError, Place
from nerlite.io import csv, format_named, format_of, jsonl, parquet
from nerlite.io.base import ConllDocument, ReadOptions, Record, Rows, decode
from nerlite.redaction import Placeholders

# Files of which nothing is passed over by their readers.
FORMATS = ("txt", "jsonl", "json", "csv", "tsv", "conll", "parquet")
# What makes of a tagged document the part of a file that it was: lines or, of Parquet, rows; None: it goes with others.
Finish = Callable[[Document], Any]
Part = tuple[Record, Finish]


class ToldError(InputError):
    """An error that quotes nothing of a file."""


class Hiding:
    """Hides names, the same name by the same placeholder. What looks like a placeholder elsewhere is hidden as well, so
    that all comes back.
    """

    def __init__(self, placeholders: Placeholders, labels: Sequence[str] | None, options: ReadOptions) -> None:
        """labels: only names of these; None for all. options: how files are read."""
        self._placeholders, self._labels, self._options = placeholders, labels, options
        self._column = options.text_column
        self._columns: list[str] | None = None
        self._table_line: Callable[[list[str]], str]  # of the first table

    def parts(self, file: str, form: str, streams: Input) -> Iterator[Part]:
        """Yield the texts of a file in their order, and what makes of each the part of the file that it was."""
        name = display_name(file)
        if form == "txt":
            return self.texts(streams.read(file), name)
        if form in ("csv", "tsv"):
            return self.table(streams.read(file), name, "\t" if form == "tsv" else None)
        if form == "parquet":
            return self.rows(parquet.batches_of(streams.whole(file), name), name)
        records = format_named(form).read(streams.read(file), name, self._options)
        return self.words(records, name) if form == "conll" else self.objects(records)

    def texts(self, lines: Iterable[bytes], name: str) -> Iterator[Part]:
        """Yield the texts of a plain file, a line each or all of it."""
        whole = self._options.whole
        for number, (mark, text, end) in enumerate(decoded([b"".join(lines)] if whole else lines, name), 1):
            yield Record(text, Place(name, None if whole else number)), partial(self._line, mark, end)

    def objects(self, records: Iterable[Record]) -> Iterator[Part]:
        """Yield the texts of JSON objects; what an earlier tagging says of a text does not come out again."""
        key = self._options.text_key
        for record in records:
            row = {each: value for each, value in (record.row or {}).items() if each not in jsonl.ANSWER_KEYS}
            yield record, partial(self._object, row, [] if record.text is None else jsonl.path_of(row, key))

    def table(self, lines: Iterable[bytes], name: str, delimiter: str | None) -> Iterator[Part]:
        """Yield the texts of a table's rows, and the row of columns before those of the first table.

        Quotes stand where they have to; lines end, and columns are parted, as in the first line of the first table.
        """
        table = csv.table_of(lines, name, self._options, delimiter)
        if not table.header:
            return
        kept = self._kept(table.header, table.where)
        if self._begins(kept, table.where):
            self._table_line = table.line
            yield Record(None, table.where), lambda _: table.mark + self._table_line(kept)
        for where, row in table.rows:
            named = dict(zip(table.header, row, strict=True))
            values = {column: named[column] for column in kept}
            yield Record(named[self._column], where), partial(self._row, values)

    def rows(self, batches: Iterable[Any], name: str) -> Iterator[Part]:
        """Yield the texts of a Parquet file's record batches; what comes of them is a batch, at its last text."""
        number = 0
        for batch in batches:
            kept = self._kept(batch.schema.names, Place(name))
            if not parquet.has_strings(batch, self._column):
                raise ToldError(f"column {self._column!r}: expected strings, got another type", Place(name))
            self._begins([f"{column} {batch.schema.field(column).type}" for column in kept], Place(name))
            texts, hidden = batch.column(self._column).to_pylist(), list[str]()
            for i, text in enumerate(texts or [None]):
                yield Record(text, Place(name, number + i + 1)), partial(
                    self._cell, batch, hidden, is_null=text is None, is_last=i + 1 >= len(texts))
            number += len(texts)

    def words(self, records: Iterable[Record], name: str) -> Iterator[Part]:
        """Yield the texts of a CoNLL file; each word of a name is hidden by itself, so that its row stays.

        So is what repeats the word in another column. Comments, which often quote their sentence, do not come out.
        """
        say(f"{name}: words are redacted, and what repeats them in other columns; all else there comes out as it is")
        for record in records:
            assert record.conll is not None
            yield record, partial(self._sentences, record.conll)

    def _kept(self, header: Sequence[str], where: Place) -> list[str]:
        """Return the columns that come out: not those of an earlier tagging."""
        if self._column not in header:
            raise ToldError(f"no column {self._column!r}; --text-column names the one with the texts", where)
        return [column for column in header if column not in jsonl.ANSWER_KEYS]

    def _begins(self, kept: list[str], where: Place) -> bool:
        """Return whether this is the first table; all have its columns."""
        if self._columns is not None:
            if kept != self._columns:
                raise ToldError("expected the columns that the first file has", where)
            return False
        self._columns = kept
        if len(kept) > 1:
            say(f"only the column {self._column!r} is redacted; all others come out as they are (--text-column)")
        return True

    def _hidden(self, document: Document) -> str:
        return self._placeholders.redact(document, self._labels)

    def _line(self, mark: str, end: str, document: Document) -> str:
        return mark + self._hidden(document) + end

    def _object(self, row: dict[str, Any], path: list[str], document: Document) -> str:
        """path: the keys that lead to the text; none, where there is none."""
        hidden = self._hidden(document)
        row = jsonl.with_strings(row, self._placeholders.escape)
        if path:
            *outer, last = path
            reduce(dict.__getitem__, outer, row)[last] = hidden
        return json.dumps(row, ensure_ascii=False) + "\n"

    def _row(self, values: dict[str, str], document: Document) -> str:
        hidden = self._hidden(document)
        return self._table_line([hidden if column == self._column else self._placeholders.escape(value)
                                 for column, value in values.items()])

    def _cell(self, batch: Any, hidden: list[str], document: Document, *, is_null: bool, is_last: bool) -> Any:
        """Return the batch once all of its texts are hidden."""
        if not is_null:
            hidden.append(self._hidden(document))
        if not is_last:
            return None
        texts = iter(hidden)
        return parquet.with_strings(batch, lambda column, text: next(texts) if column == self._column
                                    else self._placeholders.escape(text), jsonl.ANSWER_KEYS)

    def _sentences(self, part: ConllDocument, document: Document) -> str:
        if document.truncated_at is not None:
            self._hidden(document)  # raises
        escape, first, lines = self._placeholders.escape, 0, ""
        if part.start:
            lines = part.sentences[0].separator.join(map(escape, part.start)) + "\n\n"
        for rows in part.sentences:
            for columns, tag in zip(rows.columns, document.tags[first:first + len(rows.columns)], strict=True):
                lines += rows.separator.join(self._word(columns, rows, tag[2:])) + "\n"
            lines += "\n"
            first += len(rows.columns)
        return lines

    def _word(self, columns: list[str], rows: Rows, label: str) -> list[str]:
        if not label or (self._labels is not None and label not in self._labels):
            return list(map(self._placeholders.escape, columns))
        word = columns[rows.word].casefold()
        return [self._placeholders.of(label, column)
                if i == rows.word or _repeats(column.casefold(), word) else self._placeholders.escape(column)
                for i, column in enumerate(columns)]


def _repeats(column: str, word: str) -> bool:
    """Whether a column tells a word, or most of it: one of them is in the other, as a lemma is."""
    return column == word or (min(len(column), len(word)) > 2 and (column in word or word in column))


def decoded(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, str, str]]:
    """Yield each line's byte order mark, if it has one, its text and its end: all of the file."""
    offset = 0
    for number, line in enumerate(lines, 1):
        text = decode(line, name, number, offset)
        stripped = text.rstrip("\r\n")
        yield "\ufeff" * (offset == 0 and line.startswith(codecs.BOM_UTF8)), stripped, text[len(stripped):]
        offset += len(line)


def add_streams(parser: argparse.ArgumentParser) -> None:
    """Add the options of what is read and written."""
    parser.add_argument("--input-format", choices=("auto", *FORMATS), default="auto",
                        help="auto: by the file's suffix, else txt: plain text, a document a line")
    parser.add_argument("--to", metavar="FILE", help="write to a new file, which is there once it is whole; Parquet "
                        "needs it")


def forms_of(files: Sequence[str], form: str) -> list[str]:
    """Return the formats of files; `InputError` for one that cannot be redacted, or several of no common output."""
    forms = [format_of(file) if form == "auto" else form for file in files]
    for file, each in zip(files, forms, strict=True):
        if each not in FORMATS:
            raise InputError(f"expected {', '.join(FORMATS)}, got {each}: markup may hold names where no reader sees "
                             "them", Place(display_name(file)))
    if len(set(forms)) > 1 and not set(forms) <= {"txt", "jsonl", "json"}:
        raise InputError(f"expected files of one format, since they become one, got {', '.join(sorted(set(forms)))}")
    return forms


def read_map(path: str) -> Placeholders:
    """Read a map; `InputError` where it is none."""
    try:
        return Placeholders.load(path)
    except ValueError as error:
        raise InputError(str(error)) from None
