"""The transformer encoder: DistilBERT, and BERT once its type-0 embedding is part of the positions."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from nerlite.config import EncoderConfig
from nerlite.network.parameters import floats, linear
from nerlite.weights import Tensors


class Encoder:
    """Post-LayerNorm transformer. Source: Sanh et al. 2019 (DistilBERT), Devlin et al. 2019 (BERT)."""

    def __init__(self, ops: ModuleType, tensors: Tensors, config: EncoderConfig) -> None:
        """Prepare the weights of all layers for the backend."""
        self._ops, self._eps = ops, config.layer_norm_eps
        self._words, self._word_scale = _table(tensors, "encoder.word_embeddings")
        self._places, self._place_scale = _table(tensors, "encoder.position_embeddings")
        self._norm = _norm(tensors, "encoder.embedding_norm")
        self.layers = [EncoderLayer(ops, tensors, f"encoder.layers.{i}", config)
                       for i in range(config.num_hidden_layers)]

    def embed(self, piece_ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """piece_ids, positions: (n_pieces,) → (n_pieces, hidden), normalized."""
        x = self._ops.embed(piece_ids, positions, self._words, self._word_scale, self._places, self._place_scale)
        normalized: np.ndarray = self._ops.layer_norm(x, *self._norm, self._eps)
        return normalized

    def __call__(self, piece_ids: np.ndarray, positions: np.ndarray, offsets: np.ndarray, rows: np.ndarray,
                 row_offsets: np.ndarray) -> np.ndarray:
        """Return the last hidden state of the rows that are asked for; the last layer computes no others.

        piece_ids, positions: (n_pieces,); offsets: (n_seqs + 1,); rows: (n_rows,) of piece_ids, a sequence after the
        other; row_offsets: (n_seqs + 1,) of rows → (n_rows, hidden).
        """
        x = self.embed(piece_ids, positions)
        everything = np.arange(len(x))
        for layer in self.layers[:-1]:
            x = layer(x, offsets, everything, offsets)
        return self.layers[-1](x, offsets, rows, row_offsets) if self.layers else x[rows]


class EncoderLayer:
    """Self-attention and feed-forward network, each added to its input and normalized."""

    def __init__(self, ops: ModuleType, tensors: Tensors, name: str, config: EncoderConfig) -> None:
        """Prepare the weights of layer NAME."""
        self._ops, self._eps, self._n_heads = ops, config.layer_norm_eps, config.num_attention_heads
        self._qkv = linear(ops, tensors, f"{name}.qkv")
        self._attention_out = linear(ops, tensors, f"{name}.attention_out")
        self._attention_norm = _norm(tensors, f"{name}.attention_norm")
        self._ffn_in = linear(ops, tensors, f"{name}.ffn_in", "gelu")
        self._ffn_out = linear(ops, tensors, f"{name}.ffn_out")
        self._ffn_norm = _norm(tensors, f"{name}.ffn_norm")

    def __call__(self, x: np.ndarray, offsets: np.ndarray, rows: np.ndarray, row_offsets: np.ndarray) -> np.ndarray:
        """x: (n_pieces, hidden); offsets, rows, row_offsets as in `Encoder` → (n_rows, hidden)."""
        ops = self._ops
        qkv = self._qkv(x, offsets)  # (n_pieces, 3 * hidden)
        mixed = ops.attention(qkv, offsets, self._n_heads, rows, row_offsets)  # (n_rows, hidden)
        x = ops.layer_norm(x[rows] + self._attention_out(mixed, row_offsets), *self._attention_norm, self._eps)
        inner = self._ffn_in(x, row_offsets)  # (n_rows, intermediate)
        out: np.ndarray = ops.layer_norm(x + self._ffn_out(inner, row_offsets), *self._ffn_norm, self._eps)
        return out


def _table(tensors: Tensors, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return an embedding table as it is stored (mapped, never copied) and the scale of each row."""
    table = tensors[name]
    return table, floats(tensors, f"{name}.scale") if table.dtype == np.int8 else np.ones(len(table), np.float32)


def _norm(tensors: Tensors, name: str) -> tuple[np.ndarray, np.ndarray]:
    return floats(tensors, f"{name}.weight"), floats(tensors, f"{name}.bias")
