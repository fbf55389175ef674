"""JSON lines: an object a line, whose keys are kept."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.document import Document
from nerlite.io.records import InputError, ReadOptions, Record, read_lines

# The keys of a line that are written anew.
ANSWER_KEYS = ("entities", "truncated_at")


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the text at options.text_key of each line that is not blank.

    `InputError` for a line that is no JSON object or whose value at the key is missing or no string.
    """
    key = options.text_key
    for where, row in read_rows(lines, name):
        if key not in row:
            raise InputError(f"{where}: no key {key!r}; the line has {', '.join(map(repr, row)) or 'no keys'}")
        if not isinstance(row[key], str):
            raise InputError(f"{where}: key {key!r}: expected a string, got {row[key]!r:.80}")
        yield Record(row[key], where, row=row)


def read_rows(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each line that is not blank is, and its object; `InputError` for one that is no JSON object."""
    for number, line in enumerate(read_lines(lines, name), 1):
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
        yield where, row


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is beyond what a float64 can be")
    return value


def write(document: Document, record: Record) -> str:
    """Return a document as one line: its text, or the keys of the object it came from, and its entities.

    "truncated_at" is there only where the model did not read the whole text.
    """
    line: dict[str, Any] = dict(record.row) if record.row is not None else {"text": document.text}
    line["entities"] = [{"text": entity.text, "label": entity.label, "start": entity.start, "end": entity.end,
                         "score": round(float(entity.score), 4)} for entity in document.entities]
    line.pop("truncated_at", None)
    if document.truncated_at is not None:
        line["truncated_at"] = document.truncated_at
    return json.dumps(line, ensure_ascii=False) + "\n"
