"""Character features of words: a convolution, a BiLSTM, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nerlite.batch import offsets_of
from nerlite.config import CharsConfig
from nerlite.memory import Memory
from nerlite.network.parameters import bilstm_parameters, floats
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
        self._ids = {character: i for i, character in enumerate(config.alphabet, 1)}
        if config.cnn:
            embeddings, kernel = floats(tensors, "chars.cnn.embeddings"), floats(tensors, "chars.cnn.conv.weight")
            self._taps = embeddings @ kernel.reshape(3, config.cnn.embedding_size, config.cnn.num_filters)
            self._bias = floats(tensors, "chars.cnn.conv.bias")
        if config.lstm:
            self._lstm = ops.BiLSTM(*bilstm_parameters(tensors, "chars.lstm"),
                                    hard_sigmoid=config.lstm.gate_activation == "hard_sigmoid")
            embeddings = floats(tensors, "chars.lstm.embeddings")
            self._gates = self._lstm.project(embeddings, np.array([0, len(embeddings)]))
        self._features = Memory(self._compute, lambda key: key[0])

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
        if self._config.unit == "utf16" and not word.isascii():
            units = np.frombuffer(word.encode("utf-16-le", "surrogatepass"), "<u2").tolist()
            return [self._ids.get(chr(unit), 0) for unit in units]
        return [self._ids.get(character, 0) for character in word] or [0]

    def _compute(self, keys: list[tuple[str, int]]) -> Iterator[bytes]:
        """keys: words, and how much padding behind them the convolution sees → the features (feature_size,) of each."""
        ids = [self._ids_of(word) for word, _ in keys]
        rows, parts = _ragged(ids), []
        if self._config.cnn:
            padded = [each + [0] * padding for each, (_, padding) in zip(ids, keys, strict=True)]
            parts.append(self._ops.char_cnn(*(rows if padded == ids else _ragged(padded)), self._taps, self._bias))
        if self._config.lstm:
            parts.append(self._lstm(self._gates, *rows, final=True))
        for row in np.concatenate(parts, axis=1):
            yield row.tobytes()


def _ragged(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows' numbers, one row after another, and where each begins."""
    return np.array([number for row in rows for number in row], np.int64), offsets_of(map(len, rows))
