"""Options that several commands have, and what they stand for."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import nerlite
from nerlite.backends import BACKENDS
from nerlite.cli.console import display_name, say
from nerlite.cli.failures import Failures, Report
from nerlite.cores import available_cores
from nerlite.errors import InputError
from nerlite.io import READERS, format_of
from nerlite.io.base import ReadOptions
from nerlite.io.compression import inner_name

if TYPE_CHECKING:
    from nerlite.cli.workers import Workers

# Bytes of files that are worth a process a core.
BIG = 1 << 24
# Formats whose texts are in a column, and at a key.
TABLES, OBJECTS = ("csv", "tsv", "parquet"), ("json", "jsonl")


def of_model() -> argparse.ArgumentParser:
    """Return the options that choose a model and how it runs, as a parent of a command's parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model", metavar="DIR", help="a model directory, or the name of a shipped model")
    parser.add_argument("--backend", choices=BACKENDS, default="auto",
                        help="auto: the first of the others that there is here (the default)")
    parser.add_argument("--threads", type=positive_integer, metavar="N",
                        help="default: the processors that this process may use")
    parser.add_argument("--window", action="store_true",
                        help="with a model that follows Spark NLP's rules: read long texts whole, by windows")
    parser.add_argument("--no-agreement", dest="agreement", action="store_false",
                        help="judge each word of a text by itself; else a document agrees with itself, where the model "
                        "has it so")
    return parser


def of_input() -> argparse.ArgumentParser:
    """Return the options of reading files that CoNLL files have too, as a parent of a command's parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--by", choices=("document", "sentence"), default="document",
                        help="CoNLL input: what is tagged together (default: document, between -DOCSTART- lines)")
    parser.add_argument("--word-column", type=positive_integer, metavar="N",
                        help="CoNLL input: the column of the word (default: the first that does not count words)")
    parser.add_argument("--encoding", type=encoding,
                        help="of all files (default: UTF-8, or what a byte order mark names)")
    return parser


def of_texts() -> argparse.ArgumentParser:
    """Return the options of reading texts from files of any format, as a parent of a command's parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE",
                        help="files, folders (their text files), patterns such as 'a/**/*.txt', all of them plain or "
                        "compressed (.gz, .bz2, .xz, .zst); default, and -: standard input")
    parser.add_argument("--input-format", choices=("auto", *READERS), default="auto",
                        help="auto: by the file's suffix, else txt: plain text, a document a line")
    add_places(parser)
    parser.add_argument("--workers", type=positive_integer, metavar="N",
                        help="tag with so many processes of one thread each (default: one a core for files of many "
                        "megabytes, where the system can fork and --threads is not given; else threads)")
    parser.add_argument("--on-error", choices=("stop", "skip"), default="stop",
                        help="bad input: stop after all that came before (the default), or leave it out and say so")
    parser.add_argument("--errors", metavar="FILE",
                        help="with --on-error skip: a new file for what is left out, a JSON object a line with file, "
                        "line (of Parquet: row) and reason; --resume goes on with it")
    return parser


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where in a file its texts are."""
    parser.add_argument("--whole", action="store_true", help="plain text: a file is one document")
    parser.add_argument("--text-key", metavar="KEY",
                        help="JSON: the key of the text (text), or the way to it, such as data.text")
    parser.add_argument("--text-column", metavar="NAME",
                        help="CSV, TSV, Parquet: the column of the text (text)")


def of_entities() -> argparse.ArgumentParser:
    """Return the options that choose entities, as a parent of a command's parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--label", action="append", default=[], metavar="LABELS",
                        help="keep only these labels: PER, or PER,LOC; may be given again")
    parser.add_argument("--min-score", type=probability, default=0.0, metavar="P",
                        help="keep only entities of at least this probability, 0 to 1")
    return parser


def read_options(options: argparse.Namespace) -> ReadOptions:
    """Return what the options say of reading."""
    known = {name: value for name, value in vars(options).items() if name in ReadOptions._fields and value is not None}
    return ReadOptions(**known, say=say)


def check_places(options: argparse.Namespace, files: Sequence[str]) -> None:
    """Refuse --text-key for a table, --text-column for JSON: the text would be looked for elsewhere, and found."""
    for file in files:
        form = format_of(file) if options.input_format == "auto" else options.input_format
        for forms, own, other in ((TABLES, "column", "key"), (OBJECTS, "key", "column")):
            is_given = [vars(options)[f"text_{name}"] is not None for name in (own, other)]
            if form in forms and is_given == [False, True]:
                raise InputError(f"{display_name(file)}: expected --text-{own}, not --text-{other}, for {form}")


def check_target(path: str | None) -> None:
    """Refuse a file whose name says that it is compressed, which what is written is not."""
    if path and not os.path.isdir(path) and (inner := inner_name(path)) != path:
        raise InputError(f"--to {path}: expected a name such as {inner}: what is written is not compressed")


def load(options: argparse.Namespace) -> nerlite.Tagger:
    """Load the model that the options choose; what there is to warn of is a line on standard error."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: say(str(message))
            threads = 1 if vars(options).get("workers") else options.threads
            return nerlite.load(options.model, backend=options.backend, threads=threads,
                                window=options.window, agreement=options.agreement)
    except ImportError as error:  # a package that is missing, or does not fit the others
        raise InputError(f"--backend {options.backend}: {error}") from None
    except ValueError as error:  # an environment variable's value
        raise InputError(str(error)) from None


def failures_of(options: argparse.Namespace) -> Failures:
    """Return what takes bad input as --on-error and --errors say."""
    skip, resume = options.on_error == "skip", bool(vars(options).get("resume"))
    if options.errors and not skip:
        raise InputError("--errors: expected --on-error skip: else the first error ends the run")
    return Failures(skip=skip, report=Report(options.errors, resume=resume) if options.errors else None)


def choose_workers(options: argparse.Namespace, files: Sequence[str]) -> None:
    """Choose processes for big files: measured on two cores they take 5 % less time of the CPU than threads."""
    is_big = "-" not in files and sum(os.path.getsize(file) for file in files if os.path.isfile(file)) >= BIG
    if is_big and not (options.workers or options.threads) and hasattr(os, "fork") and sys.platform == "linux":
        options.workers = available_cores() if available_cores() > 1 else None


@contextlib.contextmanager
def workers_of(options: argparse.Namespace, tagger: nerlite.Tagger) -> Iterator[Workers | None]:
    """Yield the processes that tag, if --workers wants some."""
    if not options.workers:
        yield None
        return
    from nerlite.cli.workers import Workers  # what it imports takes as long as a short text

    with Workers(tagger, options.workers) as workers:
        yield workers


def labels_of(values: Sequence[str], tagger: nerlite.Tagger) -> list[str]:
    """Return the labels that --label names, with commas or again; `InputError` for one that the model lacks."""
    labels = [label.strip() for value in values for label in value.split(",")]
    if unknown := sorted(set(labels) - set(tagger.labels)):
        raise InputError(f"--label {unknown[0]}: the model has the labels {', '.join(tagger.labels)}")
    return labels


def positive_integer(text: str) -> int:
    """Read an option's value; argparse says what it is not by this function's name."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
    return value


def probability(text: str) -> float:
    """Read an option's value, from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return value


def encoding(text: str) -> str:
    """Read an option's value: a text encoding that Python knows."""
    try:
        "".encode(text)
        return codecs.lookup(text).name
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(f"expected an encoding such as utf-16-le or latin-1, got {text}") from None
