"""Windows of words → padded batches, as the engine reads them; and texts → tags, as it finds them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from nerlite.config import Config
from nerlite.evaluate import evaluate
from nerlite.limits import Limits, word_kinds
from nerlite.network.static import StaticEmbeddings
from nerlite.ops.numpy_crf import viterbi
from nerlite.pieces import PieceEncoder
from nerlite.tags import from_spans
from nerlite.text import PARAGRAPH, SPACE
from nerlite.training.data import SCHEME, Sentence, Tags, Window
from nerlite.training.network import Batch, Network

EVALUATION_PIECES = 4096
UNKNOWN_CHARACTER_RATE, UNKNOWN_WORD_RATE = 0.01, 0.15
# Characters of a word that training reads.
LONGEST_WORD = 60


class Row(NamedTuple):
    """A window as the network reads it: piece ids, where words begin in them, the words, and their tags' limits."""

    ids: list[int]
    first_pieces: list[int]
    words: list[str]
    kinds: np.ndarray
    allowed: Sequence[int]


class Reader:
    """Turns windows into padded batches, as the engine reads them."""

    def __init__(self, config: Config, pieces: PieceEncoder, tags: Tags, static: StaticEmbeddings | None) -> None:
        """Prepare to read as a model of this config; static: its static embeddings."""
        self._static = static
        self._pieces, self._tags, self._limits = pieces, tags, Limits(tags.names)
        self._has_breaks = config.breaks is not None
        alphabet = config.chars.alphabet if config.chars else ()
        self._characters = {character: i for i, character in enumerate(alphabet, 1)}

    def row(self, window: Window) -> Row:
        """Return a window as the network reads it."""
        breaks = bytes(window.breaks)
        ids, offsets, leads = self._pieces.encode(window.words, breaks)
        firsts = [offset + lead for offset, lead in zip(offsets, leads, strict=False)]
        kinds = word_kinds(window.words, breaks) if self._has_breaks else np.zeros(len(window.words), np.uint8)
        return Row([self._pieces.cls_id, *ids[firsts[0]:], self._pieces.sep_id],
                   [1 + first - firsts[0] for first in firsts], window.words, kinds, window.allowed)

    def sizes(self, words: Iterable[str]) -> dict[str, int]:
        """Return how many pieces each word has."""
        different = sorted(set(words))
        offsets = self._pieces.encode(different).offsets
        return {word: stop - start for word, (start, stop) in zip(different, itertools.pairwise(offsets), strict=True)}

    def rows_of(self, words: list[str], breaks: list[int]) -> list[tuple[Row, Any]]:
        """Return the windows that cover a text of any length, and for which words each answers."""
        offsets = self._pieces.encode(words, bytes(breaks)).offsets
        return [(self.row(Window(words[window.start:window.stop], breaks[window.start:window.stop],
                                 [0] * (window.stop - window.start))), window)
                for window in self._pieces.windows(offsets)]

    def limited(self, emissions: np.ndarray, words: list[str], breaks: list[int]) -> np.ndarray:
        """Return emissions without what words may not be."""
        return self._limits(emissions, word_kinds(words, bytes(breaks))) if self._has_breaks else emissions

    def batch(self, rows: Sequence[Row], rng: np.random.Generator | None = None) -> Batch:
        """Pad rows; with rng some characters and static embeddings become 0, so that it is trained too."""
        numbers: dict[str, int] = {}
        which = [numbers.setdefault(word, len(numbers)) for row in rows for word in row.words]
        spelled = [[self._characters.get(character, 0) for character in word[:LONGEST_WORD]] or [0] for word in numbers]
        characters = _pad(spelled)
        static = self._static(numbers) if self._static else np.empty((len(numbers), 0), np.float32)
        if rng is not None:
            static[rng.random(len(static)) < UNKNOWN_WORD_RATE] = 0
            characters[rng.random(characters.shape) < UNKNOWN_CHARACTER_RATE] = 0
        mask = self._tags.mask()
        allowed, kinds = _pad([row.allowed for row in rows]), _pad([row.kinds for row in rows])
        return Batch(*map(torch.from_numpy, (
            _pad([row.ids for row in rows]), _lengths([row.ids for row in rows]),
            _pad([row.first_pieces for row in rows]), _lengths([row.words for row in rows]),
            mask[allowed], self._limits.forbidden[kinds], characters, np.array(list(map(len, spelled))),
            static, np.array(which))))


