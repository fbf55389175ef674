"""Character features of words: a convolution, a BiLSTM, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nerlite.batch import offsets_of
from nerlite.config import CharsConfig
from nerlite.forms import LONGEST_WORD
from nerlite.memo import Memo
from nerlite.network.parameters import char_parameters
from nerlite.ops import Ops
from nerlite.weights import Tensors

# Padding that a convolution of width 3 can tell apart: beyond it, more padding adds no new sum.
MAX_PADDING = 3


class CharFeatures:
    """Words → features of their characters; a word that was seen lately is not computed again."""

    def __init__(self, ops: Ops, tensors: Tensors, config: CharsConfig) -> None:
        self._config = config
        self._ids = {character: i for i, character in enumerate(config.alphabet, 1)}
        self._layers = ops.CharLayers(char_parameters(tensors, config))
        self._features = Memo(self._compute, lambda key: key[0])

    def __call__(self, words: Sequence[str], offsets: np.ndarray) -> np.ndarray:
        """words: n_words ≥ 1 strings; offsets: (n_seqs + 1,) → (n_words, feature_size): CNN, LSTM forward, backward."""
        padding = [0] * len(words)
        if self._config.cnn and self._config.cnn.pool == "longest":
            lengths = np.array([len(self._ids_of(word)) for word in words])
            longest = [lengths[start:stop].max(initial=0)
                       for start, stop in zip(offsets[:-1], offsets[1:], strict=True)]
            padding = np.minimum(np.repeat(longest, np.diff(offsets)) - lengths, MAX_PADDING).tolist()
        features = b"".join(self._features(list(zip(words, padding, strict=True))))  # faster than of small arrays
        return np.frombuffer(features, np.float32).reshape(len(words), -1)

    def _ids_of(self, word: str) -> list[int]:
        """Return the ids of a word's characters, at least one."""
        word = word[:LONGEST_WORD]
        if self._config.unit == "utf16" and not word.isascii():
            units = np.frombuffer(word.encode("utf-16-le", "surrogatepass"), "<u2").tolist()
            return [self._ids.get(chr(unit), 0) for unit in units]
        return [self._ids.get(character, 0) for character in word] or [0]

    def _compute(self, keys: list[tuple[str, int]]) -> Iterator[bytes]:
        """keys: words, and how much padding behind them the convolution sees → the features (feature_size,) of each."""
        ids = [self._ids_of(word) for word, _ in keys]
        features = self._layers(np.array([index for each in ids for index in each], np.int64),
                                offsets_of(map(len, ids)), np.array([padding for _, padding in keys], np.int64))
        return (row.tobytes() for row in features)
