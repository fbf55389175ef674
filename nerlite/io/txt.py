"""Plain text: a text a line, or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nerlite.errors import Place
from nerlite.io.base import ReadOptions, Record, decode, read_lines


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; with options.whole, one."""
    if options.whole:
        yield Record(decode(b"".join(lines), name), Place(name))
    else:
        yield from (Record(line, Place(name, number)) for number, line in read_lines(lines, name, options.fail))
