"""nerlite tag: texts from files → their entities."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import nerlite
from nerlite.cli import options as common
from nerlite.cli.console import Input, Output, display_name, say
from nerlite.cli.documents import documents_of, records_of
from nerlite.cli.failures import Failures
from nerlite.cli.inputs import expanded
from nerlite.document import Document
from nerlite.errors import InputError
from nerlite.io import WRITERS, writer_named
from nerlite.io.base import ReadOptions, Record, WriteOptions, Writer, select
from nerlite.io.jsonl import TRUNCATED_KEY

if TYPE_CHECKING:
    from nerlite.cli.target import Target
    from nerlite.cli.workers import Workers
    from nerlite.timings import Timings

# What decides about the answers, and so has to be the same where a run goes on.
DECISIVE = ("input_format", "whole", "text_key", "text_column", "by", "word_column", "encoding", "output", "label",
            "entities_key", "offsets", "min_score", "window", "agreement")


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser("tag", help=about, description="Tag texts from files.", parents=[
        common.of_model(), common.of_texts(), common.of_input(), common.of_entities()])
    parser.add_argument("--output", choices=WRITERS,
                        help="jsonl: a JSON object a document (the default, unless --to has another suffix); csv, "
                        "tsv, parquet: a row a document; conll: a word a line; labelstudio: a task a document; brat: "
                        "a text and its standoff a document; table: for reading; html: a page for a browser")
    parser.add_argument("--to", metavar="PATH", help="write to a file, or into a folder (PATH/, or one that is there) "
                        "a file for each; a file is there once it is whole")
    parser.add_argument("--resume", action="store_true",
                        help="with --to: go on where an earlier run with the same options stopped")
    parser.add_argument("--entities-key", default="entities", metavar="KEY",
                        help="JSON lines, CSV: the key, or column, that the entities get (entities)")
    parser.add_argument("--offsets", choices=("codepoint", "utf16", "utf8"), default="codepoint", metavar="UNIT",
                        help="what start and end count: codepoint (the default), utf16 as JavaScript and Java, or utf8")
    parser.add_argument("--timings", action="store_true", help="say on standard error where the time went")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag what the files hold; bad input ends it, after all that came before, or is left out."""
    timings = None
    if options.timings:
        from nerlite.timings import Timings  # most runs do without

        timings = Timings()
    files = expanded(options.files, options.to)
    common.check_places(options, files)
    common.check_target(options.to)
    if options.text_key in (options.entities_key, TRUNCATED_KEY):
        raise InputError(f"--text-key {options.text_key}: expected another key: the answer is written there")
    if options.entities_key == TRUNCATED_KEY or (options.text_key is None and options.entities_key == "text"):
        raise InputError(f"--entities-key {options.entities_key}: expected a key that neither the text nor "
                         f"{TRUNCATED_KEY} has")
    if options.resume and (not options.to or "-" in files):
        raise InputError("--resume: expected files, and --to FILE or FOLDER: only those can be gone on with")
    failures = common.failures_of(options)
    if options.errors and options.to and os.path.realpath(options.errors) == os.path.realpath(options.to):
        raise InputError(f"--errors {options.errors}: expected another file than --to")
    if options.timings and options.workers:
        raise InputError("--timings: expected no --workers: the time of other processes is not seen")
    if not options.timings:
        common.choose_workers(options, files)
    options.output = options.output or _format_of_target(options.to)
    if options.to and options.output != "brat" and os.path.isdir(options.to):
        for name in options.files:
            if os.path.isdir(name) and os.path.samefile(name, options.to):
                raise InputError(f"--to {options.to}: expected another folder than the one that is read, or one in it")
    if options.output in ("parquet", "brat") and options.to is None:
        raise InputError(f"--output {options.output}: expected --to {'FILE or ' * (options.output == 'parquet')}FOLDER")
    tagger = (timings.of("loading", common.load) if timings else common.load)(options)
    options.label = common.labels_of(options.label, tagger)
    if timings:
        timings.watch(tagger)
    with common.workers_of(options, tagger) as workers, Input(files, options.encoding) as streams:
        work = _Work(options, tagger, streams, failures, timings, workers)
        if options.to is None:
            work.to_output(files)
        elif options.output == "brat" or options.to.endswith(("/", os.sep)) or os.path.isdir(options.to):
            work.to_folder(files, options.to)
        else:
            work.to_file(files, options.to)
    if timings:
        print(timings, file=sys.stderr)
    failures.report()
    return 0


