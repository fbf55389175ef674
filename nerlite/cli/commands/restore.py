"""nerlite restore: names back into texts that hold placeholders."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.cli.console import Input, Output, display_name, say
from nerlite.cli.held import held_for
from nerlite.cli.hiding import add_streams, decoded, forms_of, read_map
from nerlite.cli.inputs import check_files
from nerlite.cli.options import check_target
from nerlite.errors import InputError, Place
from nerlite.io import csv, jsonl, parquet
from nerlite.io.base import ReadOptions, decode
from nerlite.redaction import Placeholders

_TOKEN = re.compile(r"\S")
# More placeholders that the map does not have are counted, not named.
NAMED = 5


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser("restore", help=about,
                                 description="Put the names that nerlite redact kept back in their places, in its "
                                 "output or in any text made from it, such as a language model's answer.")
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="default, and -: standard input")
    parser.add_argument("--map", metavar="FILE", required=True, help="the names, as nerlite redact --map kept them")
    add_streams(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Restore what the files hold, a line at a time; say which placeholders the map does not have."""
    check_files([*options.files, options.map])
    check_target(options.to)
    forms = forms_of(options.files, options.input_format)
    restoring = _Restoring(read_map(options.map))
    with Input(options.files) as streams:
        parts = (part for file, form in zip(options.files, forms, strict=True)
                 for part in restoring.parts(file, form, streams))
        if options.to is None and "parquet" not in forms:
            with Output() as output:
                for part in parts:
                    output.write(part)
        else:
            with held_for(options.to, forms) as held:
                for part in parts:
                    held.add(part)
                held.release()
    if unknown := restoring.unknown:
        named = ", ".join([*list(unknown)[:NAMED], *["…"] * (len(unknown) > NAMED)])
        say(f"not in {options.map}, so left as they are: {named} ({len(unknown):,} in all)")
    return 0


class _Restoring:
    """Puts names back. unknown: the placeholders that are not in the map."""

    def __init__(self, placeholders: Placeholders) -> None:
        self._placeholders = placeholders
        self.unknown: dict[str, None] = {}
        self._first: csv.Table | None = None

    def parts(self, file: str, form: str, streams: Input) -> Iterator[Any]:
        """Yield a file's restored parts: lines, or record batches of Parquet."""
        name = display_name(file)
        if form == "parquet":
            for batch in parquet.batches_of(streams.whole(file), name):
                yield parquet.with_strings(batch, lambda _, text: self._text(text))
            return
        lines = streams.read(file)
        if form in ("txt", "conll"):
            for parts in decoded(lines, name):
                yield "".join(map(self._text, parts))
        elif form in ("csv", "tsv"):
            table = csv.table_of(lines, name, ReadOptions(), "\t" if form == "tsv" else None)
            if not table.header:
                return
            if self._first is None:
                self._first = table
                yield table.mark + table.line(table.header)
            elif table.header != self._first.header:
                raise InputError("expected the columns that the first file has: "
                                 f"{', '.join(map(repr, self._first.header)):.500}", table.where)
            for _, row in table.rows:
                yield self._first.line(list(map(self._text, row)))
        else:
            for value in _values(lines, name) if form == "json" else jsonl.read_objects(lines, name):
                yield json.dumps(jsonl.with_strings(value, self._text), ensure_ascii=False) + "\n"

    def _text(self, text: str) -> str:
        self.unknown.update(dict.fromkeys(self._placeholders.unknown(text)))
        return self._placeholders.restore(text)


def _values(lines: Iterable[bytes], name: str) -> Iterator[Any]:
    """Yield the values of a JSON file: one of any kind, or several one after another."""
    text, at = decode(b"".join(lines), name), 0
    while _TOKEN.search(text, at):
        value, at = jsonl.parse(text, Place(name), at, whole=False)
        yield value
