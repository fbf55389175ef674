"""brat's standoff: a document is a text and, beside it, a file that says where which entity stands in it.

Source: https://brat.nlplab.org/standoff.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nerlite.document import Document, Entity

# What would end a line or a column of the standoff: an entity goes on behind it as another fragment.
_BREAK = re.compile(r"\s*[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*")


def text_of(document: Document) -> str:
    """Return the document's text, in which lone surrogates, which UTF-8 does not have, are replaced one by one."""
    return re.sub("[\ud800-\udfff]", "\ufffd", document.text)


def standoff(document: Document) -> str:
    """Return a line an entity: its id, type, fragments by code points, and text."""
    return "".join(f"T{number}\t{_line(entity)}\n" for number, entity in enumerate(document.entities, 1))


def configuration(labels: Iterable[str]) -> str:
    """Return the annotation.conf of a folder of such documents: brat edits the types that it names."""
    return "\n".join(["[entities]", *map(_type, labels), "[relations]", "[events]", "[attributes]", ""])


def _line(entity: Entity) -> str:
    text = re.sub("[\ud800-\udfff]", "\ufffd", entity.text)
    bounds = [0, *(bound for match in _BREAK.finditer(text) for bound in match.span()), len(text)]
    fragments = [(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=True) if start < end]
    places = ";".join(f"{entity.start + start} {entity.start + end}" for start, end in fragments)
    return f"{_type(entity.label)} {places}\t{' '.join(text[start:end] for start, end in fragments)}"


def _type(label: str) -> str:
    """Return a label as brat's names of types may be."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", label)
