"""The transformer encoder: DistilBERT, and BERT once its type-0 embedding is part of the positions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from nerlite.config import EncoderConfig
from nerlite.network.parameters import checked, floats, linear_parameters
from nerlite.ops import Ops
from nerlite.ops.parameters import Embeddings, LayerParameters, LinearParameters, Norm
from nerlite.threads import Workers
from nerlite.weights import Tensors


class Encoder:
    """Post-LayerNorm transformer. Source: Sanh et al. 2019 (DistilBERT), Devlin et al. 2019 (BERT).

    Its forward pass, line by line: `nerlite.ops.numpy_ops.EncoderLayers`, the reference that every backend agrees with.
    """

    def __init__(self, ops: Ops, tensors: Tensors, config: EncoderConfig) -> None:
        """Prepare the weights of all layers for the backend."""
        tables = itertools.chain.from_iterable(_table(tensors, f"encoder.{name}_embeddings")
                                               for name in ("word", "position"))
        layers = (_layer(tensors, f"encoder.layers.{i}") for i in range(config.num_hidden_layers))
        self._layers = ops.EncoderLayers(Embeddings(*tables), layers, config.num_hidden_layers,
                                         _norm(tensors, "encoder.embedding_norm"), config.num_attention_heads,
                                         config.layer_norm_eps)

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
