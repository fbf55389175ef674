"""nerlite tag: texts from files → their entities."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from nerlite.cli import options as common
from nerlite.cli.console import Input, Output, display_name
from nerlite.cli.documents import check_files, documents_of, records_of
from nerlite.document import Document
from nerlite.io import READERS, WRITERS, writer_named
from nerlite.io.jsonl import TRUNCATED_KEY
from nerlite.io.records import InputError, Record, WriteOptions, select
from nerlite.timings import Timings


def add_to(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("tag", parents=[common.of_model(), common.of_input()], help="tag texts",
                                 description="Tag texts from files or standard input; write to standard output.")
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="default, and -: standard input")
    parser.add_argument("--input-format", choices=("auto", *READERS), default="auto",
                        help="auto: by the file's suffix, else txt: plain text, a document a line")
    parser.add_argument("--whole", action="store_true", help="plain text: a file is one document")
    parser.add_argument("--text-key", default="text", metavar="KEY",
                        help="JSON: the key of the text (text), or the way to it, such as data.text")
    parser.add_argument("--output", choices=WRITERS, default="jsonl",
                        help="jsonl: a JSON object a document (the default); table: for reading; conll: a word a line; "
                        "html: a page for a browser")
    parser.add_argument("--entities-key", default="entities", metavar="KEY",
                        help="JSON lines: the key that the entities get (entities)")
    parser.add_argument("--offsets", choices=("codepoint", "utf16", "utf8"), default="codepoint", metavar="UNIT",
                        help="what start and end count: codepoint (the default), utf16 as JavaScript and Java, or utf8")
    parser.add_argument("--label", action="append", default=[], metavar="LABELS",
                        help="keep only these labels: PER, or PER,LOC; may be given again")
    parser.add_argument("--min-score", type=common.probability, default=0.0, metavar="P",
                        help="keep only entities of at least this probability, 0 to 1")
    parser.add_argument("--timings", action="store_true", help="say on standard error where the time went")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag what the files hold; bad input ends it, after all that came before."""
    timings = Timings() if options.timings else None
    check_files(options.files)
    if options.text_key in (options.entities_key, TRUNCATED_KEY):
        raise InputError(f"--text-key {options.text_key}: expected another key: the answer is written there")
    tagger = (timings.of("loading", common.load) if timings else common.load)(options)
    labels = common.labels_of(options.label, tagger)
    title = ", ".join(map(display_name, options.files))
    writer = writer_named(options.output, title, WriteOptions(options.entities_key, options.offsets))
    errors: list[InputError] = []
    with Output() as output, Input(options.files, options.encoding) as streams:
        def write(document: Document, record: Record) -> None:
            output.write(writer.write(select(document, labels, options.min_score), record))

        records = _until_error(records_of(options.files, options.input_format, common.read_options(options), streams),
                               errors)
        if timings:
            timings.watch(tagger)
            records, write = timings.each("reading", records), timings.of("writing", write)
        output.write(writer.head())
        for document, record in documents_of(tagger, records, streams):
            write(document, record)
        output.write(writer.tail())
    if timings:
        print(timings, file=sys.stderr)
    if errors:
        raise errors[0]
    return 0


def _until_error(records: Iterator[Record], errors: list[InputError]) -> Iterator[Record]:
    """End at bad input instead of raising, so that all that came before it is tagged and written first."""
    try:
        yield from records
    except InputError as error:
        errors.append(error)
