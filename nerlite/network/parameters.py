"""How layers take their parameters out of a model's tensors."""

from __future__ import annotations

import numpy as np

from nerlite.config import CharsConfig, Config, EncoderConfig
from nerlite.errors import ModelError
from nerlite.ops.numpy_ops import Linear
from nerlite.ops.parameters import (
    CharParameters,
    Embeddings,
    EncoderParameters,
    HeadParameters,
    LayerParameters,
    LinearParameters,
    LSTMParameters,
    Norm,
    beside,
)
from nerlite.weights import INT8_LIMIT, Tensors

# Thousands of times what weights are; of numbers up to this no product of theirs grows beyond float32.
LARGEST = 1 << 20


def floats(tensors: Tensors, name: str) -> np.ndarray:
    """Return a tensor as a float32 array of its own (kernels want memory that is aligned and not read-only)."""
    return checked(name, np.array(tensors[name], np.float32))


def checked(name: str, array: np.ndarray) -> np.ndarray:
    """Return an array of a float type; `ModelError` for NaN, infinity and numbers beyond `LARGEST`."""
    if array.size and not -LARGEST <= float(array.min()) <= float(array.max()) <= LARGEST:
        raise ModelError(f"{name}: expected numbers up to ±{LARGEST:,}, got NaN, infinity or greater ones among them")
    return array


def linear_parameters(tensors: Tensors, weight: str, bias: str | None = None) -> LinearParameters:
    """Return the named weight as it is stored, with its scale where that is int8, and the named bias or zeros."""
    matrix = tensors[weight]
    if matrix.dtype == np.int8 and not -INT8_LIMIT <= matrix.min() <= matrix.max() <= INT8_LIMIT:
        raise ModelError(f"{weight}: expected whole numbers up to ±{INT8_LIMIT}, got some beyond")
    if matrix.dtype != np.int8:
        checked(weight, matrix)
    scale = floats(tensors, f"{weight}.scale") if matrix.dtype == np.int8 else None
    shift = np.zeros(matrix.shape[1], np.float32) if bias is None else floats(tensors, bias)
    return LinearParameters(matrix, shift, scale)


def encoder_parameters(tensors: Tensors, config: EncoderConfig) -> EncoderParameters:
    """Return the parameters of the encoder; layers are read when it is their turn."""
    def linear(name: str) -> LinearParameters:
        return linear_parameters(tensors, f"{name}.weight", f"{name}.bias")

    def norm(name: str) -> Norm:
        return Norm(floats(tensors, f"{name}.weight"), floats(tensors, f"{name}.bias"))

    def layer(name: str) -> LayerParameters:
        return LayerParameters(linear(f"{name}.qkv"), linear(f"{name}.attention_out"), norm(f"{name}.attention_norm"),
                               linear(f"{name}.ffn_in"), linear(f"{name}.ffn_out"), norm(f"{name}.ffn_norm"))

    shapes = (floats(tensors, "encoder.shape_embeddings") if "encoder.shape_embeddings" in tensors
              else np.zeros((1, config.hidden_size), np.float32))
    tables = Embeddings(*_table(tensors, "encoder.word_embeddings"), *_table(tensors, "encoder.position_embeddings"),
                        shapes)
    layers = (layer(f"encoder.layers.{i}") for i in range(config.num_hidden_layers))
    return EncoderParameters(tables, norm("encoder.embedding_norm"), layers, config.num_hidden_layers,
                             config.num_attention_heads, config.layer_norm_eps)


def _table(tensors: Tensors, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return an embedding table as it is stored and the scale of each row."""
    table = tensors[name]
    if table.dtype == np.int8:
        return table, floats(tensors, f"{name}.scale")
    return checked(name, table), np.ones(len(table), np.float32)


def bilstm_parameters(tensors: Tensors, name: str, *, peepholes: bool = False) -> tuple[LSTMParameters, LSTMParameters]:
    """Return the parameters of NAME.forward and NAME.backward; peepholes: whether the model has them, else zeros."""
    def direction(name: str) -> LSTMParameters:
        w_hh = linear_parameters(tensors, f"{name}.w_hh")
        return LSTMParameters(linear_parameters(tensors, f"{name}.w_ih", f"{name}.bias"), w_hh,
                              floats(tensors, f"{name}.peepholes") if peepholes
                              else np.zeros((3, len(w_hh.weight)), np.float32))

    return direction(f"{name}.forward"), direction(f"{name}.backward")


def char_parameters(tensors: Tensors, config: CharsConfig) -> CharParameters:
    """Return the parameters of characters' convolution and BiLSTM, whichever there are, as tables of characters."""
    taps, bias, gates, lstm = (*(np.zeros((0,) * n, np.float32) for n in (3, 1, 2)), None)
    if config.cnn:
        taps = floats(tensors, "chars.cnn.embeddings") @ floats(tensors, "chars.cnn.conv.weight").reshape(
            3, config.cnn.embedding_size, config.cnn.num_filters)
        bias = floats(tensors, "chars.cnn.conv.bias")
    if config.lstm:
        lstm = bilstm_parameters(tensors, "chars.lstm")
        # A row alone: BLAS would share out the whole table to threads, which then spin for a while.
        gates = Linear(beside(*(direction.w_ih for direction in lstm))).each(floats(tensors, "chars.lstm.embeddings"))
    return CharParameters(taps, bias, gates, lstm,
                          config.lstm is not None and config.lstm.gate_activation == "hard_sigmoid")


def head_parameters(tensors: Tensors, config: Config) -> HeadParameters:
    """Return the parameters of the context network and the emission layer."""
    context = config.context
    return HeadParameters(
        config.dtype == "int8",
        linear_parameters(tensors, "context.dense.weight", "context.dense.bias") if context else None,
        [bilstm_parameters(tensors, f"context.layers.{i}", peepholes=context.cell == "peephole")
         for i in range(context.num_layers)] if context else [],
        bool(context and context.residual), linear_parameters(tensors, "emissions.weight", "emissions.bias"))
