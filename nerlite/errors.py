"""What an error may say: what is wrong with a file may quote it, and the file may be anybody's."""

from __future__ import annotations

from typing import NamedTuple

# More than these no reader takes in; what is over is counted.
MOST_LINES, LONGEST_LINE = 20, 2000


class FileError(ValueError):
    """A file that cannot be used; the message is short and has no control characters, whatever the file is or holds."""

    def __init__(self, message: str) -> None:
        """message: the whole of it; lines that follow the first list what was found."""
        super().__init__(readable(message))


class ModelError(FileError):
    """A model directory that cannot be used; the message names the file and everything wrong with it."""


class Place(NamedTuple):
    """Where in the input something is. file: as a user named it; line: from 1, of Parquet the row; None: all of it."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class InputError(FileError):
    """Input that cannot be read; the message is the place, as FILE:LINE, and what is wrong there.

    ends_file: whether the rest of the file cannot be read either.
    """

    ends_file = False

    def __init__(self, reason: str, where: Place | None = None) -> None:
        """reason: what is wrong; all of the message where no place in the input is."""
        super().__init__(reason if where is None else f"{where}: {reason}")
        self.reason, self.where = readable(reason), where


def readable(message: str) -> str:
    """Return a message with what cannot be seen as Python's escapes, in at most `MOST_LINES` lines."""
    lines = message.split("\n")
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1:] = [f"  … and {len(lines) - MOST_LINES + 1:,} lines more"]
    return "\n".join(_readable_line(line) for line in lines)


def _readable_line(line: str) -> str:
    if not line.isprintable():
        line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line[:LONGEST_LINE])
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE - 2]} …"
