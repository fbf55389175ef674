"""Tagged texts as HTML: entities marked in colour, and as a notebook shows them. Whatever a text holds stays text."""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nerlite.document import Document, Entity

LABEL = '<small style="font-weight:700;user-select:none">'
# A fragment shows about so many characters of a text: a notebook keeps what it shows.
FRAGMENT_CHARACTERS = 50_000


class Colour(NamedTuple):
    """A label's ground: under `INK` on `PAPER`, and under `DARK_INK` on `DARK_PAPER`."""

    light: str
    dark: str


INK, PAPER, DARK_INK, DARK_PAPER = "#1b1b1b", "#ffffff", "#f4f4f4", "#15181c"
# Found by search: as far from each other as eight can be for normal sight, protanopia, deuteranopia and tritanopia at
# once, the first four, which are CoNLL's labels', farther still; the contrast with the text on them is WCAG's 4.5 or
# more.
COLOURS = (
    Colour("#8bb5cc", "#3d65b6"), Colour("#ef9d59", "#806111"),
    Colour("#a9f4a5", "#183f13"), Colour("#fdcaf6", "#70237c"),
    Colour("#d1a697", "#a04058"), Colour("#e1f264", "#60532b"),
    Colour("#b5b7fd", "#5736a4"), Colour("#d1c5c6", "#494041"),
)
# Labels that mean the same in different schemes have the same colour.
_KNOWN = {"PER": 0, "PERSON": 0, "LOC": 1, "LOCATION": 1, "GPE": 1, "ORG": 2, "ORGANIZATION": 2, "MISC": 3}
# What HTML has no way to say: surrogates, noncharacters, and controls but for tabs and line breaks.
_UNSPEAKABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Palette:
    """Which colour a label has: the same everywhere as far as that goes, and one of its own while there are enough."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, label: str) -> int:
        """Return which of `COLOURS` a label has."""
        if label not in self._numbers:
            first = _KNOWN.get(label.upper(), zlib.crc32(label.encode("utf-8", "surrogatepass")) % len(COLOURS))
            taken = set(self._numbers.values())
            self._numbers[label] = next((number for number in (*range(first, len(COLOURS)), *range(first))
                                         if number not in taken), first)
        return self._numbers[label]


def fragment(document: Document) -> str:
    """Return a document as HTML for a notebook, of any theme: its styles are its elements' own."""
    palette = Palette()

    def attributes(entity: Entity) -> str:
        ground = COLOURS[palette.number(entity.label)].light
        return f'style="background:{ground};color:{INK};padding:.1em .25em;border-radius:.3em"'

    stretches = list(_first(document.stretches(), FRAGMENT_CHARACTERS))
    characters = len(document.text) - sum(len(text) for text, _ in stretches)
    entities = len(document.entities) - sum(entity is not None for _, entity in stretches)
    return ('<div dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.8">'
            f"{marked(stretches, attributes, LABEL)}</div>"
            + (f"<div><em>… {characters:,} characters and {entities:,} entities more</em></div>" if characters else "")
            + truncation(document))


def _first(stretches: Iterable[tuple[str, Entity | None]], limit: int) -> Iterator[tuple[str, Entity | None]]:
    """Yield a document's stretches up to about a number of characters: entities are whole."""
    for text, entity in stretches:
        if limit <= 0:
            return
        yield text if entity else text[:limit], entity
        limit -= len(text)


def marked(stretches: Iterable[tuple[str, Entity | None]], attributes: Callable[[Entity], str], label: str = "<small>"
           ) -> str:
    """Return a text with its entities marked, each with its label as text.

    attributes: those of an entity's mark; label: the tag that opens its label.
    """
    return "".join(
        f'<mark {attributes(entity)} title="{escaped(entity.label)}, score {entity.score:.4f}, characters '
        f'{entity.start} to {entity.end}">{escaped(text)}{label}&nbsp;{escaped(entity.label)}</small></mark>'
        if entity else escaped(text) for text, entity in stretches)


def truncation(document: Document) -> str:
    """Say where the model stopped reading, if it did."""
    if document.truncated_at is None:
        return ""
    return f"<p><em>The model read only the first {document.truncated_at:,} characters.</em></p>"


def escaped(text: str) -> str:
    """Return a text as HTML, also within an attribute's quotes."""
    return html.escape(_UNSPEAKABLE.sub("\ufffd", text))
