"""The weights of an encoder, packed for its kernel."""

from __future__ import annotations

import numpy as np

from nerlite.ops.arguments import EncoderLayer, EncoderWeights, Linear
from nerlite.ops.arguments import Norm as NormRecord
from nerlite.ops.levels import Level
from nerlite.ops.library import Kernels
from nerlite.ops.packing import lengths_of, pack, padded, widen_columns, widen_rows
from nerlite.ops.parameters import Embeddings, EncoderParameters, LayerParameters, Norm


def pack_encoder(kernels: Kernels, parameters: EncoderParameters, *, with_tables: bool) -> EncoderWeights:
    """Pack the weights of all layers into panels; with_tables: whether the kernel reads the tables itself."""
    tables, embedding_norm, layers, n_layers, n_heads, eps = parameters
    level, d = kernels.level, len(embedding_norm.bias)
    size, d_padded = padded(d // n_heads, level.width), padded(d, level.columns)
    records: list[EncoderLayer] = []
    is_int8 = False
    for i, layer in enumerate(layers):
        if i == 0:  # all at once, in one stretch of memory
            is_int8 = layer.qkv.scale is not None
            size = padded(d // n_heads, level.head(is_int8=is_int8))
            records = EncoderLayer.allocate_each([_lengths(level, layer, d, n_heads * size)] * n_layers)
        _pack_layer(kernels, layer, records[i], d // n_heads, size)
    norm = NormRecord.allocate(d=d_padded)
    _pack_norm(embedding_norm, norm)
    if not with_tables:
        tables = Embeddings(*(np.zeros((0, d), np.int8), np.zeros(0, np.float32)) * 2, np.zeros((0, d), np.float32))
    return EncoderWeights(
        **tables._asdict(), norm=norm, zeros=np.zeros(d_padded, np.float32), layers=records, is_int8=is_int8, d=d,
        size=size, n_heads=n_heads, factor=float(np.float32(1 / np.sqrt(d // n_heads))), eps=eps,
        bell=np.zeros(1, np.int64))


def mixed_width(level: Level, heads: int, *, is_int8: bool) -> int:
    """Return how many numbers of a row attention gives for products to read: those of all heads, and zeros."""
    return padded(heads, level.depth) if is_int8 else heads


def _lengths(level: Level, layer: LayerParameters, d: int, heads: int) -> dict[str, object]:
    """Return the lengths of the records of layers like this one; heads: numbers of all heads together."""
    is_int8, d_padded = layer.qkv.scale is not None, padded(d, level.columns)
    d_inner = padded(len(layer.ffn_in.bias), level.columns)

    def linear(d_in: int, d_out: int) -> dict[str, int]:
        return lengths_of(d_in, d_out, level, is_int8=is_int8)

    return {"qkv": linear(d_padded, 3 * heads), "attention_norm": {"d": d_padded}, "ffn_norm": {"d": d_padded},
            "attention_out": linear(mixed_width(level, heads, is_int8=is_int8), d), "ffn_in": linear(d_padded, d_inner),
            "ffn_out": linear(d_inner, d)}


def _pack_layer(kernels: Kernels, layer: LayerParameters, into: EncoderLayer, size: int, wider: int) -> None:
    """Fill one layer's record, each head widened by zeros."""
    qkv, attention_out = layer.qkv, layer.attention_out
    if wider != size:
        qkv, attention_out = widen_columns(qkv, size, wider), widen_rows(attention_out, size, wider)
    linears: tuple[Linear, ...] = into.qkv, into.attention_out, into.ffn_in, into.ffn_out
    for linear, record in zip((qkv, attention_out, layer.ffn_in, layer.ffn_out), linears, strict=True):
        pack(kernels, linear, record)
    _pack_norm(layer.attention_norm, into.attention_norm)
    _pack_norm(layer.ffn_norm, into.ffn_norm)


def _pack_norm(norm: Norm, into: NormRecord) -> None:
    for given, array in ((norm.weight, into.weight), (norm.bias, into.bias)):
        array[:len(given)], array[len(given):] = given, 0
