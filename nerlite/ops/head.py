"""What stands on the encoder, by compiled kernels: a word's scores, and the features of its characters."""

from __future__ import annotations

from functools import partial

import numpy as np

from nerlite.ops.arguments import (
    HEAD_STEPS,
    LAYER_STEPS,
    BiLSTM,
    CharFeatures,
    CharWeights,
    Direction,
    DirectionWork,
    HeadWeights,
    HeadWork,
    Linear,
    Score,
    Words,
)
from nerlite.ops.kept import Kept
from nerlite.ops.levels import Level
from nerlite.ops.library import Kernels
from nerlite.ops.packing import packed, padded, widen, widen_columns, widen_rows
from nerlite.ops.parameters import CharParameters, HeadParameters, LinearParameters, LSTMParameters, beside


class CharLayers:
    """A word's features of its characters, by a convolution, a BiLSTM of float32, or both."""

    def __init__(self, kernels: Kernels, parameters: CharParameters) -> None:
        """Pack the weights into panels, each gate widened by zeros to whole vectors; arguments as in the reference."""
        taps, bias, gates, lstm, hard_sigmoid = parameters
        hidden, level = gates.shape[1] // 8, kernels.level
        self._n_features, self._size = len(bias) + 2 * hidden, padded(hidden, level.lanes)
        self._kernels, self._kept = kernels, Kept()
        self._weights = CharWeights(
            taps=taps if len(bias) else np.zeros((3, 0, 0), np.float32), bias=bias,
            gates=widen(gates, hidden, self._size) if lstm else gates,
            directions=_directions(kernels, lstm, hidden, self._size) if lstm else [], hard_sigmoid=hard_sigmoid)

    def __call__(self, ids: np.ndarray, offsets: np.ndarray, padding: np.ndarray) -> np.ndarray:
        """Return each word's features; as the reference."""
        work = self._kept.take() or DirectionWork.allocate(
            **_work_lengths(self._kernels.level, self._size, is_int8=False))
        features = CharFeatures(
            weights=self._weights, work=work, ids=ids, offsets=offsets, padding=padding,
            by_length=longest_first(offsets), states=np.empty((len(padding), 2 * self._size), np.float32),
            out=np.zeros((len(padding), self._n_features), np.float32))
        self._kernels.char_layers(features)
        self._kept.give(work)
        out: np.ndarray = features.out
        return out


class Head:
    """All that makes a word's scores of its characters' features and its vector, in one call of a kernel."""

    def __init__(self, kernels: Kernels, parameters: HeadParameters) -> None:
        """Pack the weights into panels, each state widened by zeros to whole vectors; arguments as in the reference."""
        is_int8, dense, layers, residual, emission = parameters
        hidden, self._d_out = len(layers[0][0].w_hh.weight) if layers else 0, len(emission.bias)
        self._kernels, self._is_int8, self._size = kernels, is_int8, padded(hidden, kernels.level.lanes)
        columns, rows = (partial(each, size=hidden, wider=self._size) for each in (widen_columns, widen_rows))
        depth = kernels.level.depth if is_int8 else 1
        self._d_in = x_width = len((dense or emission).weight)
        if dense:
            x_width = padded(x_width, depth)
            dense = columns(dense) if layers and residual else dense
        y_width, bilstms = 0, []
        if layers:
            w_ih = [beside(*(columns(direction.w_ih) for direction in layer)) for layer in layers]
            w_ih = [rows(each) if i or residual else each for i, each in enumerate(w_ih)]
            y_width = padded(max(len(each.weight) for each in w_ih), depth)
            bilstms = [BiLSTM(w_ih=each, directions=_directions(kernels, layer, hidden, self._size))
                       for each, layer in zip(packed(kernels, w_ih, y_width), layers, strict=True)]
            emission = rows(emission)
        self.weights = HeadWeights(
            dense=packed(kernels, [dense], x_width)[0] if dense else Linear.empty(), layers=bilstms,
            emission=packed(kernels, [emission], len(emission.weight))[0], residual=residual, x_width=x_width,
            y_width=y_width)
        self._out_width = padded(self._d_out, kernels.level.columns)
        self.n_steps = HEAD_STEPS + LAYER_STEPS * len(layers)

    def __call__(self, characters: np.ndarray | None, vectors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return scores; as the reference."""
        n, d = vectors.shape
        words = self.words(characters, n, d, offsets)
        self._kernels.score(Score(head=self.weights, work=self.work(n), words=words, vectors=vectors, d=d,
                                  everything=np.arange(n), counters=np.zeros((self.n_steps, 2), np.int64)))
        return self.scores(words)

    def words(self, characters: np.ndarray | None, n: int, d: int, offsets: np.ndarray) -> Words:
        """Return what the kernel is called with for n words with vectors of d numbers."""
        if characters is None:
            characters = np.empty((n, 0), np.float32)
        if characters.shape != (n, self._d_in - d):
            raise ValueError(f"characters: expected {(n, self._d_in - d)}, got {characters.shape}")
        return Words(characters=characters, offsets=offsets, by_length=longest_first(offsets),
                     emissions=np.empty((n, self._out_width), np.float32))

    def work(self, n: int) -> HeadWork:
        """Return what the kernel works on, of n words at least."""
        level, weights, size = self._kernels.level, self.weights, self._size
        dense_width = len(weights.dense.panels) * level.columns
        work = HeadWork.allocate(
            n=n, x_width=weights.x_width,
            quantized={"n": n, "depth": max(weights.x_width, weights.y_width)},
            y_width=max(dense_width, weights.y_width, 2 * size), d_gates=8 * size, d_states=2 * size,
            directions=[_work_lengths(level, size, is_int8=self._is_int8)] * 2)
        work.x[:, self._d_in:] = 0  # nothing is written there
        return work if dense_width else work.with_(y=work.x)

    def scores(self, words: Words) -> np.ndarray:
        """Return the scores, (n_words, n_tags), that the kernel made."""
        scores: np.ndarray = words.emissions[:, :self._d_out].copy()
        return scores


def longest_first(offsets: np.ndarray) -> np.ndarray:
    """Return the sequences of a ragged batch, (n_seqs,) int64, in the order of their lengths."""
    n = len(offsets) - 1
    return (offsets[:-1] - offsets[1:]).argsort(kind="stable") if n > 1 else np.zeros(n, np.int64)


def _directions(kernels: Kernels, layer: tuple[LSTMParameters, LSTMParameters], hidden: int, size: int
                ) -> list[Direction]:
    """Return the weights of an LSTM's directions, each state widened by zeros."""
    w_hh: list[LinearParameters] = [widen_columns(each.w_hh, hidden, size) for each in layer]
    return [Direction(w_hh=linear, peepholes=widen(each.peepholes, hidden, size))
            for linear, each in zip(packed(kernels, w_hh, size), layer, strict=True)]


def _work_lengths(level: Level, size: int, *, is_int8: bool) -> dict[str, object]:
    """Return the lengths of a `DirectionWork` for states of a size."""
    return {"rows": level.rows, "hidden": size, "d_gates": 4 * size, "tile_rows": level.tile_rows,
            "columns": level.columns, "quantized": {"n": level.rows if is_int8 else 0, "depth": size}}
