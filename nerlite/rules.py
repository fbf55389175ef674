"""What lies around the network: how a text becomes its inputs, and how its scores become a document."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from nerlite.agreement import Agreement, Labels
from nerlite.batch import Input, concatenated
from nerlite.columns import Columns
from nerlite.config import Config
from nerlite.document import Document, Entity
from nerlite.files import ModelDirectory
from nerlite.limits import Limits, word_kinds
from nerlite.memo import AT_ONCE
from nerlite.network.crf import CRF
from nerlite.pieces import PieceEncoder, Pieces, Window
from nerlite.tags import Span
from nerlite.text import Words, split_words

# A text of more words is decoded in parts, so that what is kept of it meanwhile does not grow; each sees so many of its
# neighbours' words that hardly anything depends on those beyond.
PART, MARGIN = 1 << 14, 1 << 8
# Probabilities are calibrated as if none were nearer to 0 or 1.
_LEAST = 1e-9
_NO_KINDS = np.empty(0, np.uint8)


class Readable(Protocol):
    """A text as the network sees it: as rows that it scores, in sequences that it reads."""

    @property
    def sequences(self) -> Iterable[Input]:
        """What the network reads, to be gone through once."""

    @property
    def windows(self) -> list[Window]:
        """Of each sequence, which rows are its own, and for which it answers: of all rows, in order."""

    @property
    def parts(self) -> list[Window]:
        """Which rows are decoded together, and for which of them that answers: of all rows, in order."""


class Rules(Protocol):
    """The rules that a model was trained with."""

    def read(self, text: str) -> Readable:
        """Split a text and make the network's inputs of it."""

    def read_words(self, words: Words) -> Readable:
        """Make the network's inputs of a text that is already split."""

    def decode(self, parts: Sequence[tuple[Any, Window]], emissions: np.ndarray, offsets: np.ndarray) -> Sequence[Any]:
        """Return what scores make of each part.

        parts: for each its text and its rows of that; emissions: (n_rows, n_tags) of all parts; offsets:
        (n_parts + 1,), one sequence a part.
        """

    def document(self, text: Any, decoded: Sequence[Any]) -> Document:
        """Put together what was made of a text's parts, in their order."""


class Reading(NamedTuple):
    """A text by nerlite's own rules: a row is a word that is read.

    forms: what the network reads of each word; kinds: what each is, (n_words,), see `nerlite.limits`; empty where that
    makes no difference. cls_id, sep_id: the pieces [CLS] and [SEP].
    """

    words: Words
    forms: Sequence[str]
    pieces: Pieces
    windows: list[Window]
    parts: list[Window]
    kinds: np.ndarray
    cls_id: int
    sep_id: int

    @property
    def sequences(self) -> Iterator[Input]:
        """One a window, made when it is its turn."""
        ids, offsets, leads = self.pieces
        for window in self.windows:
            own = slice(window.start, window.stop)
            firsts = list(map(operator.add, offsets[own], leads[own]))
            yield Input([self.cls_id, *ids[firsts[0]:offsets[window.stop]], self.sep_id],
                        [1 + first - firsts[0] for first in firsts], self.forms[own])


