"""What lies around the network: how a text becomes its inputs, and how its scores become a document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from nerlite.batch import Input
from nerlite.config import Config
from nerlite.document import Document, Entity
from nerlite.network.crf import CRF
from nerlite.pieces import PieceEncoder, Window
from nerlite.tags import Span, from_spans
from nerlite.text import split_words


class Readable(Protocol):
    """A text as the network sees it: as rows that it scores, in sequences that it reads.

    windows: of each sequence, which of the text's rows are its own, and for which of them it answers.
    """

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        ...

    @property
    def sequences(self) -> list[Input]:
        """What the network reads."""
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

    def read_words(self, text: str, words: list[str], offsets: list[tuple[int, int]]) -> R:
        """Make the network's inputs of words that are already split."""
        ...

    def documents(self, texts: Sequence[R], emissions: np.ndarray, offsets: np.ndarray) -> Sequence[Document]:
        """Decode scores. emissions: (n_rows, n_tags) of all texts; offsets: (n_texts + 1,), one sequence a text."""
        ...


class Reading(NamedTuple):
    """A text by nerlite's own rules: a row is a word."""

    text: str
    words: list[str]
    offsets: list[tuple[int, int]]
    sequences: list[Input]
    windows: list[Window]

    @property
    def n_rows(self) -> int:
        """The number of words."""
        return len(self.words)


class OwnRules:
    """nerlite's own: newswire's words, all of them read, through overlapping windows where a text is long."""

    def __init__(self, path: Path, config: Config, crf: CRF) -> None:
        """path: the model directory."""
        self._pieces = PieceEncoder(path / "tokenizer.json", config.window, config.encoder.vocab_size)
        self._crf = crf

    def read(self, text: str) -> Reading:
        """Split a text and make the network's inputs of it."""
        return self.read_words(text, *split_words(text))

    def read_words(self, text: str, words: list[str], offsets: list[tuple[int, int]]) -> Reading:
        """Make the network's inputs of words that are already split."""
        pieces = self._pieces.encode(words)
        windows = self._pieces.windows(pieces.offsets)
        sequences = []
        for window in windows:
            bounds = pieces.offsets[window.start:window.stop + 1]
            ids = np.empty(bounds[-1] - bounds[0] + 2, np.int64)
            ids[0], ids[-1] = self._pieces.cls_id, self._pieces.sep_id
            ids[1:-1] = pieces.ids[bounds[0]:bounds[-1]]
            sequences.append(Input(ids, bounds[:-1] - bounds[0] + 1, words[window.start:window.stop]))
        return Reading(text, words, offsets, sequences, windows)

    def documents(self, texts: Sequence[Reading], emissions: np.ndarray, offsets: np.ndarray) -> list[Document]:
        """Decode each text as one sequence of tags; its windows' seams do not show."""
        decoded = self._crf.decode(emissions, offsets)
        return [_document(*parts) for parts in zip(texts, decoded.spans, decoded.scores, strict=True)]


def _document(reading: Reading, spans: list[Span], scores: list[float]) -> Document:
    entities = []
    for span, score in zip(spans, scores, strict=True):
        start, end = reading.offsets[span.start][0], reading.offsets[span.stop - 1][1]
        entities.append(Entity(reading.text[start:end], span.label, start, end, score))
    tags = from_spans(spans, len(reading.words), "IOB2")
    return Document(reading.text, reading.words, reading.offsets, tags, entities)
