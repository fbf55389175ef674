"""Character features of words: a convolution, a BiLSTM, or both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerlite.batch import offsets_of
from nerlite.config import CharsConfig
from nerlite.forms import LONGEST_WORD
from nerlite.network.parameters import char_parameters
from nerlite.ops import Ops
from nerlite.weights import Tensors

# Padding that a convolution of width 3 can tell apart: beyond it, more padding adds no new sum.
MAX_PADDING = 3


class CharFeatures:
    """Words → features of their characters."""

    def __init__(self, ops: Ops, tensors: Tensors, config: CharsConfig) -> None:
        """Build the alphabet's lookup and the tables."""
        self._config = config
        self._ids = {character: i for i, character in enumerate(config.alphabet, 1)}
        self._layers = ops.CharLayers(char_parameters(tensors, config))

    def padding(self, words: Sequence[str], offsets: np.ndarray) -> list[int]:
        """Return how much padding behind each word the convolution sees; offsets: (n_seqs + 1,) of n_words words."""
        if not (self._config.cnn and self._config.cnn.pool == "longest"):
            return [0] * len(words)
        lengths = np.array([len(self._ids_of(word)) for word in words])
        longest = [lengths[start:stop].max(initial=0) for start, stop in zip(offsets[:-1], offsets[1:], strict=True)]
        padding: list[int] = np.minimum(np.repeat(longest, np.diff(offsets)) - lengths, MAX_PADDING).tolist()
        return padding

    def __call__(self, words: Sequence[str], padding: Sequence[int]) -> np.ndarray:
        """Return the features of n_words ≥ 1 words, (n_words, feature_size): CNN, LSTM forward, backward."""
        ids = [self._ids_of(word) for word in words]
        features: np.ndarray = self._layers(np.array([index for each in ids for index in each], np.int64),
                                            offsets_of(map(len, ids)), np.array(padding, np.int64))
        return features

    def _ids_of(self, word: str) -> list[int]:
        """Return the ids of a word's characters, at least one."""
        word = word[:LONGEST_WORD]
        if self._config.unit == "utf16" and not word.isascii():
            units = np.frombuffer(word.encode("utf-16-le", "surrogatepass"), "<u2").tolist()
            return [self._ids.get(chr(unit), 0) for unit in units]
        return [self._ids.get(character, 0) for character in word] or [0]
