"""CoNLL columns: a word a line, a blank line after each sentence.

Source: Tjong Kim Sang and De Meulder 2003, https://aclanthology.org/W03-0419.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nerlite.document import Document
from nerlite.io.records import ConllDocument, InputError, ReadOptions, Record, Rows, read_lines


class Sentence(NamedTuple):
    """A sentence's words and their tags, as many of one as of the other."""

    words: list[str]
    tags: list[str]


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the words, of the first column, that are tagged together."""
    yield from records(read_rows(read_lines(lines, name), name), name, options.by)


def records(documents: Iterable[ConllDocument], name: str, by: str) -> Iterator[Record]:
    """Yield the sentences of each document, or each sentence."""
    for document in documents:
        parts = [document]
        if by == "sentence":
            parts = [ConllDocument(None if i else document.start, [sentence])
                     for i, sentence in enumerate(document.sentences)]
        for part in parts:
            sentences = [[row[0] for row in sentence.columns] for sentence in part.sentences]
            yield Record(sentences, f"{name}:{part.sentences[0].line}", conll=part)


def read_rows(lines: Iterable[str], name: str, min_columns: int = 1) -> Iterator[ConllDocument]:
    """Yield the documents of a file, all columns of every row.

    A line is one word: columns apart by spaces or tabs, as many on every line. A blank line ends a sentence, a
    -DOCSTART- line starts a document, and a file without such lines yields each sentence alone.
    name: the file's name. `InputError` names the file and line of a row with fewer than min_columns columns or
    not as many as the first row has.
    """
    start: list[str] | None = None
    sentences: list[Rows] = []
    rows = Rows(0, [])
    n_columns = 0
    for number, line in enumerate(lines, 1):
        columns = re.findall(r"[^ \t\r\n]+", line)
        starts_document = bool(columns) and columns[0] == "-DOCSTART-"
        if columns and not starts_document:
            n_columns = n_columns or max(min_columns, len(columns))
            if len(columns) != n_columns:
                raise InputError(f"{name}:{number}: expected {n_columns} columns, got {line.strip()!r:.80}")
            rows = rows if rows.columns else Rows(number, [])
            rows.columns.append(columns)
            continue
        if rows.columns:
            sentences.append(rows)
            rows = Rows(0, [])
        if sentences and (starts_document or start is None):
            yield ConllDocument(start, sentences)
            sentences = []
        start = columns if starts_document else start
    if rows.columns:
        sentences.append(rows)
    if sentences:
        yield ConllDocument(start, sentences)


def read_tagged(lines: Iterable[str], name: str) -> Iterator[list[Sentence]]:
    """Yield the sentences of each document of a file, its first column as words, its last as tags.

    The tags stay as they stand. Documents, name and errors are those of `read_rows`.
    """
    for document in read_rows(lines, name, min_columns=2):
        yield [Sentence([row[0] for row in rows.columns], [row[-1] for row in rows.columns])
               for rows in document.sentences]


def write(document: Document, record: Record) -> str:
    """Return a document's words, each with its tag; those of a CoNLL file keep their columns and document lines."""
    if record.conll is None:
        # A word that is hyphenated at a line's end has the line break in it.
        return _sentence([["".join(word.split())] for word in document.words], document.tags)
    tags, start = iter(document.tags), record.conll.start
    return (" ".join([*start, "O"]) + "\n\n" if start else "") + "".join(
        _sentence(rows, [next(tags) for _ in rows]) for _, rows in record.conll.sentences)


def _sentence(rows: Iterable[Sequence[str]], tags: Iterable[str]) -> str:
    """Return a sentence's rows, each with its tag as one column more, and the blank line that ends a sentence."""
    return "".join(" ".join((*row, tag)) + "\n" for row, tag in zip(rows, tags, strict=True)) + "\n"
