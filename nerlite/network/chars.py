"""Character features of words: a convolution, a BiLSTM, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nerlite.batch import offsets_of
from nerlite.config import CharsConfig
from nerlite.memory import Memory
from nerlite.network.context import bilstm
from nerlite.network.parameters import floats
from nerlite.ops import Ops
from nerlite.weights import Tensors

# Padding that a convolution of width 3 can tell apart: beyond it, more padding adds no new sum.
MAX_PADDING = 3


class CharFeatures:
    """Words → features of their characters; a word that was seen lately is not computed again.

    A linear map of an embedding is a table lookup too, so the embeddings are multiplied by the convolution's kernel
    and by the LSTM's input weights when the model is loaded.
    """

    def __init__(self, ops: Ops, tensors: Tensors, config: CharsConfig) -> None:
        """Build the alphabet's lookup and the tables."""
        self._ops, self._config = ops, config
        self._codec, self._bytes = ("utf-16-le", 2) if config.unit == "utf16" else ("utf-32-le", 4)
        codes = [ord(character) for character in config.alphabet]
        self._ids = np.zeros(max(codes, default=0) + 2, np.int64)  # the last entry stands for all that lie beyond
        self._ids[codes] = np.arange(1, len(codes) + 1)
        if config.cnn:
            embeddings, kernel = floats(tensors, "chars.cnn.embeddings"), floats(tensors, "chars.cnn.conv.weight")
            self._taps = embeddings @ kernel.reshape(3, config.cnn.embedding_size, config.cnn.num_filters)
            self._bias = floats(tensors, "chars.cnn.conv.bias")
        if config.lstm:
            self._lstm = bilstm(ops, tensors, "chars.lstm", hard_sigmoid=config.lstm.gate_activation == "hard_sigmoid")
            embeddings = floats(tensors, "chars.lstm.embeddings")
            self._gates = self._lstm.project(embeddings, np.array([0, len(embeddings)]))
        self._features = Memory(self._compute, lambda key: key[0])

    def __call__(self, words: Sequence[str], offsets: np.ndarray) -> np.ndarray:
        """words: n_words strings; offsets: (n_seqs + 1,) → (n_words, feature_size): CNN, LSTM forward, backward."""
        padding = [0] * len(words)
        if self._config.cnn and self._config.cnn.pool == "longest":
            lengths = np.array([self._length(word) for word in words])
            longest = [lengths[start:stop].max(initial=0)
                       for start, stop in zip(offsets[:-1], offsets[1:], strict=True)]
            padding = np.minimum(np.repeat(longest, np.diff(offsets)) - lengths, MAX_PADDING).tolist()
        return np.array(self._features(list(zip(words, padding, strict=True))), np.float32)

    def _length(self, word: str) -> int:
        """Return how many characters the alphabet's unit sees in a word, at least one."""
        return max(len(word) if self._bytes == 4 else len(word.encode(self._codec, "surrogatepass")) // 2, 1)

    def _compute(self, keys: list[tuple[str, int]]) -> Iterator[np.ndarray]:
        """keys: words, and how much padding behind them the convolution sees → the features (feature_size,) of each."""
        codes = np.frombuffer("".join(word or "\0" for word, _ in keys).encode(self._codec, "surrogatepass"),
                              f"<u{self._bytes}")
        ids = self._ids[np.minimum(codes, len(self._ids) - 1)]
        lengths = np.array([self._length(word) for word, _ in keys])
        offsets = offsets_of(lengths)
        ids[offsets[:-1][[not word for word, _ in keys]]] = 0
        parts = []
        if self._config.cnn:
            padding = np.array([pad for _, pad in keys])
            padded = np.insert(ids, np.repeat(offsets[1:], padding), 0) if padding.any() else ids
            parts.append(self._ops.char_cnn(padded, offsets_of(lengths + padding), self._taps, self._bias))
        if self._config.lstm:
            parts.append(self._lstm(self._gates, ids, offsets, final=True))
        return map(np.copy, np.concatenate(parts, axis=1))  # copies, so that none keeps its neighbours in memory
