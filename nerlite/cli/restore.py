"""nerlite restore: names back into texts that hold placeholders."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from nerlite.cli.console import Input, Output, display_name
from nerlite.cli.documents import check_files
from nerlite.cli.redact import FORMATS, decoded, form_of, read_map
from nerlite.io import jsonl
from nerlite.redaction import Placeholders

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
                        help="auto: by the file's suffix, else txt; jsonl: in all strings of each line's object")
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
            if form == "jsonl":
                for _, row, _ in jsonl.read_rows(lines, name):
                    output.write(json.dumps(_restored(row, placeholders, unknown), ensure_ascii=False) + "\n")
            else:
                for parts in decoded(lines, name):
                    output.write("".join(_restored(part, placeholders, unknown) for part in parts))
    if unknown:
        named = ", ".join([*list(unknown)[:NAMED], *["…"] * (len(unknown) > NAMED)])
        print(f"nerlite: not in {options.map}, so left as they are: {named} ({len(unknown):,} in all)", file=sys.stderr)
    return 0


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
