"""XML: a file is one text; an element is a paragraph, unless it stands amid text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.io.markup import PARAGRAPH, parser_of, record_of
from nerlite.io.records import ReadOptions, Record


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the file's text; entities beyond XML's own five stay as they stand. `InputError` for what is no XML."""
    data = b"".join(lines)
    yield from record_of(data, name, *parser_of(name, data, "XMLParser", resolve_entities=False), _break)


def _break(element: Any) -> str:
    around = element.getparent()
    if around is None:
        return PARAGRAPH
    is_amid_text = bool((around.text or "").strip()) or any((each.tail or "").strip() for each in around)
    return "" if is_amid_text else PARAGRAPH
