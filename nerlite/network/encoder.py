"""The transformer encoder: DistilBERT, and BERT once its type-0 embedding is part of the positions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from nerlite.config import EncoderConfig
from nerlite.network.parameters import checked, floats, linear_parameters
from nerlite.ops import Ops
from nerlite.ops.numpy_ops import Head, Linear, attention, embed, layer_norm
from nerlite.ops.parameters import Embeddings, LayerParameters, LinearParameters, Norm
from nerlite.threads import Workers
from nerlite.weights import Tensors


class Encoder:
    """Post-LayerNorm transformer. Source: Sanh et al. 2019 (DistilBERT), Devlin et al. 2019 (BERT).

    A backend that has all layers in one call runs those; else it is `Layers`, which says what they compute.
    """

    def __init__(self, ops: Ops, tensors: Tensors, config: EncoderConfig) -> None:
        """Prepare the weights of all layers for the backend."""
        tables = itertools.chain.from_iterable(_table(tensors, f"encoder.{name}_embeddings")
                                               for name in ("word", "position"))
        layers = (_layer(tensors, f"encoder.layers.{i}") for i in range(config.num_hidden_layers))
        self._layers = getattr(ops, "EncoderLayers", Layers)(
            Embeddings(*tables), layers, config.num_hidden_layers, _norm(tensors, "encoder.embedding_norm"),
            config.num_attention_heads, config.layer_norm_eps)

    def __call__(self, piece_ids: np.ndarray, positions: np.ndarray, offsets: np.ndarray, rows: np.ndarray,
                 row_offsets: np.ndarray, workers: Workers | None = None, head: Any = None,
                 characters: np.ndarray | None = None) -> np.ndarray:
        """Return the last hidden state of the rows that are asked for; the last layer computes no others.

        piece_ids, positions: (n_pieces,) int64; offsets: (n_seqs + 1,); rows: (n_rows,) of piece_ids, a sequence after
        the other; row_offsets: (n_seqs + 1,) of rows; workers: threads that may help; head, characters: the backend's
        `Head` that is to make scores of the states, and its other input → (n_rows, hidden), or (n_rows, n_tags) scores.
        """
        hidden: np.ndarray = self._layers(piece_ids, positions, offsets, rows, row_offsets, workers, head, characters)
        return hidden


class Layers:
    """All layers: attention and a feed-forward network, each added to its input and normalized."""

    def __init__(self, tables: Embeddings, layers: Iterable[LayerParameters], n_layers: int, embedding_norm: Norm,
                 n_heads: int, eps: float) -> None:
        """Prepare the weights; layers (n_layers of them) may be made as they are asked for."""
        self._tables, self._norm, self._n_heads, self._eps = tables, embedding_norm, n_heads, eps
        self._layers = [Layer(layer, n_heads, eps) for layer in layers]

    def __call__(self, ids: np.ndarray, positions: np.ndarray, offsets: np.ndarray, rows: np.ndarray,
                 row_offsets: np.ndarray, workers: Workers | None = None, head: Head | None = None,
                 characters: np.ndarray | None = None) -> np.ndarray:
        """Return what `Encoder` does; ids, positions: (n_rows,); rows: (n_asked,); no worker helps."""
        x = layer_norm(embed(ids, positions, self._tables), *self._norm, self._eps)  # (n_rows, d)
        everything = np.arange(len(x))
        for layer in self._layers[:-1]:
            x = layer(x, offsets, everything, offsets)  # (n_rows, d)
        x = self._layers[-1](x, offsets, rows, row_offsets) if self._layers else x[rows]  # (n_asked, d)
        scores: np.ndarray = head(characters, x, row_offsets) if head else x  # (n_asked, n_tags)
        return scores


class Layer:
    """One layer, of float32 or int8 weights."""

    def __init__(self, parameters: LayerParameters, n_heads: int, eps: float) -> None:
        """Prepare the weights."""
        self._is_int8, self._n_heads, self._eps = parameters.qkv.scale is not None, n_heads, eps
        self._qkv, self._attention_out = Linear(parameters.qkv), Linear(parameters.attention_out)
        self._ffn_in = Linear(parameters.ffn_in, "coarse_gelu" if self._is_int8 else "gelu")
        self._ffn_out = Linear(parameters.ffn_out)
        self._attention_norm, self._ffn_norm = parameters.attention_norm, parameters.ffn_norm

    def __call__(self, x: np.ndarray, offsets: np.ndarray, rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return the layer's output of the rows asked for: x (n_rows, d) → (n_asked, d); ends: offsets of rows."""
        qkv = self._qkv(x, offsets)  # (n_rows, 3 * d)
        mixed = attention(qkv, offsets, self._n_heads, rows, ends, quantized=self._is_int8)  # (n_asked, d)
        y = x[rows] + self._attention_out(mixed, ends)  # (n_asked, d)
        y = layer_norm(y, *self._attention_norm, self._eps)  # (n_asked, d)
        inner = self._ffn_in(y, ends)  # (n_asked, d_inner), after GELU
        y = y + self._ffn_out(inner, ends)  # (n_asked, d)
        return layer_norm(y, *self._ffn_norm, self._eps)  # (n_asked, d)


def _layer(tensors: Tensors, name: str) -> LayerParameters:
    def linear(part: str) -> LinearParameters:
        return linear_parameters(tensors, f"{name}.{part}.weight", f"{name}.{part}.bias")

    return LayerParameters(linear("qkv"), linear("attention_out"), _norm(tensors, f"{name}.attention_norm"),
                           linear("ffn_in"), linear("ffn_out"), _norm(tensors, f"{name}.ffn_norm"))


def _table(tensors: Tensors, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return an embedding table as it is stored and the scale of each row."""
    table = tensors[name]
    if table.dtype == np.int8:
        return table, floats(tensors, f"{name}.scale")
    return checked(name, table), np.ones(len(table), np.float32)


def _norm(tensors: Tensors, name: str) -> Norm:
    return Norm(floats(tensors, f"{name}.weight"), floats(tensors, f"{name}.bias"))
