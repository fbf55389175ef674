"""JSON: an array of objects, or objects one after another, which come out as JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nerlite.errors import InputError, Place
from nerlite.io.base import ReadOptions, Record, decode
from nerlite.io.jsonl import parse, record_of

_SPACE = re.compile(r"[ \t\r\n]*")
# A line break stands between two tokens alone: within a string it is escaped. White space before it stays: it would be
# looked for from each place of a long run.
_BREAK = re.compile(r"[\r\n]\s*")


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the text at options.text_key of each object. The file is held in memory. `InputError` as for JSON lines."""
    text = decode(b"".join(lines), name)
    at, line, counted = _skip(text, 0), 1, 0
    is_array = text[at:at + 1] == "["
    at = _skip(text, at + 1) if is_array else at
    while at < len(text) and not (is_array and text[at] == "]"):
        line, counted = line + text.count("\n", counted, at), at
        where = Place(name, line)
        value, end = parse(text, where, at, whole=False)
        source = _BREAK.sub(" ", text[at:end])
        try:
            yield record_of(value, source, where, options.text_key)
        except InputError as error:
            options.fail(error)
        at = _skip(text, end)
        if is_array and text[at:at + 1] == ",":
            at = _skip(text, at + 1)
        elif is_array and text[at:at + 1] != "]":
            raise InputError("not JSON: expected , or ] after this object", where)
    if is_array and (at >= len(text) or text[at + 1:].strip()):
        raise InputError("not JSON: expected the array's end, and nothing after it", Place(name))


def _skip(text: str, at: int) -> int:
    """Return where the next token begins."""
    match = _SPACE.match(text, at)
    return match.end() if match else at
