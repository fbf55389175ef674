"""XML: a file is one text; an element is a paragraph, unless it stands amid text."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.io.base import ReadOptions, Record
from nerlite.io.markup import PARAGRAPH, parser_of, record_of

# More than so many elements are around none: the parser refuses what is deeper.
MOST_AROUND = 512


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the file's text; entities beyond XML's own five stay as they stand. `InputError` for what is no XML."""
    data = b"".join(lines)
    # Siblings ask the same of their parent, one after another: of those around an element none is asked anew.
    is_amid_text = functools.lru_cache(MOST_AROUND)(_holds_text)

    def break_of(element: Any) -> str:
        around = element.getparent()
        return "" if around is not None and is_amid_text(around) else PARAGRAPH

    yield from record_of(data, name, *parser_of(name, data, "XMLParser", resolve_entities=False), break_of)


def _holds_text(element: Any) -> bool:
    return bool((element.text or "").strip()) or any((each.tail or "").strip() for each in element)
