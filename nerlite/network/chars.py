"""Character features of words: a convolution, a BiLSTM, or both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerlite.batch import offsets_of
from nerlite.config import CharsConfig
from nerlite.network.context import BiLSTM
from nerlite.network.parameters import floats
from nerlite.ops import Ops
from nerlite.weights import Tensors

# Padding that a convolution of width 3 can tell apart: beyond it, more padding adds no new sum.
MAX_PADDING = 3


class CharFeatures:
    """Words → features of their characters; each different word is computed once.

    A linear map of an embedding is a table lookup too, so the embeddings are multiplied by the convolution's kernel
    and by the LSTM's input weights when the model is loaded.
    """

    def __init__(self, ops: Ops, tensors: Tensors, config: CharsConfig) -> None:
        """Build the alphabet's lookup and the tables."""
        self._ops, self._config = ops, config
        self._codec, self._dtype = ("utf-16-le", "<u2") if config.unit == "utf16" else ("utf-32-le", "<u4")
        codes = [ord(character) for character in config.alphabet]
        self._ids = np.zeros(max(codes, default=0) + 2, np.int64)  # the last entry stands for all that lie beyond
        self._ids[codes] = np.arange(1, len(codes) + 1)
        if config.cnn:
            embeddings, kernel = floats(tensors, "chars.cnn.embeddings"), floats(tensors, "chars.cnn.conv.weight")
            self._taps = embeddings @ kernel.reshape(3, config.cnn.embedding_size, config.cnn.num_filters)
            self._bias = floats(tensors, "chars.cnn.conv.bias")
        if config.lstm:
            self._lstm = BiLSTM(ops, tensors, "chars.lstm", hard_sigmoid=config.lstm.gate_activation == "hard_sigmoid")
            embeddings = floats(tensors, "chars.lstm.embeddings")
            self._gates = self._lstm.gates(embeddings, np.array([0, len(embeddings)]))

    def __call__(self, words: Sequence[str], offsets: np.ndarray) -> np.ndarray:
        """words: n_words strings; offsets: (n_seqs + 1,) → (n_words, feature_size): CNN, LSTM forward, backward."""
        ids = {word: self._encode(word) for word in dict.fromkeys(words)}
        padding = np.zeros(len(words), np.int64)
        if self._config.cnn and self._config.cnn.pool == "longest":
            lengths = np.array([len(ids[word]) for word in words])
            for start, stop in zip(offsets[:-1], offsets[1:], strict=True):
                padding[start:stop] = lengths[start:stop].max(initial=0) - lengths[start:stop]
        keys = list(zip(words, np.minimum(padding, MAX_PADDING).tolist(), strict=True))
        index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        features: np.ndarray = self._features([ids[word] for word, _ in index], [pad for _, pad in index])
        return features[[index[key] for key in keys]]

    def _encode(self, word: str) -> np.ndarray:
        """Return the ids of a word's characters, at least one."""
        codes = np.frombuffer(word.encode(self._codec, "surrogatepass"), self._dtype)
        return self._ids[np.minimum(codes, len(self._ids) - 1)] if len(codes) else np.zeros(1, np.int64)

    def _features(self, ids: list[np.ndarray], padding: list[int]) -> np.ndarray:
        """ids: of each word's characters; padding: how much of it the convolution sees → (n_words, feature_size)."""
        parts = []
        if self._config.cnn:
            padded = [np.pad(word, (0, pad)) if pad else word for word, pad in zip(ids, padding, strict=True)]
            parts.append(self._ops.char_cnn(np.concatenate(padded), offsets_of(list(map(len, padded))),
                                            self._taps, self._bias))
        if self._config.lstm:
            parts.append(self._lstm.run(self._gates, np.concatenate(ids), offsets_of(list(map(len, ids))), final=True))
        return np.concatenate(parts, axis=1)
