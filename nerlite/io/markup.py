"""The text of HTML and XML, by lxml: as a reader sees it, with the breaks that markup stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from nerlite.errors import InputError, Place
from nerlite.io.base import Record

_SPACE = re.compile(r"\s+")
# Breaks beside each other, and the white space around them, are one: the strongest.
_BREAKS = re.compile(r"[ ]*([\n\t\f]+)[ \n\t\f]*")
PARAGRAPH, LINE, CELL = "\f", "\n", "\t"
# What declares that a file is what it can't be once its bytes are UTF-8.
_WIDE = re.compile(rb"""(?:encoding|charset)\s{0,9}=\s{0,9}["']?(?:utf-?(?:16|32)|ucs)""", re.IGNORECASE)


def parser_of(name: str, data: bytes, module: str, **options: Any) -> tuple[Any, Any]:
    """Return lxml.etree and a new parser of one of its modules, for these data; `InputError` without lxml.

    What is UTF-8 is read so, whatever the file declares: it may have been another encoding's, and become UTF-8.
    """
    try:
        from lxml import etree
    except ImportError:
        raise InputError("reading HTML and XML takes a package: pip install 'nerlite[html]'", Place(name)) from None
    encoding = "utf-8" if (not data.isascii() and _is_utf8(data)) or _WIDE.search(data, 0, 1024) else None
    return etree, getattr(etree, module)(no_network=True, encoding=encoding, **options)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def record_of(data: bytes, name: str, etree: Any, parser: Any, break_of: Callable[[Any], str | None],
              kept: Collection[str] = ()) -> Iterator[Record]:
    """Yield a file's text, if it has any.

    break_of: what parts an element from its neighbours, None: it has no text; kept: elements whose white space is seen.
    """
    if not data.strip():
        return
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise InputError(f"not readable: {error}", Place(name)) from None
    if fatal := parser.error_log.filter_from_fatals():  # a parser of HTML leaves out what is too deep
        raise InputError(f"not readable: {fatal[0].message}", Place(name))
    if root is not None:
        yield Record(_breaks("".join(_parts(etree, root, break_of, kept))), Place(name))


def _parts(etree: Any, root: Any, break_of: Callable[[Any], str | None], kept: Collection[str]) -> Iterator[str]:
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    depth = 0  # within how many elements white space is seen
    for event, element in walk:
        seam = break_of(element) if event in ("start", "end") else None
        if event in ("start", "end") and element.tag in kept:
            depth += 1 if event == "start" else -1
        spaced = _spaced if depth else _collapsed
        if event != "start":
            yield (seam or "") + ("" if element is root else spaced(element.tail or ""))
        elif seam is None:
            walk.skip_subtree()
        else:
            yield seam + spaced(element.text or "")


def _collapsed(text: str) -> str:
    return _SPACE.sub(" ", text)


def _spaced(text: str) -> str:
    """Return a text with breaks for white space that is seen: blank lines end paragraphs, wide gaps cells."""
    return re.sub(r" {3,}", CELL, re.sub(r"\n[ \t\r]*\n\s*", PARAGRAPH, text))


def _breaks(text: str) -> str:
    def strongest(match: re.Match[str]) -> str:
        found = match[0]
        return "\n\n" if PARAGRAPH in found else "\n" if LINE in found else "\t"

    return re.sub(" +", " ", _BREAKS.sub(strongest, text)).strip()
