"""The context network: dense + ReLU, then stacked bidirectional LSTM layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nerlite.config import ContextConfig
from nerlite.network.parameters import floats, linear_parameters
from nerlite.ops import Ops
from nerlite.ops.parameters import LSTMParameters
from nerlite.weights import Tensors


def bilstm(ops: Ops, tensors: Tensors, name: str, *, hard_sigmoid: bool = False, peepholes: bool = False) -> Any:
    """Return the backend's BiLSTM with the weights NAME.forward and NAME.backward."""
    return ops.BiLSTM(*(lstm_parameters(tensors, f"{name}.{direction}", peepholes=peepholes)
                        for direction in ("forward", "backward")), hard_sigmoid=hard_sigmoid)


def lstm_parameters(tensors: Tensors, name: str, *, peepholes: bool) -> LSTMParameters:
    """Return the named direction's parameters; without peepholes these are zeros."""
    w_hh = linear_parameters(tensors, f"{name}.w_hh")
    return LSTMParameters(linear_parameters(tensors, f"{name}.w_ih", f"{name}.bias"), w_hh,
                          floats(tensors, f"{name}.peepholes") if peepholes
                          else np.zeros((3, len(w_hh.weight)), np.float32))


class Context:
    """Dense + ReLU, then BiLSTM layers, each with or without its input added."""

    def __init__(self, ops: Ops, tensors: Tensors, config: ContextConfig) -> None:
        """Prepare the weights of all layers."""
        self._residual = config.residual
        self.dense = ops.Linear(linear_parameters(tensors, "context.dense.weight", "context.dense.bias"), "relu")
        self.layers = [bilstm(ops, tensors, f"context.layers.{i}", peepholes=config.cell == "peephole")
                       for i in range(config.num_layers)]

    def __call__(self, x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """x: (n_words, features); offsets: (n_seqs + 1,) → (n_words, 2 * hidden), or dense_size without layers."""
        y: np.ndarray = self.dense(x, offsets)
        everything = np.arange(len(x))
        for layer in self.layers:
            hidden = layer(layer.project(y, offsets), everything, offsets)
            y = y + hidden if self._residual else hidden
        return y
