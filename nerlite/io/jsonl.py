"""JSON lines: an object a line, which comes out as it came in, with one key more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nerlite.document import Document
from nerlite.errors import InputError, Place
from nerlite.io.base import ReadOptions, Record, WriteOptions, entity_dicts, read_lines

TRUNCATED_KEY = "truncated_at"
# The keys of an earlier answer.
ANSWER_KEYS = ("entities", TRUNCATED_KEY)


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the text at options.text_key of each line that is not blank.

    `InputError` for a line that is no JSON object or whose value at the key is missing or neither string nor null.
    """
    for number, line in read_lines(lines, name, options.fail):
        if source := line.strip():
            where = Place(name, number)
            try:
                yield record_of(parse(line, where)[0], source, where, options.text_key)
            except InputError as error:
                options.fail(error)


def read_objects(lines: Iterable[bytes], name: str) -> Iterator[dict[str, Any]]:
    """Yield the object of each line that is not blank; `InputError` for what is no JSON object."""
    for number, line in read_lines(lines, name):
        if source := line.strip():
            where = Place(name, number)
            yield _object(parse(line, where)[0], source, where)


def parse(text: str, where: Place, start: int = 0, *, whole: bool = True) -> tuple[Any, int]:
    """Return a JSON value and where it ends; whole: nothing may follow. `InputError` names the place."""
    try:
        while text[start:start + 1] in _SPACE:
            start += 1
        value, end = _DECODER.raw_decode(text, start)
        if whole and text[end:].strip():
            raise json.JSONDecodeError("Extra data", text, end)
    except json.JSONDecodeError as error:
        place, column = (where, error.pos + 1) if whole else (Place(where.file, error.lineno), error.colno)
        raise InputError(f"not JSON: {error.msg.removesuffix(' at')} at column {column}", place) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets as deep
        raise InputError(f"not JSON that can be read: {error}", where) from None
    return value, end


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON's")


_SPACE = frozenset(" \t\r\n")  # to JSON: what else Python calls so would be written again
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _object(value: Any, source: str, where: Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"expected a JSON object, got {source!r:.80}", where)
    return value


def record_of(value: Any, source: str, where: Place, key: str) -> Record:
    """Return a JSON value, which has to be an object, as a record; source: as it stands in the file, on one line."""
    text = row = _object(value, source, where)
    for part in path_of(row, key):
        if not isinstance(text, dict) or part not in text:
            raise InputError(f"no key {key!r}; the line has {', '.join(map(repr, row)) or 'no keys'}", where)
        text = text[part]
    if text is not None and not isinstance(text, str):
        raise InputError(f"key {key!r}: expected a string or null, got {text!r:.80}", where)
    return Record(text, where, row=row, json=source)


def path_of(row: dict[str, Any], key: str) -> list[str]:
    """Return the keys that lead to a key's value: itself, where there is such a key, or its parts between dots."""
    return [key] if key in row else key.split(".")


def with_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with what `change` makes of each string in it; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [with_strings(each, change) for each in value]
    if isinstance(value, dict):
        return {key: with_strings(each, change) for key, each in value.items()}
    return value


def write(document: Document, record: Record, options: WriteOptions) -> str:
    """Return a document as one line: its text, or the object it came from, and its entities.

    "truncated_at" is there only where the model did not read the whole text.
    """
    answer: dict[str, Any] = {options.entities_key: entity_dicts(document, options.offset_unit)}
    if document.truncated_at is not None:
        answer[TRUNCATED_KEY] = document.to_dict(options.offset_unit)[TRUNCATED_KEY]
    row = {"text": record.text if record.text is None else document.text} if record.row is None else record.row
    options.check_free("key", row, record.where, TRUNCATED_KEY)
    source = json.dumps(dict(row), ensure_ascii=False, default=str) if record.json is None else record.json
    return f"{source[:-1].rstrip()}{', ' if row else ''}{json.dumps(answer, ensure_ascii=False)[1:]}\n"
