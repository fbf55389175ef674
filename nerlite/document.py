"""What tagging gives back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled stretch of a text.

    start, end: code-point offsets, end exclusive: text[start:end] is the entity's text.
    score: the probability of exactly this entity (its span and its label) under the model, 0 to 1.
    """

    text: str
    label: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Document:
    """A tagged text.

    words, offsets, tags: one entry a word; text[start:end] == word for its offsets (start, end), in code points.
    tags are IOB2 and agree with the entities.
    truncated_at: where the model stopped reading, a code-point offset; None where it read everything, as it does
    unless it follows the rules of a pipeline that truncates.
    """

    text: str
    words: list[str]
    offsets: list[tuple[int, int]]
    tags: list[str]
    entities: list[Entity]
    truncated_at: int | None = None
