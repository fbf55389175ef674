"""The formats of files: one a module, found by its name in a table, each with a way in, a way out, or both.

In: `read(lines, name, options)` yields a file's records, each once its lines are there; or `read_file(path, name,
options)`, where bytes are no lines. Out: `write(document, record, options)` returns whole lines; or `Writer`, where a
document's depend on those before it.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from nerlite.errors import InputError, Place
from nerlite.files import AnyPath
from nerlite.io.base import WriteOptions, Writer
from nerlite.io.compression import inner_name

# Format (and module) → the suffixes of its files.
READERS = {
    "txt": (),  # and any other suffix
    "jsonl": (".jsonl", ".ndjson"),
    "json": (".json",),
    "csv": (".csv",),
    "tsv": (".tsv", ".tab"),
    "parquet": (".parquet", ".pq"),
    "html": (".html", ".htm", ".xhtml"),
    "xml": (".xml",),
    "conll": (".conll", ".bio", ".iob", ".iob2"),
}
WRITERS = {"jsonl": ".jsonl", "csv": ".csv", "tsv": ".tsv", "conll": ".conll", "labelstudio": ".json",
           "parquet": ".parquet", "brat": ".ann", "table": ".table", "html": ".html"}
# What would be tagged as no text at all; --input-format txt does so all the same.
UNREAD = (".docx", ".epub", ".odt", ".pdf", ".rtf", ".xls", ".xlsx", ".zip")
_SUFFIXES = {suffix: name for name, suffixes in READERS.items() for suffix in suffixes}


def format_named(name: str) -> Any:
    """Return the format of a name in the tables above; its module is imported when it is asked for."""
    return importlib.import_module(f"{__name__}.{name}")


def writer_named(name: str, title: str, options: WriteOptions) -> Writer:
    """Return a new writer of a format; title: what its output is called where it says so."""
    form = format_named(name)
    return form.Writer(title, options) if hasattr(form, "Writer") else Writer(form.write, options)


def format_of(file: AnyPath) -> str:
    """Return the name of the format that a file's suffix stands for, that of its compression aside.

    `InputError` for a file that holds text otherwise than its bytes do.
    """
    suffix = os.path.splitext(inner_name(os.fspath(file)))[1].lower()
    if suffix in UNREAD:
        raise InputError(f"expected text, markup, a table or CoNLL columns, got {suffix}; its text has to be taken out "
                         "first (--input-format txt tags it as it stands)", Place(os.fspath(file)))
    return _SUFFIXES.get(suffix, "txt")
