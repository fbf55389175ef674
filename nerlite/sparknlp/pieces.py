"""Spark NLP's DistilBertEmbeddings up to the network: words → pieces → what the network sees.

Of a word only the first basic token is read ("U" of "U.S.A", "won" of "won't"), without its accents. Vectors find
their words again by position: a vector belongs to the word that begins where its piece does. What follows from that
is kept here, because a model learned with it:

- positions are counted after decomposition, so a later piece can fall on the beginning of another word, which then
  takes part twice;
- before 3.4 a word that begins with a control or space character has no vector, as its first piece begins after it;
- the pieces are cut at the limit, but one piece more has a vector: that of [SEP].

Source: Spark NLP 3.2, DistilBertEmbeddings.scala, TensorflowDistilBert.scala, BasicTokenizer.scala and
WordpieceEncoder.scala; for 3.4, BasicTokenizer's hasBeginEnd.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from nerlite.batch import Input
from nerlite.config import SparkNLPConfig
from nerlite.files import AnyPath
from nerlite.forms import LONGEST_WORD
from nerlite.pieces import PieceEncoder, Pieces, Window
from nerlite.sparknlp.java import ISO_CONTROL, WHITESPACE, utf16_length, utf16_positions

MAX_WORD_LENGTH = 200  # UTF-16 units of a basic token; a longer one is unknown

# ASCII's punctuation, and the characters whose Unicode name has the word PUNCTUATION: far from all of category P.
_PUNCTUATION = ("!-/:-@\\[-`{-~\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u061e\u0830-\u0835\u0837-\u083e\u085e\u0df4"
                "\u16eb-\u16ed\u1735\u1736\u1c3b-\u1c3f\u1c7e\u1c7f\u1cc0-\u1cc7\u2008\u2055\u2056\u2058-\u205a"
                "\u2e2a-\u2e2c\ua4fe\ua4ff\uaa5c-\uaa5f")
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
BASIC_TOKEN = re.compile(f"[{_PUNCTUATION}{_CJK}]|[^{WHITESPACE}{ISO_CONTROL}\ufffd{_PUNCTUATION}{_CJK}]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")


class Inputs(NamedTuple):
    """A text as the network sees it.

    The network tags entries: words that have a vector. word_ids: (n_entries,) the word of each; is_word_start:
    (n_entries,) false for an entry that takes part but whose tag is nobody's.
    sequences: the network's inputs, none without entries; windows: for each, which of the entries are its rows, and
    for which it answers. truncated_at: the code-point offset of the first word that is not read, or not to its end;
    None when all are. words, offsets: as `split` gives them.
    """

    text: str
    words: list[str]
    offsets: list[tuple[int, int]]
    sequences: list[Input]
    windows: list[Window]
    word_ids: np.ndarray
    is_word_start: np.ndarray
    truncated_at: int | None

    @property
    def parts(self) -> list[Window]:
        """One of all entries: a text is decoded as one sequence."""
        return [Window(0, len(self.word_ids), 0, len(self.word_ids))]


class _Part(NamedTuple):
    """What one pass of the network reads.

    owners, is_word_start: (n_entries,) as Inputs' word_ids and is_word_start; sources: (n_entries,) the word that
    each entry's piece is of, ascending; cut: the first word that is not read to its end, None when all are.
    """

    sequence: Input
    owners: np.ndarray
    is_word_start: np.ndarray
    sources: np.ndarray
    cut: int | None


class SparkPieceEncoder(PieceEncoder):
    """The WordPiece vocabulary of a tokenizer.json, applied by Spark NLP's rules."""

    def __init__(self, path: AnyPath, window: int, settings: SparkNLPConfig, vocab_size: int | None = None,
                 checksum: str | None = None) -> None:
        """Load the vocabulary.

        window: the most pieces, [CLS] and [SEP] included, of an input that is not truncated Spark NLP's way;
        vocab_size, checksum as in `PieceEncoder`.
        """
        super().__init__(path, window, vocab_size, checksum)
        self._vocabulary = self._tokenizer.get_vocab()
        self._unknown = self._vocabulary["[UNK]"]
        self._longest = max(map(len, self._vocabulary))
        self._settings = settings
        self._window = window

    def encode(self, words: Sequence[str], breaks: bytes = b"") -> Pieces:
        """Return the words' pieces, not truncated, for windows over them; a word may have none, a break has none."""
        pieces = [self._word_pieces(word)[:self._max_word_pieces] for word in words]
        return Pieces(array("I", (index for of_word in pieces for index, _ in of_word)),
                      array("q", accumulate(map(len, pieces), initial=0)))

    def inputs(self, text: str, words: list[str], offsets: list[tuple[int, int]], *, windows: bool = False) -> Inputs:
        """Return what the network sees of a text: as much as Spark NLP reads of it, or with windows everything.

        offsets: n_words of (start, end) in code points. A text that one window holds is read as without windows,
        however long Spark NLP would let it be.
        """
        begins = utf16_positions(text, np.array([start for start, _ in offsets], np.int64))
        limit = self._window if windows else self._settings.max_sentence_length
        cover = [Window(0, len(words), 0, len(words))]
        parts = [self._part(words, begins, cover[0], limit, None)]
        cut = parts[0].cut
        if windows and cut is not None:
            cover, cut = self.windows(self.encode(words).offsets), None
            parts = [self._part(words, begins, window, limit, self._max_word_pieces) for window in cover]
        rows: list[Window] = []
        word_ids, is_word_start, n_entries = [], [], 0
        for window, part in zip(cover, parts, strict=True):
            first, last = np.searchsorted(part.sources, [window.keep_start, window.keep_stop]).tolist()
            origin = n_entries - first
            rows.append(Window(origin, origin + len(part.sources), n_entries, origin + last))
            word_ids.append(part.owners[first:last])
            is_word_start.append(part.is_word_start[first:last])
            n_entries = origin + last
        kept = [i for i, part in enumerate(parts) if len(part.sources)]
        return Inputs(text, words, offsets, [parts[i].sequence for i in kept], [rows[i] for i in kept],
                      np.concatenate(word_ids), np.concatenate(is_word_start), None if cut is None else offsets[cut][0])

    def _part(self, words: list[str], begins: np.ndarray, window: Window, limit: int, word_limit: int | None) -> _Part:
        """Return what the network reads of a window of words.

        begins: (n_words,) in UTF-16 units; limit: of pieces, [CLS] and [SEP] included; word_limit: of a word's pieces.
        """
        n_seen, cut = max(limit - 2, 0), None
        ids: list[int] = []
        pieces: list[tuple[int, int, bool]] = []  # word, position, whether it is the word's first
        for word in range(window.start, window.stop):
            begin = int(begins[word])
            for i, (index, position) in enumerate(self._word_pieces(words[word])[:word_limit]):
                ids.append(index)
                pieces.append((word, begin + position, i == 0))
            if len(ids) > n_seen:
                cut = word
                break
        # One piece more than the encoder sees has a row to take its vector from: [SEP].
        sources, positions, is_first = np.array(pieces[:n_seen + 1], np.int64).reshape(-1, 3).T
        owners = window.start + np.searchsorted(begins[window.start:window.stop], positions)
        rows = np.flatnonzero(begins[np.minimum(owners, window.stop - 1)] == positions)
        owners = owners[rows]
        sequence = Input([self.cls_id, *ids[:n_seen], self.sep_id], (rows + 1).tolist(),
                         [self._cased(words[word]) for word in owners.tolist()])
        return _Part(sequence, owners, is_first[rows].astype(bool), sources[rows], cut)

    def _cased(self, word: str) -> str:
        return word if self._settings.case_sensitive else word.lower()

    def _word_pieces(self, word: str) -> list[tuple[int, int]]:
        """Return a word's pieces: ids, and where they begin, in UTF-16 units from the word's beginning."""
        word = word[:LONGEST_WORD]
        if word.isascii():
            if word.isalnum():  # most words: one basic token
                return self._wordpiece(self._cased(word), 0)
        else:  # two surrogates that stand together are one character to Java
            word = word.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        word = self._cased(word)
        for match in BASIC_TOKEN.finditer(word):
            token = match.group()
            if not token.isascii():
                token = self._cased(_ACCENTS.sub("", unicodedata.normalize("NFD", token)))
            if token:
                begin = utf16_length(word[:match.start()]) if self._settings.version == "3.2" else 0
                return self._wordpiece(token, begin)
        return []

    def _wordpiece(self, token: str, begin: int) -> list[tuple[int, int]]:
        if utf16_length(token) > MAX_WORD_LENGTH:
            return [(self._unknown, begin)]
        pieces: list[tuple[int, int]] = []
        start, prefix = 0, ""
        while start < len(token):
            for end in range(min(len(token), start + self._longest), start, -1):
                index = self._vocabulary.get(prefix + token[start:end])
                if index is not None:
                    break
            else:
                return [(self._unknown, begin)]
            pieces.append((index, begin + utf16_length(token[:start])))
            start, prefix = end, "##"
        return pieces
