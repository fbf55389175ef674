"""HTML: in, a file's text as a reader sees it; out, one page of all documents for a browser, see `nerlite.page`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.document import Document
from nerlite.io.base import ReadOptions, Record, WriteOptions
from nerlite.io.base import Writer as BaseWriter
from nerlite.io.markup import CELL, LINE, PARAGRAPH, parser_of, record_of
from nerlite.page import Page

_UNSEEN = {"head", "script", "style", "template", "noscript", "svg", "math", "select", "datalist", "object", "iframe"}
_INLINE = {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i",
           "img", "ins", "kbd", "label", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub",
           "sup", "time", "tt", "u", "var", "wbr"}
_KEPT = {"pre", "textarea", "listing", "xmp"}
_HIDES = re.compile(r"(?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden)\b", re.IGNORECASE)
_BREAKS = {"br": LINE, "tr": LINE, "td": CELL, "th": CELL}


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the file's text: blocks are paragraphs, cells are parted by tabs, white space is as a browser shows it."""
    data = b"".join(lines)
    yield from record_of(data, name, *parser_of(name, data, "HTMLParser", huge_tree=True), _break, _KEPT)


def _break(element: Any) -> str | None:
    if element.tag in _UNSEEN or "hidden" in element.attrib or _HIDES.search(element.get("style", "")):
        return None
    return _BREAKS.get(element.tag, "" if element.tag in _INLINE else PARAGRAPH)


class Writer(Page, BaseWriter):
    """Writes a page."""

    def __init__(self, title: str, options: WriteOptions) -> None:
        super().__init__(title)

    def write(self, document: Document, record: Record) -> str:
        """Return a document's part of the page; a blank line has none."""
        return self.article(document, str(record.where)) if document.text.strip() else ""
