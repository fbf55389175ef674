"""What tagging gives back."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from nerlite.tags import Span, from_spans
from nerlite.text import Words


class Entity(NamedTuple):
    """A labelled stretch of a text.

    start, end: code-point offsets, end exclusive: text[start:end] is the entity's text.
    score: the probability of exactly this entity (its span and its label) under the model, 0 to 1.
    """

    text: str
    label: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Document:
    """A tagged text. Its words, offsets and tags, lists of one entry a word, are made when they are first asked for.

    entities: in the order of the text; a list to read, since tags once made do not follow its changes (see `only`).
    bounds: where the words lie, see `nerlite.text.Words`.
    truncated_at: where the model stopped reading, a code-point offset; None where it read everything, as it does
    unless it follows the rules of a pipeline that truncates.
    """

    text: str
    bounds: array[int] = field(repr=False)
    entities: list[Entity]
    truncated_at: int | None = None

    @cached_property
    def words(self) -> list[str]:
        """The words; text[start:end] == word for its offsets."""
        return Words(self.text, self.bounds)[:]

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """Where each word starts and ends, in code points, end exclusive."""
        return Words(self.text, self.bounds).offsets

    @cached_property
    def tags(self) -> list[str]:
        """The IOB2 tag of each word, those of the entities."""
        starts = {start: word for word, start in enumerate(self.bounds[::2])}
        ends = {end: word + 1 for word, end in enumerate(self.bounds[1::2])}
        spans = (Span(starts[entity.start], ends[entity.end], entity.label) for entity in self.entities)
        return from_spans(spans, len(self.bounds) // 2, "IOB2")

    def only(self, entities: Iterable[Entity]) -> Document:
        """Return the document with some of its own entities, and tags that agree with them."""
        return replace(self, entities=list(entities))
