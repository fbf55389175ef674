"""Readers of the text formats that nerlite takes, and writers of those it gives.

Every reader names file and line in its errors: "FILE:LINE: what was expected, and what came".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from nerlite.document import Document, Entity
from nerlite.errors import FileError

# The keys of a JSON line that are written anew.
ANSWER_KEYS = ("entities", "truncated_at")


class InputError(FileError):
    """Input that cannot be read; the message names the file, the line and what is wrong there."""


class Sentence(NamedTuple):
    """A sentence's words and their tags, as many of one as of the other."""

    words: list[str]
    tags: list[str]


class Rows(NamedTuple):
    """A sentence's rows in a CoNLL file: the line of the first, and each row's columns."""

    line: int
    columns: list[list[str]]


class ConllDocument(NamedTuple):
    """A document of a CoNLL file: the columns of its -DOCSTART- line, if the file has such lines, and its sentences."""

    start: list[str] | None
    sentences: list[Rows]


def decode(data: bytes, name: str, number: int = 1, offset: int = 0) -> str:
    """Return UTF-8 text, without the byte order mark a file may begin with.

    number, offset: the line and the byte of the file at which data begins, for `InputError`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = number + data.count(b"\n", 0, error.start)
        raise InputError(f"{name}:{line}: not UTF-8: byte 0x{data[error.start]:02x} at offset {offset + error.start} "
                         f"of the file ({error.reason})") from None
    return text if offset else text.removeprefix("\ufeff")


def read_lines(stream: Iterable[bytes], name: str) -> Iterator[str]:
    r"""Yield the lines of a binary UTF-8 stream without their "\n" or "\r\n"; `InputError` where it is not UTF-8."""
    offset = 0
    for number, data in enumerate(stream, 1):
        yield decode(data, name, number, offset).removesuffix("\n").removesuffix("\r")
        offset += len(data)


def read_jsonl(lines: Iterable[str], name: str, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of each line that is not blank.

    `InputError` for a line that is no JSON object or whose value at the key is missing or no string.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            row = json.loads(line, parse_float=_finite)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets as deep
            raise InputError(f"{where}: not JSON that can be read: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f"{where}: expected a JSON object, got {line!r:.80}")
        if key not in row:
            raise InputError(f"{where}: no key {key!r}; the line has {', '.join(map(repr, row)) or 'no keys'}")
        if not isinstance(row[key], str):
            raise InputError(f"{where}: key {key!r}: expected a string, got {row[key]!r:.80}")
        yield number, row


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is beyond what a float64 can be")
    return value


def read_conll_rows(lines: Iterable[str], name: str, min_columns: int = 1) -> Iterator[ConllDocument]:
    """Yield the documents of a CoNLL file, all columns of every row.

    A line is one word: columns apart by spaces or tabs, as many on every line. A blank line ends a sentence, a
    -DOCSTART- line starts a document, and a file without such lines yields each sentence alone.
    name: the file's name. `InputError` names the file and line of a row with fewer than min_columns columns or
    not as many as the first row has.
    Source: Tjong Kim Sang and De Meulder 2003, https://aclanthology.org/W03-0419.
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


def read_conll(lines: Iterable[str], name: str) -> Iterator[list[Sentence]]:
    """Yield the sentences of each document of a CoNLL file, its first column as words, its last as tags.

    The tags stay as they stand. Documents, name and errors are those of `read_conll_rows`.
    """
    for document in read_conll_rows(lines, name, min_columns=2):
        yield [Sentence([row[0] for row in rows.columns], [row[-1] for row in rows.columns])
               for rows in document.sentences]


def select(document: Document, labels: Sequence[str], min_score: float) -> Document:
    """Return the document with only the entities of the labels (all, if none is given) that score enough."""
    def keeps(entity: Entity) -> bool:
        return (not labels or entity.label in labels) and entity.score >= min_score

    return document.only(entity for entity in document.entities if keeps(entity))


def json_line(document: Document, row: dict[str, Any] | None = None) -> str:
    """Return a document as one line of JSON.

    row: the object it came from, whose keys are kept but for `ANSWER_KEYS`; without one the line has the text.
    "truncated_at" is there only where the model did not read the whole text.
    """
    line: dict[str, Any] = dict(row) if row is not None else {"text": document.text}
    line["entities"] = [{"text": entity.text, "label": entity.label, "start": entity.start, "end": entity.end,
                         "score": round(float(entity.score), 4)} for entity in document.entities]
    line.pop("truncated_at", None)
    if document.truncated_at is not None:
        line["truncated_at"] = document.truncated_at
    return json.dumps(line, ensure_ascii=False) + "\n"


def conll_rows(rows: Iterable[Sequence[str]], tags: Iterable[str]) -> str:
    """Return a sentence's rows, each with its tag as one column more, and the blank line that ends a sentence."""
    return "".join(" ".join((*row, tag)) + "\n" for row, tag in zip(rows, tags, strict=True)) + "\n"


def table(document: Document, where: str, width: int) -> str:
    """Return a document for reading: where it came from and how it begins, then a line an entity.

    width: the columns that the first line may take. Line breaks and control characters come out as spaces and
    question marks, so that no text disturbs a terminal.
    """
    start = _printable(document.text[:width])
    room = max(20, width - len(where) - 2)
    lines = [f"{where}  {start if len(start) <= room and len(document.text) <= width else start[:room - 1] + '…'}"]
    label_width = max((len(entity.label) for entity in document.entities), default=0)
    offset_width = len(f"{document.entities[-1].start}–{document.entities[-1].end}") if document.entities else 0
    for entity in document.entities:
        offsets = f"{entity.start}–{entity.end}"
        lines.append(f"  {entity.score:.2f}  {entity.label:<{label_width}}  {offsets:>{offset_width}}  "
                     f"{_printable(entity.text)}")
    if document.truncated_at is not None:
        lines.append(f"  the model read only the first {document.truncated_at} characters")
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
