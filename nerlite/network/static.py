"""Static word embeddings: what a word means by itself, as learned from much more text than a tagger is trained on.

They are of words in lower case, and cased letters are the characters' features' part.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from nerlite.errors import ModelError
from nerlite.forms import LONGEST_WORD
from nerlite.network.parameters import checked, floats
from nerlite.weights import Tensors


def key_of(word: str) -> int:
    """Return the number that stands for a word in `static.keys`: the CRC-32 of its lower case as UTF-8."""
    return zlib.crc32(word[:LONGEST_WORD].lower().encode("utf-8", "surrogatepass"))


class StaticEmbeddings:
    """Words → their embeddings, which stay as they are stored: a table of 20,000 is of 2 MB so, not of 8."""

    def __init__(self, tensors: Tensors) -> None:
        """Take the tables; `ModelError` for keys that do not ascend, and rows that are not there."""
        self._keys, self._rows = tensors["static.keys"], tensors["static.rows"]
        self._table = checked("static.word_embeddings", tensors["static.word_embeddings"])
        self._scale = floats(tensors, "static.word_embeddings.scale") if self._table.dtype == np.int8 else None
        if (np.diff(self._keys.astype(np.int64)) <= 0).any():
            raise ModelError("static.keys: expected each number greater than the one before")
        if self._rows.max() >= len(self._table):
            raise ModelError(f"static.rows: expected numbers below {len(self._table):,}, got {self._rows.max():,}")

    def __call__(self, words: Iterable[str]) -> np.ndarray:
        """Return the embeddings of n words, (n, embedding_size) float32, zeros for a word without one."""
        keys = np.array([key_of(word) for word in words], np.uint32)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        rows = self._rows[places]
        embeddings = self._table[rows].astype(np.float32)
        if self._scale is not None:
            embeddings *= self._scale[rows, None]
        embeddings[self._keys[places] != keys] = 0
        return embeddings
