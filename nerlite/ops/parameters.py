"""What the layers of every backend are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class LinearParameters(NamedTuple):
    """weight (d_in, d_out) of a float type, or int8 with scale (d_out,) and value weight * scale; bias (d_out,)."""

    weight: np.ndarray
    bias: np.ndarray
    scale: np.ndarray | None = None


def beside(a: LinearParameters, b: LinearParameters) -> LinearParameters:
    """Return one layer that does the work of two on the same input: first a's columns, then b's."""
    scale = None if a.scale is None or b.scale is None else np.concatenate([a.scale, b.scale])
    return LinearParameters(np.concatenate([a.weight, b.weight], axis=1), np.concatenate([a.bias, b.bias]), scale)


class Norm(NamedTuple):
    """The scale and shift of a layer normalization, (d,) float32 each."""

    weight: np.ndarray
    bias: np.ndarray


class Embeddings(NamedTuple):
    """Tables of any number type, words (vocab_size, d) and places (max_positions, d), each row times its scale (n,).

    shapes: (n_shapes, d) float32, what is added for how a word is written; a row of zeros where nothing is.
    """

    words: np.ndarray
    word_scale: np.ndarray
    places: np.ndarray
    place_scale: np.ndarray
    shapes: np.ndarray


class LayerParameters(NamedTuple):
    """One layer of a transformer: qkv (d, 3 * d), attention_out (d, d), ffn_in (d, d_inner), ffn_out (d_inner, d)."""

    qkv: LinearParameters
    attention_out: LinearParameters
    attention_norm: Norm
    ffn_in: LinearParameters
    ffn_out: LinearParameters
    ffn_norm: Norm


class EncoderParameters(NamedTuple):
    """A transformer: the sum of its tables is normalized, and goes through its layers.

    layers: n_layers of them, which may be made as they are asked for; eps: what each normalization adds to a variance.
    """

    tables: Embeddings
    embedding_norm: Norm
    layers: Iterable[LayerParameters]
    n_layers: int
    n_heads: int
    eps: float


class LSTMParameters(NamedTuple):
    """One direction of an LSTM: w_ih (d_in, 4 * hidden) and w_hh (hidden, 4 * hidden), blocks i, f, g, o.

    w_hh's bias is zeros; peepholes: (3, hidden) for i, f and o: the cell state times these is added before the gate's
    sigmoid, the old state for i and f, the new one for o.
    """

    w_ih: LinearParameters
    w_hh: LinearParameters
    peepholes: np.ndarray


class CharParameters(NamedTuple):
    """What makes a word's features of its characters: a convolution of width 3, a BiLSTM of float32, or both.

    Both read a table of embeddings, and a linear map of an embedding is a table too. taps: (3, n_ids, n_filters), what
    the character before, at and after a position adds to it (embeddings @ kernel); bias: (n_filters,), none where there
    is no convolution; gates: (n_ids, 2 * 4 * hidden), what a character adds to those of both directions (embeddings @
    w_ih + bias); lstm: forward and backward, or None; hard_sigmoid: its gates' activation.
    """

    taps: np.ndarray
    bias: np.ndarray
    gates: np.ndarray
    lstm: tuple[LSTMParameters, LSTMParameters] | None
    hard_sigmoid: bool


class HeadParameters(NamedTuple):
    """What makes a word's scores of its features: dense + ReLU, BiLSTM layers, a linear layer of float32.

    is_int8: whether it stands on an int8 encoder; dense and layers are int8 then; dense: None where features go
    straight on, and there are no layers; layers: forward and backward; residual: each one's input is added to it.
    """

    is_int8: bool
    dense: LinearParameters | None
    layers: Sequence[tuple[LSTMParameters, LSTMParameters]]
    residual: bool
    emission: LinearParameters
