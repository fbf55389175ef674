"""Where brat's standoff is written to: folders, of each document a text and its entities."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nerlite.cli.failures import Failures
from nerlite.cli.target import SECONDS_BETWEEN, Alone, Progress, refuse_existing
from nerlite.document import Document
from nerlite.errors import InputError
from nerlite.io import brat, format_of
from nerlite.io.base import Record


def is_one_document(file: str, options: argparse.Namespace) -> bool:
    """Whether all of a file is one text."""
    form = format_of(file) if options.input_format == "auto" else options.input_format
    return form in ("html", "xml") or (form == "txt" and options.whole)


def configure(folder: str, labels: Iterable[str]) -> None:
    """Write the folder's annotation.conf, if there is none, so that brat knows the labels."""
    path = os.path.join(folder, "annotation.conf")
    if not os.path.lexists(path):
        _write(path, brat.configuration(labels).encode("utf-8"))


def _write(path: str, data: bytes) -> None:
    """Write a file that is there once it is whole."""
    Path(f"{path}.new").write_bytes(data)
    os.replace(f"{path}.new", path)


class Pair:
    """The text and the entities of a file that is one document: NAME.txt, NAME.ann. The latter comes last.

    A text that is there already, as where answers go beside what was read, has to be the same, and stays.
    """

    n_done = n_skipped = 0

    def __init__(self, path: str, failures: Failures) -> None:
        """path: that of the entities."""
        refuse_existing(path)
        self._path, self._failures = path, failures
        self._document: Document | None = None

    def add(self, document: Document, record: Record) -> None:
        """Take the document."""
        self._document = document

    def close(self, *, is_whole: bool) -> None:
        """Write the document, if the file could be read."""
        if is_whole and self._document:
            text = f"{os.path.splitext(self._path)[0]}.txt"
            data = brat.text_of(self._document).encode("utf-8")
            if not os.path.lexists(text):
                _write(text, data)
            elif Path(text).read_bytes() != data:
                raise InputError(f"--to: {text}: there already, and not the text that was tagged")
            _write(self._path, brat.standoff(self._document).encode("utf-8"))
        self._failures.settle(None if is_whole else 0)


class Folder:
    """The documents of a file that holds many: a folder of its name with 000001.txt, 000001.ann and so on.

    It is called FOLDER.partial before it is whole, and progress.json in it says how far it is good.
    """

    def __init__(self, path: str, run: dict[str, Any], failures: Failures, *, resume: bool) -> None:
        """Begin, or go on; arguments as in `FileTarget`."""
        refuse_existing(path)
        self._path, self._partial = path, f"{path}.partial"
        os.makedirs(self._partial, exist_ok=True)
        self._alone = Alone(self._partial, path)
        self._progress = Progress(os.path.join(self._partial, "progress.json"), run, failures, resume=resume)
        self.n_done, self.n_skipped = self._progress.texts, self._progress.skipped
        self._progress.save(self.n_done, None)

    def add(self, document: Document, record: Record) -> None:
        """Write a document, one more text that is done; a null has none."""
        if record.text is not None:
            name = os.path.join(self._partial, f"{self.n_done + 1:06}")
            Path(f"{name}.txt").write_bytes(brat.text_of(document).encode("utf-8"))
            Path(f"{name}.ann").write_bytes(brat.standoff(document).encode("utf-8"))
        self.n_done += 1
        if time.monotonic() - self._progress.saved >= SECONDS_BETWEEN:
            self._progress.save(self.n_done, None)

    def close(self, *, is_whole: bool) -> None:
        """Keep what there is; is_whole: under its own name."""
        self._progress.save(self.n_done, None, is_whole=is_whole)
        if is_whole:
            refuse_existing(self._path)
            self._progress.remove()
            os.rename(self._partial, self._path)
        self._alone.release()
