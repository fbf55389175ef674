"""nerlite restore: names back into texts that hold placeholders."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.cli.console import Input, Output, display_name, say
from nerlite.cli.files import check_files
from nerlite.cli.redact import FORMATS, decoded, form_of, read_map
from nerlite.io import jsonl
from nerlite.io.records import decode
from nerlite.redaction import Placeholders

_TOKEN = re.compile(r"\S")
# More placeholders that the map does not have are counted, not named.
NAMED = 5


def add_to(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("restore", help="put names back in the place of placeholders",
                                 description="Put the names that nerlite redact kept back in their places, in its "
                                 "output or in any text made from it, such as a language model's answer.")
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="default, and -: standard input")
    parser.add_argument("--map", metavar="FILE", required=True, help="the names, as nerlite redact --map kept them")
    parser.add_argument("--input-format", choices=("auto", *FORMATS), default="auto",
                        help="auto: by the file's suffix, else txt; jsonl and json: in all strings of all values")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Restore what the files hold, a line at a time; say which placeholders the map does not have."""
    check_files([*options.files, options.map])
    forms = [form_of(file, options.input_format) for file in options.files]
    placeholders = read_map(options.map)
    unknown: dict[str, None] = {}
    with Output() as output, Input(options.files) as streams:
        for file, form in zip(options.files, forms, strict=True):
            lines, name = streams.read(file), display_name(file)
            if form == "txt":
                for parts in decoded(lines, name):
                    output.write("".join(_restored(part, placeholders, unknown) for part in parts))
            else:
                for value in _values(lines, name) if form == "json" else _rows(lines, name):
                    output.write(json.dumps(_restored(value, placeholders, unknown), ensure_ascii=False) + "\n")
    if unknown:
        named = ", ".join([*list(unknown)[:NAMED], *["…"] * (len(unknown) > NAMED)])
        say(f"not in {options.map}, so left as they are: {named} ({len(unknown):,} in all)")
    return 0


def _rows(lines: Iterable[bytes], name: str) -> Iterator[Any]:
    """Yield the objects of JSON lines, each once it is there."""
    return (row for _, row in jsonl.read_rows(lines, name))


def _values(lines: Iterable[bytes], name: str) -> Iterator[Any]:
    """Yield the values of a JSON file: one of any kind, or several one after another."""
    text, at = decode(b"".join(lines), name), 0
    while _TOKEN.search(text, at):
        value, at = jsonl.parse(text, name, at, whole=False)
        yield value


def _restored(value: Any, placeholders: Placeholders, unknown: dict[str, None]) -> Any:
    """Return a JSON value with the names in all its strings."""
    if isinstance(value, str):
        unknown.update(dict.fromkeys(placeholders.unknown(value)))
        return placeholders.restore(value)
    if isinstance(value, list):
        return [_restored(each, placeholders, unknown) for each in value]
    if isinstance(value, dict):
        return {key: _restored(each, placeholders, unknown) for key, each in value.items()}
    return value
