"""nerlite tag: texts from files → their entities."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from nerlite.cli import options as common
from nerlite.cli.console import Input, Output, display_name
from nerlite.cli.documents import check_files, documents_of, records_of
from nerlite.io import READERS, WRITERS, writer_named
from nerlite.io.jsonl import ANSWER_KEYS
from nerlite.io.records import InputError, ReadOptions, select


def add_to(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("tag", parents=[common.of_model(), common.of_conll()], help="tag texts",
                                 description="Tag texts from files or standard input; write to standard output.")
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="default, and -: standard input")
    parser.add_argument("--input-format", choices=("auto", *READERS), default="auto",
                        help="auto: by the file's suffix, else txt: plain text, a document a line")
    parser.add_argument("--whole", action="store_true", help="plain text: a file is one document")
    parser.add_argument("--text-key", default="text", metavar="KEY", help="JSON lines: the key of the text (text)")
    parser.add_argument("--output", choices=WRITERS, default="jsonl",
                        help="jsonl: a JSON object a document (the default); table: for reading; conll: a word a line; "
                        "html: a page for a browser")
    parser.add_argument("--label", action="append", default=[], help="keep only this label; may be given again")
    parser.add_argument("--min-score", type=common.probability, default=0.0, metavar="P",
                        help="keep only entities of at least this probability, 0 to 1")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag what the files hold; bad input ends it, after all that came before."""
    check_files(options.files)
    tagger = common.load(options)
    if unknown := sorted(set(options.label) - set(tagger.labels)):
        raise InputError(f"--label {unknown[0]}: the model has the labels {', '.join(tagger.labels)}")
    if options.text_key in ANSWER_KEYS:
        raise InputError(f"--text-key {options.text_key}: expected another key: the answer is written there")
    read_options = ReadOptions(whole=options.whole, text_key=options.text_key, by=options.by)
    writer = writer_named(options.output, ", ".join(map(display_name, options.files)))
    errors: list[InputError] = []
    with Output() as output, Input(options.files) as streams:
        records = _until_error(records_of(options.files, options.input_format, read_options, streams), errors)
        output.write(writer.head())
        for document, record in documents_of(tagger, records, streams):
            output.write(writer.write(select(document, options.label, options.min_score), record))
        output.write(writer.tail())
    if errors:
        raise errors[0]
    return 0


def _until_error(records: Iterator[Any], errors: list[InputError]) -> Iterator[Any]:
    """End at bad input instead of raising, so that all that came before it is tagged and written first."""
    try:
        yield from records
    except InputError as error:
        errors.append(error)