def _pad(rows: Sequence[Any]) -> np.ndarray:
    padded = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, values in zip(padded, rows, strict=True):
        row[:len(values)] = values
    return padded


def _lengths(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.arange(max(map(len, rows))) < np.array(list(map(len, rows)))[:, None]


def batches_of(rows: Sequence[Row], order: Iterable[int], n_pieces: int) -> Iterator[list[int]]:
    """Cut an order of the rows into batches of at most n_pieces pieces, padding counted."""
    batch: list[int] = []
    longest = 0
    for i in order:
        length = len(rows[i].ids)
        if batch and max(longest, length) * (len(batch) + 1) > n_pieces:
            yield batch
            batch, longest = [], 0
        batch.append(i)
        longest = max(longest, length)
    if batch:
        yield batch


def shuffled_batches(rows: Sequence[Row], n_pieces: int, rng: random.Random) -> list[list[int]]:
    """Return batches in random order, each of rows of about one length."""
    order = list(range(len(rows)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), 1024):
        block = sorted(order[start:start + 1024], key=lambda i: len(rows[i].ids))
        batches.extend(batches_of(rows, block, n_pieces))
    rng.shuffle(batches)
    return batches


@torch.no_grad()
def tag_texts(network: Network, texts: Sequence[tuple[list[str], list[int]]], reader: Reader, names: Sequence[str]
              ) -> list[list[str]]:
    """Return the tags of texts, (words, breaks), as the engine finds them."""
    network.eval()
    rows = [(i, row, window) for i, text in enumerate(texts) for row, window in reader.rows_of(*text)]
    emissions = [np.empty((len(words), len(names)), np.float32) for words, _ in texts]
    order = sorted(range(len(rows)), key=lambda j: len(rows[j][1].ids))
    for batch in batches_of([row for _, row, _ in rows], order, EVALUATION_PIECES):
        scored = network(reader.batch([rows[j][1] for j in batch])).numpy()
        for scores, (i, _, window) in zip(scored, (rows[j] for j in batch), strict=True):
            emissions[i][window.keep_start:window.keep_stop] = scores[window.keep_start - window.start:
                                                                      window.keep_stop - window.start]
    crf = [scores.numpy() for scores in network.crf.scores()]
    limited = (reader.limited(scores, *text) for scores, text in zip(emissions, texts, strict=True))
    return [[names[i] for i in viterbi(scores, np.array([0, len(scores)]), *crf)] for scores in limited]


def f1(network: Network, documents: Sequence[Sequence[Sentence]], reader: Reader, tags: Tags, hidden: Sequence[str]
       ) -> tuple[float, float]:
    """Return the F1 with whole documents tagged, and with each sentence alone; hidden: labels that do not count."""
    sentences = [sentence for document in documents for sentence in document]
    gold = [from_spans(sentence.spans, len(sentence.words), SCHEME) for sentence in sentences]
    scores = []
    for texts in (documents, [[sentence] for sentence in sentences]):
        laid_out = [([word for sentence in text for word in sentence.words],
                     [kind for sentence in text for kind in (PARAGRAPH, *[SPACE] * (len(sentence.words) - 1))])
                    for text in texts]
        flat = itertools.chain.from_iterable(tag_texts(network, laid_out, reader, tags.names))
        found = [["O" if tag.partition("-")[2] in hidden else tag for tag in itertools.islice(flat, len(each))]
                 for each in gold]
        scores.append(evaluate(gold, found).overall.fb1)
    return scores[0], scores[1]
