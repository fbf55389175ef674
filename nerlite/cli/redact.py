"""nerlite redact: texts from files → the same texts with placeholders for names. All of them come out, or nothing."""

from __future__ import annotations

import argparse
import codecs
import json
import os
import re
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from typing import Any

import nerlite
from nerlite.cli import options as common
from nerlite.cli.console import Input, Output, display_name
from nerlite.cli.documents import documents_of
from nerlite.cli.files import check_files
from nerlite.io import format_named, format_of, jsonl
from nerlite.io.records import InputError, ReadOptions, Record, decode
from nerlite.redaction import Placeholders

FORMATS = ("txt", "jsonl", "json")
# More than so many bytes wait in a temporary file, which has no name; so many are written at once.
BYTES_IN_MEMORY = 1 << 26
WRITTEN_AT_ONCE = 1 << 20

# What makes a redacted text what it was part of: a line, an object.
Finish = Callable[[str], str]


def add_to(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "redact", parents=[common.of_model()], help="replace names by placeholders such as [PER_1]",
        description="Replace the names that the model finds by placeholders, the same name by the same one in all "
        "files. Names that it misses stay, and so do e-mail addresses and numbers. On any error nothing comes out.")
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="default, and -: standard input")
    parser.add_argument("--map", metavar="FILE", help="keep the names in FILE, for nerlite restore, readable for you "
                        "alone; where there is one already, its placeholders go on. Without it the names are gone")
    parser.add_argument("--input-format", choices=("auto", *FORMATS), default="auto",
                        help="auto: by the file's suffix, else txt: plain text, a document a line")
    parser.add_argument("--encoding", type=common.encoding,
                        help="of all files (default: UTF-8, or what a byte order mark names); the output is in UTF-8")
    parser.add_argument("--whole", action="store_true", help="plain text: a file is one document")
    parser.add_argument("--text-key", default="text", metavar="KEY",
                        help="JSON: the key of the text (text), or the way to it, such as data.text; the others come "
                        "out as they are")
    parser.add_argument("--label", action="append", default=[], metavar="LABELS",
                        help="only names of these labels: PER, or PER,LOC; may be given again")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Redact what the files hold; nothing is written before all of it is done and the map is safe."""
    check_files(options.files)
    if options.text_key in jsonl.ANSWER_KEYS:
        raise InputError(f"--text-key {options.text_key}: expected another key: answers are left out")
    forms = [form_of(file, options.input_format) for file in options.files]
    before = _stamp(options.map)
    placeholders = read_map(options.map) if before else Placeholders()
    tagger = common.load(options)
    options.label = common.labels_of(options.label, tagger) or None
    with tempfile.SpooledTemporaryFile(BYTES_IN_MEMORY) as held:
        with Input(options.files, options.encoding) as streams:
            for part in _redacted(options, forms, tagger, placeholders, streams):
                held.write(part.encode("utf-8", "backslashreplace"))  # as JSON escapes a lone surrogate
        if options.map:
            if _stamp(options.map) != before:
                raise InputError(f"--map {options.map}: it was changed meanwhile; nothing was written")
            placeholders.save(options.map)
        held.seek(0)
        with Output() as output:
            while lines := held.readlines(WRITTEN_AT_ONCE):
                output.write(b"".join(lines).decode("utf-8"))
    return 0


def _redacted(options: argparse.Namespace, forms: list[str], tagger: nerlite.Tagger, placeholders: Placeholders,
              streams: Input) -> Iterator[str]:
    """Yield the redacted files; what is wrong with one is told without a word of it."""
    finishes: deque[Finish] = deque()

    def records() -> Iterator[Record]:
        for file, form in zip(options.files, forms, strict=True):
            name, lines = display_name(file), streams.read(file)
            if form == "txt":
                parts = _texts(lines, name, whole=options.whole)
            else:
                parts = _objects(format_named(form).read(lines, name, ReadOptions(text_key=options.text_key)),
                                 options.text_key)
            for record, finish in parts:
                finishes.append(finish)
                yield record

    place, unread = "before the first text", False
    try:
        for document, record in documents_of(tagger, records(), streams):
            place, unread = record.where, document.truncated_at is not None
            yield finishes.popleft()(placeholders.redact(document, options.label))
    except InputError as error:
        names = "|".join(re.escape(display_name(file)) for file in options.files)
        named = re.match(rf"(?:{names}):\d+(?=: )", str(error))
        raise InputError(f"{named[0] if named else f'after {place}'}: bad input; nothing was written. What is wrong "
                         "with it may quote names, so it is not told here: nerlite tag tells") from None
    except Exception as error:
        reason = (f"{place}: the model stops reading long texts, so names would stay: --window reads on" if unread
                  else f"{type(error).__name__} at or after {place}")
        raise InputError(f"{reason}; nothing was written") from None


def form_of(file: str, form: str) -> str:
    """Return the format of a file; `InputError` for one that cannot be redacted."""
    form = format_of(file) if form == "auto" else form
    if form not in FORMATS:
        raise InputError(f"{display_name(file)}: expected plain text or JSON, got {form}: its other columns may "
                         "hold the names")
    return form


def read_map(path: str) -> Placeholders:
    """Read a map; `InputError` where it is none."""
    try:
        return Placeholders.load(path)
    except ValueError as error:
        raise InputError(str(error)) from None


def decoded(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, str, str]]:
    """Yield each line's byte order mark, if it has one, its text and its end: all of the file."""
    offset = 0
    for number, line in enumerate(lines, 1):
        text = decode(line, name, number, offset)
        stripped = text.rstrip("\r\n")
        yield "\ufeff" * (offset == 0 and line.startswith(codecs.BOM_UTF8)), stripped, text[len(stripped):]
        offset += len(line)


def _texts(lines: Iterable[bytes], name: str, *, whole: bool) -> Iterator[tuple[Record, Finish]]:
    """Yield the texts of a plain file, a line each or all of it, and what puts one back into it."""
    for number, (mark, text, end) in enumerate(decoded([b"".join(lines)] if whole else lines, name), 1):
        yield Record(text, name if whole else f"{name}:{number}"), partial(_line, mark, end)


def _objects(records: Iterable[Record], key: str) -> Iterator[tuple[Record, Finish]]:
    """Yield the texts of JSON objects; what an earlier tagging says of a text does not come out again."""
    for record in records:
        row = {each: value for each, value in (record.row or {}).items() if each not in jsonl.ANSWER_KEYS}
        yield record, partial(_object, row, [] if record.text is None else jsonl.path_of(row, key))


def _line(mark: str, end: str, text: str) -> str:
    return mark + text + end


def _object(row: dict[str, Any], path: list[str], text: str) -> str:
    """path: the keys that lead to the text; none, where there is none."""
    if path:
        *outer, last = path
        reduce(dict.__getitem__, outer, row)[last] = text
    return json.dumps(row, ensure_ascii=False) + "\n"


def _stamp(path: str | None) -> tuple[int, ...] | None:
    """Return what changes when another file comes in a file's place; None where there is none."""
    try:
        found = os.stat(path) if path else None
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if found else None
