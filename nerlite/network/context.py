"""The context network: dense + ReLU, then stacked bidirectional LSTM layers."""

from __future__ import annotations

import numpy as np

from nerlite.config import ContextConfig
from nerlite.network.parameters import floats, linear_parameters
from nerlite.ops import Ops
from nerlite.weights import Tensors


class BiLSTM:
    """An LSTM over each sequence in both directions."""

    def __init__(self, ops: Ops, tensors: Tensors, name: str, *, hard_sigmoid: bool = False,
                 peepholes: bool = False) -> None:
        """Prepare the weights NAME.forward and NAME.backward; the variants are those of `ops.LSTM`."""
        names = [f"{name}.forward", f"{name}.backward"]
        self._directions = [
            ops.LSTM(linear_parameters(tensors, f"{n}.w_ih", f"{n}.bias"),
                     linear_parameters(tensors, f"{n}.w_hh"), reverse=n.endswith("backward"), hard_sigmoid=hard_sigmoid,
                     peepholes=floats(tensors, f"{n}.peepholes") if peepholes else None) for n in names]

    def gates(self, x: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
        """x: (n_rows, d_in); offsets: (n_seqs + 1,) → what the input adds to each direction's gates, for `run`."""
        return [direction.project(x, offsets) for direction in self._directions]

    def run(self, gates: list[np.ndarray], rows: np.ndarray, offsets: np.ndarray, *, final: bool) -> np.ndarray:
        """Run both directions over steps that read rows of the gates.

        rows: (n_steps,) of the gates; offsets: (n_seqs + 1,) of rows
        → [forward, backward] hidden states (n_steps, 2 * hidden), or each direction's final ones (n_seqs, 2 * hidden).
        """
        return np.concatenate([direction(each, rows, offsets, final=final)
                               for direction, each in zip(self._directions, gates, strict=True)], axis=1)

    def __call__(self, x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """x: (n_rows, d_in); offsets: (n_seqs + 1,) → (n_rows, 2 * hidden)."""
        return self.run(self.gates(x, offsets), np.arange(len(x)), offsets, final=False)


class Context:
    """Dense + ReLU, then BiLSTM layers, each with or without its input added."""

    def __init__(self, ops: Ops, tensors: Tensors, config: ContextConfig) -> None:
        """Prepare the weights of all layers."""
        self._residual = config.residual
        self.dense = ops.Linear(linear_parameters(tensors, "context.dense.weight", "context.dense.bias"), "relu")
        self.layers = [BiLSTM(ops, tensors, f"context.layers.{i}", peepholes=config.cell == "peephole")
                       for i in range(config.num_layers)]

    def __call__(self, x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """x: (n_words, features); offsets: (n_seqs + 1,) → (n_words, 2 * hidden), or dense_size without layers."""
        y: np.ndarray = self.dense(x, offsets)
        for layer in self.layers:
            y = y + layer(y, offsets) if self._residual else layer(y, offsets)
        return y
