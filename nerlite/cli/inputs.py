"""Files, folders and patterns of names → the files that they stand for."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence

from nerlite.cli.console import say
from nerlite.errors import InputError, Place
from nerlite.io import READERS
from nerlite.io.compression import inner_name

# Of a folder's files those are taken whose suffix says that they are text.
TEXT_SUFFIXES = {".txt", ".text", ".md", *(suffix for suffixes in READERS.values() for suffix in suffixes)}


def expanded(names: Sequence[str], answers: str | None = None) -> list[str]:
    """Return the files, in order; a folder's and a pattern's sorted by name. "-" is standard input.

    answers: a folder of what a run answers: where it lies within one that is read, what is in it is not read.
    """
    files: list[str] = []
    for name in names:
        if name == "-":
            files.append(name)
        elif os.path.isdir(name):
            files += _in_folder(name, answers and os.path.realpath(answers))
        elif glob.has_magic(name) and not os.path.lexists(name):
            if not (found := sorted(path for path in glob.glob(name, recursive=True) if not os.path.isdir(path))):
                raise InputError("no file matches", Place(name))
            files += found
        else:
            check_files([name])
            files.append(name)
    return files


def check_files(names: Sequence[str]) -> None:
    """Refuse a missing file before the work begins, not after hours of it."""
    for name in names:
        try:
            if name != "-":
                os.stat(name)
        except FileNotFoundError:
            raise InputError("no such file", Place(name)) from None
        except (OSError, ValueError) as error:
            raise InputError(getattr(error, "strerror", None) or str(error), Place(name)) from None


def _in_folder(folder: str, answers: str | None) -> Iterator[str]:
    """Yield a folder's files and those of the folders in it, hidden ones aside; say how many are of no known kind.

    A link to nothing is taken, for its reader to tell; a pipe, which may wait for ever, is of no kind.
    """
    found, others = [], 0
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [each for each in folders
                      if not each.startswith(".") and os.path.realpath(os.path.join(parent, each)) != answers]
        for name in names:
            path = os.path.join(parent, name)
            is_text = os.path.splitext(inner_name(name))[1].lower() in TEXT_SUFFIXES and not name.startswith(".")
            if is_text and (os.path.isfile(path) or not os.path.exists(path)):
                found.append(path)
            else:
                others += 1
    if not found:
        raise InputError(f"no file of a kind that is read ({', '.join(sorted(TEXT_SUFFIXES))})", Place(folder))
    if others:
        say(f"{folder}: {others:,} files of other kinds are left out")
    yield from sorted(found)


def _refuse(error: OSError) -> None:
    """Refuse a folder that cannot be read: what is in it would be missing without a word."""
    raise InputError(error.strerror or str(error), Place(error.filename))
