"""What lies around the network: how a text becomes its inputs, and how its scores become a document."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from nerlite.batch import Input
from nerlite.config import Config
from nerlite.document import Document, Entity
from nerlite.network.crf import CRF
from nerlite.pieces import PieceEncoder, Pieces, Window
from nerlite.tags import Span
from nerlite.text import Words, split_words


class Readable(Protocol):
    """A text as the network sees it: as rows that it scores, in sequences that it reads.

    windows: of each sequence, which of the text's rows are its own, and for which of them it answers.
    """

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        ...

    @property
    def sequences(self) -> Iterable[Input]:
        """What the network reads, to be gone through once."""
        ...

    @property
    def windows(self) -> list[Window]:
        """One a sequence."""
        ...


R = TypeVar("R", bound=Readable)


class Rules(Protocol[R]):
    """The rules that a model was trained with."""

    def read(self, text: str) -> R:
        """Split a text and make the network's inputs of it."""
        ...

    def read_words(self, words: Words) -> R:
        """Make the network's inputs of a text that is already split."""
        ...

    def documents(self, texts: Sequence[R], emissions: np.ndarray, offsets: np.ndarray) -> Sequence[Document]:
        """Decode scores. emissions: (n_rows, n_tags) of all texts; offsets: (n_texts + 1,), one sequence a text."""
        ...


class Reading(NamedTuple):
    """A text by nerlite's own rules: a row is a word. cls_id, sep_id: the pieces [CLS] and [SEP]."""

    words: Words
    pieces: Pieces
    windows: list[Window]
    cls_id: int
    sep_id: int

    @property
    def n_rows(self) -> int:
        """The number of words."""
        return len(self.words)

    @property
    def sequences(self) -> Iterator[Input]:
        """One a window, made when it is its turn."""
        for window in self.windows:
            start, *inner, stop = self.pieces.offsets[window.start:window.stop + 1]
            yield Input([self.cls_id, *self.pieces.ids[start:stop], self.sep_id],
                        [1, *(1 + first - start for first in inner)], self.words[window.start:window.stop])


class OwnRules:
    """nerlite's own: newswire's words, all of them read, through overlapping windows where a text is long."""

    def __init__(self, path: str, config: Config, crf: CRF) -> None:
        """path: the model directory."""
        self._pieces = PieceEncoder(os.path.join(path, "tokenizer.json"), config.window, config.encoder.vocab_size)
        self._crf = crf

    def read(self, text: str) -> Reading:
        """Split a text and make the network's inputs of it."""
        return self.read_words(split_words(text))

    def read_words(self, words: Words) -> Reading:
        """Make the network's inputs of a text that is already split."""
        pieces = self._pieces.encode(words)
        return Reading(words, pieces, self._pieces.windows(pieces.offsets), self._pieces.cls_id, self._pieces.sep_id)

    def documents(self, texts: Sequence[Reading], emissions: np.ndarray, offsets: np.ndarray) -> list[Document]:
        """Decode each text as one sequence of tags; its windows' seams do not show."""
        decoded = self._crf.decode(emissions, offsets)
        return [_document(*parts) for parts in zip(texts, decoded.spans, decoded.scores, strict=True)]


def _document(reading: Reading, spans: list[Span], scores: list[float]) -> Document:
    text, bounds = reading.words.text, reading.words.bounds
    entities = []
    for (first, stop, label), score in zip(spans, scores, strict=True):
        start, end = bounds[2 * first], bounds[2 * stop - 1]
        entities.append(Entity(text[start:end], label, start, end, score))
    return Document(text, bounds, entities)
