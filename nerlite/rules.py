"""What lies around the network: how a text becomes its inputs, and how its scores become a document."""

from __future__ import annotations

import itertools
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

# A text of more words is decoded in parts of about so many, so that what is kept of it meanwhile does not grow. Where
# one sentence ends and another begins, hardly anything depends on the tags of the other side.
PART = 1 << 14
_SENTENCE_ENDS = frozenset(".!?")


class Readable(Protocol):
    """A text as the network sees it: as rows that it scores, in sequences that it reads."""

    @property
    def sequences(self) -> Iterable[Input]:
        """What the network reads, to be gone through once."""
        ...

    @property
    def windows(self) -> list[Window]:
        """Of each sequence, which rows are its own, and for which it answers: of all rows, in order."""
        ...

    @property
    def parts(self) -> list[int]:
        """Where the parts that are decoded by themselves begin, in rows, and where the last one ends."""
        ...


R = TypeVar("R", bound=Readable)
D = TypeVar("D")


class Rules(Protocol[R, D]):
    """The rules that a model was trained with; D is what they make of a part's scores."""

    def read(self, text: str) -> R:
        """Split a text and make the network's inputs of it."""
        ...

    def read_words(self, words: Words) -> R:
        """Make the network's inputs of a text that is already split."""
        ...

    def decode(self, parts: Sequence[tuple[R, int]], emissions: np.ndarray, offsets: np.ndarray) -> Sequence[D]:
        """Decode scores.

        parts: for each its text and the first of its rows; emissions: (n_rows, n_tags) of all parts; offsets:
        (n_parts + 1,), one sequence a part.
        """
        ...

    def document(self, text: R, decoded: Sequence[D]) -> Document:
        """Put together what was made of a text's parts, in their order."""
        ...


class Reading(NamedTuple):
    """A text by nerlite's own rules: a row is a word. cls_id, sep_id: the pieces [CLS] and [SEP]."""

    words: Words
    pieces: Pieces
    windows: list[Window]
    parts: list[int]
    cls_id: int
    sep_id: int

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
        return Reading(words, pieces, self._pieces.windows(pieces.offsets), parts_of(words), self._pieces.cls_id,
                       self._pieces.sep_id)

    def decode(self, parts: Sequence[tuple[Reading, int]], emissions: np.ndarray, offsets: np.ndarray
               ) -> list[list[Entity]]:
        """Return the entities of each part; its windows' seams do not show."""
        decoded = self._crf.decode(emissions, offsets)
        return [list(_entities(reading.words, first, spans, scores))
                for (reading, first), spans, scores in zip(parts, decoded.spans, decoded.scores, strict=True)]

    def document(self, text: Reading, decoded: Sequence[list[Entity]]) -> Document:
        """Put the parts' entities together."""
        return Document(text.words.text, text.words.bounds, list(itertools.chain.from_iterable(decoded)))


def parts_of(words: Sequence[str]) -> list[int]:
    """Return where the parts of a text begin and, last, where the last one ends.

    Each has PART words and then those up to the end of a sentence, or twice PART where no sentence ends before.
    """
    seams = [0]
    while (at_least := seams[-1] + PART) < len(words):
        until = range(at_least, min(at_least + PART, len(words)))
        seams.append(next((i for i in until if words[i - 1] in _SENTENCE_ENDS), until.stop))
    return seams if seams[-1] == len(words) else [*seams, len(words)]


def _entities(words: Words, first: int, spans: list[Span], scores: list[float]) -> Iterator[Entity]:
    """spans: from the word `first` on."""
    text, bounds = words.text, words.bounds
    for (start, stop, label), score in zip(spans, scores, strict=True):
        begin, end = bounds[2 * (first + start)], bounds[2 * (first + stop) - 1]
        yield Entity(text[begin:end], label, begin, end, score)