class _Work:
    """What a run has at hand for all of its outputs."""

    def __init__(self, options: argparse.Namespace, tagger: nerlite.Tagger, streams: Input, failures: Failures,
                 timings: Timings | None, workers: Workers | None) -> None:
        self._options, self._tagger, self._streams, self._workers = options, tagger, streams, workers
        self._failures, self._timings = failures, timings
        self._write_options = WriteOptions(options.entities_key, options.offsets)
        self._read_options: ReadOptions = common.read_options(options)._replace(fail=failures.fail)

    def to_output(self, files: list[str]) -> None:
        """Write to standard output, each document at once."""
        writer = self._writer(files)
        self._failures.begin(files)
        with Output() as output:
            output.write(writer.head())
            write = self._timed(lambda document, record: output.write(writer.write(document, record)))
            for number, (document, record) in enumerate(self._documents(self._records(files))):
                try:
                    write(document, record)
                except InputError as error:
                    self._failures.fail(error, number)
                self._failures.settle(number + 1)
            output.write(writer.tail())

    def to_folder(self, files: list[str], folder: str) -> None:
        """Write a file for each; those that are there are whole."""
        targets = [os.path.join(folder, name) for name in _names_in_folder(files, self._options)]
        if twice := [name for name, n in Counter(targets).items() if n > 1]:
            raise InputError(f"--to {folder}: {twice[0]} would hold the answers of more than one file")
        os.makedirs(folder, exist_ok=True)
        if self._options.output == "brat":
            from nerlite.cli import brat_target

            brat_target.configure(folder, self._tagger.labels)
        for file, target in zip(files, targets, strict=True):
            if self._failures.first is None:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                self.to_file([file], target)

    def to_file(self, files: list[str], path: str) -> None:
        """Write a file; where a run goes on, behind the texts that the earlier one answered."""
        if self._options.resume and os.path.exists(path):
            if any(os.path.isfile(file) and os.path.getmtime(file) > os.path.getmtime(path) for file in files):
                say(f"{path}: kept, though what it answers was changed since; without it the next run answers anew")
            return
        target, is_whole = self._target(files, path), False
        try:
            self._failures.begin(files, target.n_done, target.n_skipped)
            records = self._records(files)
            for _ in itertools.islice(records, target.n_done):
                pass
            add = self._timed(target.add)
            for document, record in self._documents(records):
                add(document, record)
            is_whole = self._failures.first is None
        finally:
            target.close(is_whole=is_whole)

    def _target(self, files: list[str], path: str) -> Target:
        from nerlite.cli.target import FileTarget, ParquetTarget, run_of  # most runs write to standard output

        options, resume = {name: getattr(self._options, name) for name in DECISIVE}, self._options.resume
        run = run_of(files, options, self._tagger.path)
        if self._options.output == "parquet":
            return ParquetTarget(path, run, self._failures, self._write_options, resume=resume)
        if self._options.output == "brat":
            from nerlite.cli import brat_target

            if brat_target.is_one_document(files[0], self._options):
                return brat_target.Pair(path, self._failures)
            return brat_target.Folder(path, run, self._failures, resume=resume)
        return FileTarget(path, run, self._failures, self._writer(files), resume=resume)

    def _writer(self, files: list[str]) -> Writer:
        return writer_named(self._options.output, ", ".join(map(display_name, files)), self._write_options)

    def _records(self, files: list[str]) -> Iterator[Record]:
        records = self._failures.until_error(
            records_of(files, self._options.input_format, self._read_options, self._streams))
        return self._timings.each("reading", records) if self._timings else records

    def _documents(self, records: Iterator[Record]) -> Iterator[tuple[Document, Record]]:
        """Tag, and keep of each document what is asked for."""
        for document, record in documents_of(self._tagger, records, self._streams, self._workers):
            yield select(document, self._options.label, self._options.min_score), record

    def _timed(self, write: Callable[[Document, Record], None]) -> Callable[[Document, Record], None]:
        return self._timings.of("writing", write) if self._timings else write


def _format_of_target(path: str | None) -> str:
    """Return the format that a target's suffix stands for, JSON lines where it stands for none."""
    suffix = os.path.splitext(path or "")[1].lower()
    if suffix == ".json":
        raise InputError(f"--to {path}: --output says which JSON: jsonl or labelstudio")
    return next((name for name, each in WRITERS.items() if each == suffix), "jsonl")


def _names_in_folder(files: list[str], options: argparse.Namespace) -> list[str]:
    """Return what each file's answers are called: as the file from where all of them lie, and the format's suffix."""
    suffix = WRITERS[options.output]
    common_folder = os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files])
    names = [os.path.relpath(os.path.abspath(file), common_folder) for file in files]
    if options.output == "brat":
        from nerlite.cli import brat_target

        return [f"{name.removesuffix('.txt')}.ann" if brat_target.is_one_document(name, options) else name
                for name in names]
    return [name if name.endswith(suffix) else name + suffix for name in names]
