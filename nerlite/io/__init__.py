"""The formats of files: one a module, found by its name in a table, each with a way in, a way out, or both."""

from __future__ import annotations

import importlib
import os
from typing import cast

from nerlite.config import AnyPath
from nerlite.io.records import Format, Lines, WriteOptions, Writer

# Format (and module) → the suffixes of its files.
READERS = {
    "txt": (),  # and any other suffix
    "jsonl": (".jsonl", ".ndjson"),
    "json": (".json",),
    "conll": (".conll", ".bio", ".iob", ".iob2"),
}
WRITERS = ("jsonl", "table", "conll", "html")
_SUFFIXES = {suffix: name for name, suffixes in READERS.items() for suffix in suffixes}


def format_named(name: str) -> Format:
    """Return the format of a name in the tables above; its module is imported when it is asked for."""
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def writer_named(name: str, title: str, options: WriteOptions) -> Writer:
    """Return a new writer of a format; title: what its output is called where it says so."""
    form = format_named(name)
    return cast(Writer, form.Writer(title)) if hasattr(form, "Writer") else Lines(form.write, options)


def format_of(file: AnyPath) -> str:
    """Return the name of the format that a file's suffix stands for."""
    return _SUFFIXES.get(os.path.splitext(file)[1].lower(), "txt")
