"""The parameters of LSTMs, and of what makes a word's scores: the context network and the emission layer."""

from __future__ import annotations

import numpy as np

from nerlite.config import Config
from nerlite.network.parameters import floats, linear_parameters
from nerlite.ops.parameters import HeadParameters, LSTMParameters
from nerlite.weights import Tensors


def bilstm_parameters(tensors: Tensors, name: str, *, peepholes: bool = False) -> tuple[LSTMParameters, LSTMParameters]:
    """Return the parameters of NAME.forward and NAME.backward; without peepholes these are zeros."""
    def direction(name: str) -> LSTMParameters:
        w_hh = linear_parameters(tensors, f"{name}.w_hh")
        return LSTMParameters(linear_parameters(tensors, f"{name}.w_ih", f"{name}.bias"), w_hh,
                              floats(tensors, f"{name}.peepholes") if peepholes
                              else np.zeros((3, len(w_hh.weight)), np.float32))

    return direction(f"{name}.forward"), direction(f"{name}.backward")


def head_parameters(tensors: Tensors, config: Config) -> HeadParameters:
    """Return the parameters of the context network and the emission layer."""
    context = config.context
    return HeadParameters(
        config.dtype == "int8",
        linear_parameters(tensors, "context.dense.weight", "context.dense.bias") if context else None,
        [bilstm_parameters(tensors, f"context.layers.{i}", peepholes=context.cell == "peephole")
         for i in range(context.num_layers)] if context else [],
        bool(context and context.residual), linear_parameters(tensors, "emissions.weight", "emissions.bias"))
