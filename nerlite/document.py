"""What tagging gives back."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nerlite.lazy import Lazy
from nerlite.tags import Span, from_spans
from nerlite.text import Words

if TYPE_CHECKING:
    from nerlite.redaction import Placeholders

OffsetUnit = Literal["codepoint", "utf16", "utf8"]

# How many entities, and characters of the text, a document's repr shows.
_SHOWN_ENTITIES, _SHOWN_CHARACTERS = 8, 60


@dataclass(frozen=True, init=False, repr=False)
class Entity:
    """A labelled stretch of a text.

    start, end: code-point offsets, end exclusive: text[start:end] is the entity's text.
    score: the probability of exactly this entity (its span and its label) under the model, 0 to 1.
    """

    __slots__ = ("end", "label", "score", "start", "text")

    text: str
    label: str
    start: int
    end: int
    score: float

    def __init__(self, text: str, label: str, start: int, end: int, score: float) -> None:
        # By the slots' own setters, in less than half the time that a frozen dataclass takes: there may be very many.
        _set_text(self, text)
        _set_label(self, label)
        _set_start(self, start)
        _set_end(self, end)
        _set_score(self, score)

    def __reduce__(self) -> tuple[type[Entity], tuple[str, str, int, int, float]]:
        return Entity, (self.text, self.label, self.start, self.end, self.score)

    def __repr__(self) -> str:
        """Show all fields, the score to four places."""
        return (f"Entity(text={self.text!r}, label={self.label!r}, start={self.start}, end={self.end}, "
                f"score={round(self.score, 4)})")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, in their order."""
        return {"text": self.text, "label": self.label, "start": self.start, "end": self.end, "score": self.score}