class OwnRules:
    """nerlite's own: newswire's words, all of them read, through overlapping windows where a text is long."""

    def __init__(self, directory: ModelDirectory, config: Config, crf: CRF, *, agreement: bool) -> None:
        """Read the directory's tokenizer; agreement: whether words and columns may agree, where the model has it so."""
        self._pieces = PieceEncoder(directory.file("tokenizer.json"), config.window, config.encoder.vocab_size,
                                    config.checksums and config.checksums.tokenizer, config.breaks,
                                    shapes=config.shapes)
        self._crf, self._calibration = crf, config.calibration
        self._limits = Limits(config.tags) if config.breaks else None
        self._agreement: tuple[Columns, Agreement] | None = None
        if config.agreement and agreement:
            labels = Labels(config.tags)
            self._agreement = Columns(labels), Agreement(labels)

    def read(self, text: str) -> Reading:
        """Split a text and make the network's inputs of it."""
        return self.read_words(split_words(text))

    def read_words(self, words: Words) -> Reading:
        """Make the network's inputs of a text that is already split."""
        read = words.read
        forms, breaks = read.forms, read.breaks if self._limits else b""
        if len(forms) <= AT_ONCE:  # cut out of the text once for all
            forms = forms[:]
        pieces = self._pieces.encode(forms, breaks)
        kinds = word_kinds(forms, breaks) if self._limits else _NO_KINDS
        return Reading(words, forms, pieces, self._pieces.windows(pieces.offsets), parts_of(len(forms)), kinds,
                       self._pieces.cls_id, self._pieces.sep_id)

    def decode(self, parts: Sequence[tuple[Reading, Window]], emissions: np.ndarray, offsets: np.ndarray
               ) -> list[list[Entity]]:
        """Return the entities that begin in what each part answers for; neither its seams nor its windows' show."""
        if self._agreement:
            emissions = concatenated([
                _agreed(*self._agreement, reading, part, emissions[start:stop])
                for (reading, part), (start, stop) in zip(parts, itertools.pairwise(offsets.tolist()), strict=True)])
        if self._limits:
            emissions = self._limits(emissions, concatenated([reading.kinds[part.start:part.stop]
                                                              for reading, part in parts]))
        decoded = self._crf.decode(emissions, offsets)
        return [_entities(reading.words, part, spans, self._calibrated(scores))
                for (reading, part), spans, scores in zip(parts, decoded.spans, decoded.scores, strict=True)]

    def _calibrated(self, scores: list[float]) -> list[float]:
        """Return what shares of entities with these probabilities are right."""
        return [calibrated(score, *self._calibration) for score in scores] if self._calibration else scores

    def document(self, text: Reading, decoded: Sequence[list[Entity]]) -> Document:
        """Put the parts' entities together."""
        entities: list[Entity] = []
        for part in decoded:  # which agree on what lies across a seam; where they did not, the first one holds
            entities += [entity for entity in part if not entities or entity.start >= entities[-1].end]
        return Document(text.words.text, text.words.bounds, entities)


def calibrated(probability: float, slope: float, shift: float) -> float:
    """Return sigmoid(slope * logit(probability) + shift). Source: Platt 1999."""
    probability = min(max(probability, _LEAST), 1 - _LEAST)
    return 1 / (1 + math.exp(-slope * math.log(probability / (1 - probability)) - shift))


def parts_of(n_words: int) -> list[Window]:
    """Cover a text's words with the parts that it is decoded in."""
    return [Window(max(0, start - MARGIN), min(n_words, stop + MARGIN), start, stop)
            for start, stop in itertools.pairwise([*range(0, n_words, PART), n_words])]


def _agreed(columns_agree: Columns, words_agree: Agreement, reading: Reading, part: Window, emissions: np.ndarray
            ) -> np.ndarray:
    """Return a part's emissions, (n_rows, n_tags), with which its columns and its words agree."""
    begin, end = _with_empty_cells(reading.words, part)
    starts = np.asarray(reading.words.read.bounds[2 * part.start:2 * part.stop:2], np.int64)
    emissions = columns_agree(emissions, reading.words.text[begin:end], starts - begin)
    return words_agree(emissions, reading.forms[part.start:part.stop])


def _with_empty_cells(words: Words, part: Window) -> tuple[int, int]:
    """Return where a part's lines begin and end, which may be before its first word and after its last."""
    text, bounds = words.text, words.read.bounds
    first, last = bounds[2 * part.start], bounds[2 * part.stop - 1]
    before = bounds[2 * part.start - 1] if part.start else 0
    after = bounds[2 * part.stop] if 2 * part.stop < len(bounds) else len(text)
    line_end = text.find("\n", last, after)
    return max(before, text.rfind("\n", before, first) + 1), after if line_end < 0 else line_end


def _entities(words: Words, part: Window, spans: list[Span], scores: list[float]) -> list[Entity]:
    """spans: from the part's first word on."""
    text, bounds, entities = words.text, words.read.bounds, []
    for (start, stop, label), score in zip(spans, scores, strict=True):
        if part.keep_start <= part.start + start < part.keep_stop:
            begin, end = bounds[2 * (part.start + start)], bounds[2 * (part.start + stop) - 1]
            entities.append(Entity(text[begin:end], label, begin, end, score))
    return entities
