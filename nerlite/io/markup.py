"""The text of HTML and XML, by lxml: as a reader sees it, with the breaks that markup stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from nerlite.io.records import InputError, Record

_SPACE = re.compile(r"\s+")
# Breaks beside each other, and the white space around them, are one: the strongest.
_BREAKS = re.compile(r"[ ]*([\n\t\f]+)[ \n\t\f]*")
PARAGRAPH, LINE, CELL = "\f", "\n", "\t"


def parser_of(name: str, module: str, **options: Any) -> tuple[Any, Any]:
    """Return lxml.etree and a new parser of one of its modules; `InputError` without lxml."""
    try:
        from lxml import etree
    except ImportError:
        raise InputError(f"{name}: reading HTML and XML takes a package: pip install 'nerlite[html]'") from None
    return etree, getattr(etree, module)(no_network=True, **options)


def record_of(data: bytes, name: str, etree: Any, parser: Any, break_of: Callable[[Any], str | None]
              ) -> Iterator[Record]:
    """Yield a file's text, if it has any. break_of: what parts an element from its neighbours, None: it has no text."""
    if not data.strip():
        return
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise InputError(f"{name}: not readable: {error}") from None
    if fatal := parser.error_log.filter_from_fatals():  # a parser of HTML leaves out what is too deep
        raise InputError(f"{name}: not readable: {fatal[0].message}")
    if root is not None:
        yield Record(_breaks("".join(_parts(etree, root, break_of))), name)


def _parts(etree: Any, root: Any, break_of: Callable[[Any], str | None]) -> Iterator[str]:
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        seam = break_of(element) if event in ("start", "end") else None
        if event != "start":
            yield (seam or "") + ("" if element is root else _SPACE.sub(" ", element.tail or ""))
        elif seam is None:
            walk.skip_subtree()
        else:
            yield seam + _SPACE.sub(" ", element.text or "")


def _breaks(text: str) -> str:
    def strongest(match: re.Match[str]) -> str:
        found = match[0]
        return "\n\n" if PARAGRAPH in found else "\n" if LINE in found else "\t"

    return re.sub(" +", " ", _BREAKS.sub(strongest, text)).strip()
