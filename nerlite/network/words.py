"""What a word is by itself, without the words around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nerlite.config import Config
from nerlite.memory import Memory
from nerlite.network.chars import CharFeatures
from nerlite.network.static import StaticEmbeddings
from nerlite.ops import Ops
from nerlite.weights import Tensors


class WordFeatures:
    """Words → their characters' features and static embeddings; a word that was seen lately is not computed again."""

    def __init__(self, ops: Ops, tensors: Tensors, config: Config) -> None:
        """Build the parts that the config names, at least one."""
        self._chars = CharFeatures(ops, tensors, config.chars) if config.chars else None
        self._static = StaticEmbeddings(tensors) if config.static else None
        self._features = Memory(self._compute, lambda key: key[0])

    def __call__(self, words: Sequence[str], offsets: np.ndarray) -> np.ndarray:
        """words: n_words ≥ 1 strings; offsets: (n_seqs + 1,) → (n_words, chars' feature_size + embedding_size)."""
        padding = self._chars.padding(words, offsets) if self._chars else [0] * len(words)
        features = b"".join(self._features(list(zip(words, padding, strict=True))))  # faster than of small arrays
        return np.frombuffer(features, np.float32).reshape(len(words), -1)

    def _compute(self, keys: list[tuple[str, int]]) -> Iterator[bytes]:
        """keys: words, and how much padding behind them the characters' convolution sees → the features of each."""
        words, padding = zip(*keys, strict=True)
        parts = [self._chars(words, padding)] if self._chars else []
        parts += [self._static(words)] if self._static else []
        return (row.tobytes() for row in np.concatenate(parts, axis=1))
