"""The command line: nerlite tag | eval | info | warmup."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import itertools
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nerlite
from nerlite import formats
from nerlite.config import ModelError
from nerlite.console import Input, Output, display_name
from nerlite.document import Document
from nerlite.evaluate import evaluate
from nerlite.formats import InputError
from nerlite.ops import BACKENDS
from nerlite.ops.cpu import cpu_level
from nerlite.ops.library import library_path
from nerlite.ops.signatures import SIGNATURES
from nerlite.tags import split_tag

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".conll": "conll", ".bio": "conll", ".iob": "conll", ".iob2": "conll"}
PACKAGES = ("numpy", "tokenizers", "safetensors", "numba")
# What is tagged together: so many texts, or fewer that have about so many characters.
BATCH_SIZE, BATCH_CHARACTERS = 32, 100_000
# Exit statuses; the last two are what a shell reports for a process ended by SIGINT (128 + 2) and SIGPIPE (128 + 13).
NO_OUTPUT, BAD_INPUT, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141


class Source(NamedTuple):
    """Where a text came from: FILE:LINE, and its JSON object or its part of a CoNLL file."""

    where: str
    row: dict[str, Any] | None = None
    conll: formats.ConllDocument | None = None


# A text, or its words, and where it came from.
Item = tuple[str | list[str], Source]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; what is wrong with the input is one line on standard error."""
    if sys.stderr is None:  # closed: what is printed there must not go to standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        status: int = options.run(options)
        sys.stdout.flush()  # here, where a closed pipe is expected, not when Python ends
    except (InputError, ModelError) as error:
        print(f"nerlite: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # Python flushes standard output once more when it ends.
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be no file, or closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        print(f"nerlite: {error}", file=sys.stderr)
        return NO_OUTPUT
    return status


def _tag(options: argparse.Namespace) -> int:
    _check_files(options.files)
    tagger = _load(options)
    labels = sorted({split_tag(tag)[1] for tag in tagger.config.tags} - {""})
    if unknown := sorted(set(options.label) - set(labels)):
        raise InputError(f"--label {unknown[0]}: the model has the labels {', '.join(labels)}")
    if options.text_key in formats.ANSWER_KEYS:
        raise InputError(f"--text-key {options.text_key}: expected another key: the answer is written there")
    write = {"jsonl": _as_json, "table": _as_table, "conll": _as_conll}[options.output]
    errors: list[InputError] = []
    with Output() as output, Input(options.files) as files:
        sources = _until_error(_sources(options, files), errors)
        for document, source in _documents(tagger, sources, files):
            output.write(write(formats.select(document, options.label, options.min_score), source))
    if errors:
        raise errors[0]
    return 0


def _eval(options: argparse.Namespace) -> int:
    _check_files([options.file])
    tagger = _load(options)
    with Input([options.file]) as files:
        lines = formats.read_lines(files.read(options.file), display_name(options.file))
        sources = _conll_sources(formats.read_conll_rows(lines, display_name(options.file), min_columns=2), options)
        gold, predicted = itertools.tee(_tags_by_sentence(_documents(tagger, sources, files)))
        report = evaluate((tags for tags, _ in gold), (tags for _, tags in predicted))
    print(report)
    return 0


def _documents(tagger: nerlite.Tagger, sources: Iterable[Item], files: Input) -> Iterator[tuple[Document, Source]]:
    """Tag texts and texts that are words already, a batch at a time."""
    for batch in _batches(sources, files):
        for are_words, group in itertools.groupby(batch, key=lambda item: isinstance(item[0], list)):
            texts, places = zip(*group, strict=True)
            documents = tagger.documents_of(texts) if are_words else tagger.pipe(texts, batch_size=BATCH_SIZE)
            yield from zip(documents, places, strict=True)


def _batches(sources: Iterable[Item], files: Input) -> Iterator[list[Item]]:
    """Gather what is tagged together; a batch ends where the next line has yet to arrive."""
    batch: list[Item] = []
    n_characters = 0
    for text, source in sources:
        batch.append((text, source))
        n_characters += len(text) if isinstance(text, str) else sum(map(len, text))
        if len(batch) == BATCH_SIZE or n_characters >= BATCH_CHARACTERS or files.waits:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch


def _tags_by_sentence(tagged: Iterable[tuple[Document, Source]]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the gold and the predicted tags of each sentence of documents that came from CoNLL rows."""
    for document, source in tagged:
        assert source.conll is not None
        start = 0
        for _, rows in source.conll.sentences:
            yield [row[-1] for row in rows], document.tags[start:start + len(rows)]
            start += len(rows)


def _info(options: argparse.Namespace) -> int:
    print(f"nerlite {nerlite.__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in PACKAGES:
        print(f"  {package:<12} {_version(package)}")
    tagger = _load(options)
    config, card = tagger.config, Path(tagger.path, "README.md")
    print(f"model          {config.name}, {config.dtype}, {len(config.tags)} tags ({config.scheme}), {tagger.path}")
    print(f"backend        {tagger.backend}")
    print(f"threads        {tagger.threads} ({os.cpu_count()} processors)")
    print(f"kernels        {_kernels(tagger.backend)}")
    print(f"model card     {card if card.is_file() else 'none'}")
    if card.is_file():
        for line in card.read_text(encoding="utf-8", errors="replace").strip().splitlines()[:8]:
            print(f"  | {line}")
    return 0


def _warmup(options: argparse.Namespace) -> int:
    if options.cache_dir:
        try:
            options.cache_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--cache-dir {options.cache_dir}: {error.strerror}") from None
        os.environ["NUMBA_CACHE_DIR"] = str(options.cache_dir.resolve())
    start = time.perf_counter()
    tagger = _load(options)
    tagger("Angela Merkel flew from Berlin to Washington.")
    print(f"ready in {time.perf_counter() - start:.1f} s: backend {tagger.backend}, "
          f"kernels: {_kernels(tagger.backend)}")
    return 0


def _load(options: argparse.Namespace) -> nerlite.Tagger:
    try:
        return nerlite.load(options.model, backend=options.backend, threads=options.threads, window=options.window)
    except ImportError as error:  # a package that is missing, or does not fit the others
        raise InputError(f"--backend {options.backend}: {error}") from None
    except ValueError as error:  # an environment variable's value
        raise InputError(str(error)) from None


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _kernels(backend: str) -> str:
    """Say where the backend's compiled kernels are kept."""
    if backend == "numpy":
        return "not used by this backend"
    if backend == "native":
        return library_path(cpu_level())
    from nerlite.kernels import entries as kernels

    # Those for int8 and for float32 of one name are kept in one file.
    compiled = {kernel.__qualname__: kernel for kernel in (getattr(kernels, name) for name in SIGNATURES)}.values()
    folders = {kernel.stats.cache_path for kernel in compiled} - {None}
    if not folders:
        return "none: no folder is writable, so every process compiles its kernels (NUMBA_CACHE_DIR names one)"
    kept = [kernel for kernel in compiled if kernel.stats.cache_path and kernel._cache.holds_code()]
    return f"{len(kept)} of {len(compiled)} are compiled, in {', '.join(sorted(folders))}"


def _check_files(files: Sequence[str]) -> None:
    """Refuse a missing file before the work begins, not after hours of it."""
    for file in files:
        try:
            if file != "-":
                Path(file).stat()
        except FileNotFoundError:
            raise InputError(f"{file}: no such file") from None
        except OSError as error:
            raise InputError(f"{file}: {error.strerror}") from None


def _sources(options: argparse.Namespace, files: Input) -> Iterator[Item]:
    """Yield each text (of CoNLL files, its words) and where it came from."""
    for file in options.files:
        name, data = display_name(file), files.read(file)
        form = options.input_format
        if form == "auto":
            form = FORMATS.get(Path(file).suffix.lower(), "txt")
        if form == "txt" and options.whole:
            yield formats.decode(b"".join(data), name), Source(name)
            continue
        lines = formats.read_lines(data, name)
        if form == "txt":
            yield from ((line, Source(f"{name}:{number}")) for number, line in enumerate(lines, 1))
        elif form == "jsonl":
            for number, row in formats.read_jsonl(lines, name, options.text_key):
                yield row[options.text_key], Source(f"{name}:{number}", row=row)
        else:
            yield from _conll_sources(formats.read_conll_rows(lines, name), options, name)


def _conll_sources(documents: Iterable[formats.ConllDocument], options: argparse.Namespace, name: str = ""
                   ) -> Iterator[Item]:
    """Yield the words that are tagged together, a document's or a sentence's."""
    for document in documents:
        parts = [document]
        if options.by == "sentence":
            parts = [formats.ConllDocument(None if i else document.start, [sentence])
                     for i, sentence in enumerate(document.sentences)]
        for part in parts:
            words = [row[0] for sentence in part.sentences for row in sentence.columns]
            yield words, Source(f"{name}:{part.sentences[0].line}", conll=part)


def _until_error(sources: Iterator[Any], errors: list[InputError]) -> Iterator[Any]:
    """End at bad input instead of raising, so that all that came before it is tagged and written first."""
    try:
        yield from sources
    except InputError as error:
        errors.append(error)


def _as_json(document: Document, source: Source) -> str:
    return formats.json_line(document, source.row)


def _as_table(document: Document, source: Source) -> str:
    return formats.table(document, source.where, shutil.get_terminal_size().columns)


def _as_conll(document: Document, source: Source) -> str:
    if source.conll is None:
        # A word that is hyphenated at a line's end has the line break in it.
        return formats.conll_rows([["".join(word.split())] for word in document.words], document.tags)
    tags = iter(document.tags)
    start = source.conll.start
    return (" ".join([*start, "O"]) + "\n\n" if start else "") + "".join(
        formats.conll_rows(rows, [next(tags) for _ in rows]) for _, rows in source.conll.sentences)


def _parser() -> argparse.ArgumentParser:
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument("--model", metavar="DIR", help="a model directory, or the name of a shipped model")
    model.add_argument("--backend", choices=BACKENDS, default="auto",
                       help="auto: the first of the others that there is here (the default)")
    model.add_argument("--threads", type=positive_integer, metavar="N",
                       help="default: the processors that this process may use")
    model.add_argument("--window", action="store_true",
                       help="with a model that follows Spark NLP's rules: read long texts whole, by windows")
    by = argparse.ArgumentParser(add_help=False)
    by.add_argument("--by", choices=("document", "sentence"), default="document",
                    help="CoNLL input: what is tagged together (default: document, between -DOCSTART- lines)")

    parser = argparse.ArgumentParser(prog="nerlite", description="Find names in text.")
    parser.add_argument("--version", action="version", version=f"nerlite {nerlite.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    tag = commands.add_parser("tag", parents=[model, by], help="tag texts",
                              description="Tag texts from files or standard input and write them to standard output.")
    tag.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="default, and -: standard input")
    tag.add_argument("--input-format", choices=("auto", "txt", "jsonl", "conll"), default="auto",
                     help="auto: by the file's suffix, else txt: plain text, a document a line")
    tag.add_argument("--whole", action="store_true", help="plain text: a file is one document")
    tag.add_argument("--text-key", default="text", metavar="KEY", help="JSON lines: the key of the text (text)")
    tag.add_argument("--output", choices=("jsonl", "table", "conll"), default="jsonl",
                     help="jsonl: a JSON object a document (the default); table: for reading; conll: a word a line")
    tag.add_argument("--label", action="append", default=[], help="keep only this label; may be given again")
    tag.add_argument("--min-score", type=probability, default=0.0, metavar="P",
                     help="keep only entities of at least this probability, 0 to 1")
    tag.set_defaults(run=_tag)

    evaluation = commands.add_parser("eval", parents=[model, by], help="score a model on a CoNLL file",
                                     description="Print the conlleval script's report on a file of gold tags.")
    evaluation.add_argument("file", metavar="FILE", help="CoNLL columns: the word first, its tag last")
    evaluation.set_defaults(run=_eval)

    info = commands.add_parser("info", parents=[model], help="print versions, model, backend, threads and cache")
    info.set_defaults(run=_info)

    warmup = commands.add_parser("warmup", parents=[model], help="compile the kernels ahead of the first text")
    warmup.add_argument("--cache-dir", type=Path, metavar="DIR",
                        help="where to keep them; later runs find them there with NUMBA_CACHE_DIR=DIR")
    warmup.set_defaults(run=_warmup)
    return parser


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


if __name__ == "__main__":
    sys.exit(main())
