"""nerlite redact: texts from files → the same texts with placeholders for names. All of them come out, or nothing."""

from __future__ import annotations

import argparse
import os
from collections import deque
from collections.abc import Iterator
from typing import Any

import nerlite
from nerlite.cli import options as common
from nerlite.cli.console import Input
from nerlite.cli.documents import documents_of
from nerlite.cli.held import held_for
from nerlite.cli.hiding import Finish, Hiding, ToldError, add_streams, forms_of, read_map
from nerlite.cli.inputs import check_files
from nerlite.errors import InputError, Place
from nerlite.io import jsonl
from nerlite.io.base import Record
from nerlite.redaction import Placeholders


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser(
        "redact", parents=[common.of_model(), common.of_input()], help=about,
        description="Replace the names that the model finds by placeholders, the same name by the same one in all "
        "files. Names that it misses stay, and so do e-mail addresses and numbers, and all columns and keys but the "
        "text's. The output has the input's format, in UTF-8. On any error nothing comes out.")
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE",
                        help="of one format, or plain text and JSON; default, and -: standard input")
    parser.add_argument("--map", metavar="FILE", help="keep the names in FILE, for nerlite restore, readable for you "
                        "alone; where there is one already, its placeholders go on. Without it the names are gone")
    add_streams(parser)
    common.add_places(parser)
    parser.add_argument("--label", action="append", default=[], metavar="LABELS",
                        help="only names of these labels: PER, or PER,LOC; may be given again")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Redact what the files hold; nothing is written before all of it is done and the map is safe."""
    check_files(options.files)
    common.check_places(options, options.files)
    common.check_target(options.to)
    for name, value in (("key", options.text_key), ("column", options.text_column)):
        if value in jsonl.ANSWER_KEYS:
            raise InputError(f"--text-{name} {value}: expected another {name}: answers are left out")
    forms = forms_of(options.files, options.input_format)
    before = _stamp(options.map)
    placeholders = read_map(options.map) if before else Placeholders()
    tagger = common.load(options)
    labels = common.labels_of(options.label, tagger) or None
    hiding = Hiding(placeholders, labels, common.read_options(options))
    with held_for(options.to, forms) as held:
        with Input(options.files, options.encoding) as streams:
            for part in _redacted(options.files, forms, tagger, hiding, streams):
                held.add(part)
        if options.map:
            if _stamp(options.map) != before:
                raise InputError(f"--map {options.map}: it was changed meanwhile; nothing was written")
            try:
                placeholders.save(options.map)
            except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                raise InputError(f"--map {options.map}: {error.strerror}; nothing was written") from None
        held.release()
    return 0


def _redacted(files: list[str], forms: list[str], tagger: nerlite.Tagger, hiding: Hiding, streams: Input
              ) -> Iterator[Any]:
    """Yield the redacted files; what is wrong with one is told without a word of it."""
    finishes: deque[Finish] = deque()

    def records() -> Iterator[Record]:
        for file, form in zip(files, forms, strict=True):
            for record, finish in hiding.parts(file, form, streams):
                finishes.append(finish)
                yield record

    place: Place | str = "the beginning"
    unread = False
    try:
        for document, record in documents_of(tagger, records(), streams):
            place, unread = record.where, document.truncated_at is not None
            if (part := finishes.popleft()(document)) is not None:
                yield part
    except ToldError as error:
        raise InputError(f"{error}; nothing was written") from None
    except InputError as error:
        raise InputError(f"{error.where or f'after {place}'}: bad input; nothing was written. What is wrong with it "
                         "may quote names, so it is not told here: nerlite tag tells") from None
    except Exception as error:
        reason = (f"{place}: the model stops reading long texts, so names would stay: --window reads on" if unread
                  else f"{type(error).__name__} at or after {place}")
        raise InputError(f"{reason}; nothing was written") from None


def _stamp(path: str | None) -> tuple[int, ...] | None:
    """Return what changes when another file comes in a file's place; None where there is none."""
    try:
        found = os.stat(path) if path else None
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if found else None