_set_text, _set_label, _set_start, _set_end, _set_score = (
    getattr(Entity, name).__set__ for name in ("text", "label", "start", "end", "score"))


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Document:
    """A tagged text. Its words, offsets and tags, lists of one entry a word, are made when they are first asked for.

    entities: in the order of the text; a list to read, since tags once made do not follow its changes (see `only`).
    truncated_at: where the model stopped reading, a code-point offset; None where it read everything, as it does
    unless it follows the rules of a pipeline that truncates.
    """

    text: str
    entities: list[Entity]
    truncated_at: int | None

    def __init__(self, text: str, bounds: array[int], entities: list[Entity], truncated_at: int | None = None) -> None:
        """bounds: where the words lie, see `nerlite.text.Words`."""
        # Past the frozen class. `bounds` is no field, so that the fields alone are what there is to serialize:
        # dataclasses.asdict, and web frameworks with it, give what `to_dict` gives.
        vars(self).update(text=text, bounds=bounds, entities=entities, truncated_at=truncated_at)

    @property
    def bounds(self) -> array[int]:
        """Where the words lie, see `nerlite.text.Words`."""
        bounds: array[int] = vars(self)["bounds"]
        return bounds

    @Lazy
    def words(self) -> list[str]:
        """The words; text[start:end] == word for its offsets."""
        return Words(self.text, self.bounds)[:]

    @Lazy
    def offsets(self) -> list[tuple[int, int]]:
        """Where each word starts and ends, in code points, end exclusive."""
        return Words(self.text, self.bounds).offsets

    @Lazy
    def tags(self) -> list[str]:
        """The IOB2 tag of each word, those of the entities."""
        starts = {start: word for word, start in enumerate(self.bounds[::2])}
        ends = {end: word + 1 for word, end in enumerate(self.bounds[1::2])}
        spans = (Span(starts[entity.start], ends[entity.end], entity.label) for entity in self.entities)
        return from_spans(spans, len(self.bounds) // 2, "IOB2")

    def only(self, entities: Iterable[Entity]) -> Document:
        """Return the document with some of its own entities, and tags that agree with them."""
        return Document(self.text, self.bounds, list(entities), self.truncated_at)

    def stretches(self) -> Iterator[tuple[str, Entity | None]]:
        """Yield the text from its beginning to its end, cut at the entities: what is none of them, and each of them.

        ValueError where entities overlap, are not in the order of the text or lie beyond it.
        """
        last = 0
        for entity in self.entities:
            if not last <= entity.start < entity.end <= len(self.text):
                raise ValueError(f"entities: expected them in order, apart and within the text, got {entity.label} at "
                                 f"{entity.start} to {entity.end} after one that ends at {last}")
            if last < entity.start:
                yield self.text[last:entity.start], None
            yield self.text[entity.start:entity.end], entity
            last = entity.end
        if last < len(self.text):
            yield self.text[last:], None

    def entities_in(self, unit: OffsetUnit) -> list[Entity]:
        """Return the entities with offsets in another unit: "utf16", as JavaScript and Java count, or "utf8", bytes.

        They are offsets of the whole text; "codepoint" is the unit of `entities` itself.
        """
        if unit == "codepoint" or self.text.isascii():
            _length_in(unit)
            return list(self.entities)
        ends = [end for entity in self.entities for end in (entity.start, entity.end)]
        places = iter(_places(self.text, ends, unit))
        return [Entity(entity.text, entity.label, next(places), next(places), entity.score)
                for entity in self.entities]

    def to_dict(self, offset_unit: OffsetUnit = "codepoint") -> dict[str, Any]:
        """Return text, entities (each a dict) and truncated_at by name; offset_unit: see `entities_in`."""
        end = self.truncated_at
        if end is not None and offset_unit != "codepoint":
            end, = _places(self.text, [end], offset_unit)
        return {"text": self.text, "entities": [entity.to_dict() for entity in self.entities_in(offset_unit)],
                "truncated_at": end}

    def to_json(self, offset_unit: OffsetUnit = "codepoint") -> str:
        """Return `to_dict` as a line of JSON; a lone surrogate, which UTF-8 does not have, is escaped."""
        line = json.dumps(self.to_dict(offset_unit), ensure_ascii=False)
        return line.encode("utf-8", "backslashreplace").decode("utf-8")

    def to_displacy(self) -> dict[str, Any]:
        """Return what spaCy's displacy.render(..., style="ent", manual=True) draws."""
        return {"text": self.text, "title": None,
                "ents": [{"start": entity.start, "end": entity.end, "label": entity.label}
                         for entity in self.entities]}

    def redact(self, placeholders: Placeholders | None = None, labels: Collection[str] | None = None) -> str:
        """Return the text with a placeholder for each entity: [PER_1] for the first person, and so on.

        placeholders: a `nerlite.redaction.Placeholders`, which gives the same name the same number in all texts and
        restores them; without one the names are gone. labels: only entities of these. ValueError where the model has
        not read the whole text.
        """
        from nerlite import redaction  # only who redacts needs it

        return (placeholders or redaction.Placeholders()).redact(self, labels)

    def _repr_html_(self) -> str:
        """Show itself in a notebook: the text, its entities marked."""
        from nerlite.html import fragment  # only notebooks need it

        return fragment(self)

    def _values(self) -> tuple[Any, ...]:
        """Return all that makes two documents equal."""
        return self.text, self.bounds, self.entities, self.truncated_at

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.text, *self.entities, self.truncated_at))

    def __repr__(self) -> str:
        """Show how the text begins, its length, and the first entities."""
        text, entities = self.text, [f"{entity.label} {entity.text!r}" for entity in self.entities[:_SHOWN_ENTITIES]]
        if len(text) > _SHOWN_CHARACTERS:
            text = text[:_SHOWN_CHARACTERS - 1] + "…"
        if len(self.entities) > _SHOWN_ENTITIES:
            entities.append(f"… {len(self.entities) - _SHOWN_ENTITIES:,} more")
        return f"{type(self).__name__}({text!r}, {len(self.text):,} characters: {', '.join(entities) or 'no entities'})"


def _length_in(unit: OffsetUnit) -> Callable[[str], int]:
    """Return what counts a text's length in a unit of offsets."""
    lengths: dict[str, Callable[[str], int]] = {
        "codepoint": len,
        "utf16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
        "utf8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    }
    if unit not in lengths:
        raise ValueError(f"unit: expected 'codepoint', 'utf16' or 'utf8', got {unit!r}")
    return lengths[unit]


def _places(text: str, places: Iterable[int], unit: OffsetUnit) -> Iterator[int]:
    """Yield ascending places in a text, given in code points, in another unit."""
    length, last, total = _length_in(unit), 0, 0
    for place in places:
        total += length(text[last:place])
        last = place
        yield total
