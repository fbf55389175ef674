"""The operations of the network in plain NumPy: the specification of each, and a backend of its own.

Batches are ragged: rows of all sequences one after another, and offsets (n_seqs + 1,) that say where each begins.

The same row gives the same bits whatever stands beside it, and both backends agree, because
- elementwise formulas are float32 in a stated order, with `exp` and `erf` spelled out below, not a library's;
- sums over an axis are carried in float64 and rounded once, so that the order of adding does not show;
- integer products are exact; float products are made a sequence at a time, since BLAS picks its order of adding by
  the number of rows.

Between backends float32 products differ in their last bits, and an LSTM with float32 weights; int8 ones do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerlite.errors import ModelError
from nerlite.ops.formulas import (
    ATTENTION_LEVELS,
    COARSE_EXP_LOWEST,
    COARSE_EXP_POLYNOMIAL,
    COARSE_PHI_LIMIT,
    COARSE_PHI_POLYNOMIAL,
    EXP_POLYNOMIAL,
    LN2,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    PHI_LIMIT,
    PHI_POLYNOMIAL,
)
from nerlite.ops.numpy_crf import best_spans as best_spans
from nerlite.ops.numpy_crf import viterbi as viterbi
from nerlite.ops.parameters import (
    CharParameters,
    Embeddings,
    EncoderParameters,
    HeadParameters,
    LayerParameters,
    LinearParameters,
    LSTMParameters,
    beside,
)
from nerlite.threads import Workers

F4 = np.float32
name = "numpy"
# Rows of an int8 product whose sums float32 holds exactly: 127 * 127 * 1024 < 2**24.
EXACT_ROWS = 1024


def _polynomial(coefficients: Sequence[np.float32], x: np.ndarray) -> np.ndarray:
    """Return the value of a polynomial, its highest coefficient first, by Horner's rule."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def exp(x: np.ndarray) -> np.ndarray:
    """e**x for float32 x of any shape, within 2 units in the last place; below -87 it is 0."""
    k: np.ndarray = np.rint(x * LOG2_E)
    r: np.ndarray = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    value = (_polynomial(EXP_POLYNOMIAL, r) * (r * r) + r) + F4(1)
    power = ((np.clip(k, -126, 127).astype(np.int32) + np.int32(127)) << np.int32(23)).view(np.float32)
    return np.where(x < F4(-87), F4(0), value * power)


def coarse_exp(x: np.ndarray) -> np.ndarray:
    """e**x for float32 x ≤ 0 of any shape, within 8e-5 of itself; below -80 as there."""
    x = np.maximum(x, COARSE_EXP_LOWEST)
    k: np.ndarray = np.rint(x * LOG2_E)
    value = _polynomial(COARSE_EXP_POLYNOMIAL, x - k * LN2)
    return (value.view(np.int32) + (k.astype(np.int32) << np.int32(23))).view(np.float32)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e**-x), float32, any shape."""
    return F4(1) / (F4(1) + exp(-np.clip(x, F4(-80), F4(80))))


def tanh(x: np.ndarray) -> np.ndarray:
    """Hyperbolic tangent, float32, any shape, within 2e-7."""
    return F4(2) / (F4(1) + exp(F4(-2) * np.clip(x, F4(-40), F4(40)))) - F4(1)


def gelu(x: np.ndarray) -> np.ndarray:
    """x·Φ(x), the exact GELU, float32, any shape. Source: Hendrycks & Gimpel 2016."""
    return _gelu(x, PHI_LIMIT, PHI_POLYNOMIAL)


def coarse_gelu(x: np.ndarray) -> np.ndarray:
    """As `gelu`, within 2e-4."""
    return _gelu(x, COARSE_PHI_LIMIT, COARSE_PHI_POLYNOMIAL)


def _gelu(x: np.ndarray, limit: np.float32, polynomial: Sequence[np.float32]) -> np.ndarray:
    u = np.minimum(np.abs(x), limit)
    root = _polynomial(polynomial, u)
    return np.maximum(x, F4(0)) - u * np.square(np.square(np.square(np.square(np.square(root)))))


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0), any shape."""
    return np.maximum(x, F4(0))


ACTIVATIONS = {"gelu": gelu, "coarse_gelu": coarse_gelu, "relu": relu}


class Linear:
    """activation(x @ weight + bias)."""

    def __init__(self, parameters: LinearParameters, activation: str | None = None) -> None:
        """Prepare the weight for this backend; activation: None or one of `ACTIVATIONS`."""
        weight, self._bias, self._scale = parameters
        self._weight = weight.astype(np.float32, copy=False)
        self._column_sums = weight.sum(axis=0, dtype=np.int32).astype(np.float32) if self._scale is not None else None
        self._activation = ACTIVATIONS[activation] if activation else None

    def __call__(self, x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """x: (n_rows, d_in) float32; offsets: (n_seqs + 1,) → (n_rows, d_out) float32."""
        y = self._float(x, offsets) if self._scale is None else self._int8(x, self._scale)
        return self._activation(y) if self._activation else y

    def each(self, x: np.ndarray) -> np.ndarray:
        """Return what a call would of each row alone, without an activation."""
        if self._scale is not None:
            return self._int8(x, self._scale)
        # (1, d_in) @ (d_in, d_out) a row: BLAS cannot see how many there are.
        return np.matmul(x[:, None], self._weight)[:, 0] + self._bias

    def _float(self, x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), len(self._bias)), np.float32)
        for start, stop in zip(offsets[:-1], offsets[1:], strict=True):
            np.matmul(x[start:stop], self._weight, out=y[start:stop])
        return y + self._bias

    def _int8(self, x: np.ndarray, column_scales: np.ndarray) -> np.ndarray:
        quantized, scale, lowest = quantize_rows(x)
        total = np.zeros((len(x), len(self._bias)), np.int32)
        for k in range(0, x.shape[1], EXACT_ROWS):
            total += np.rint(quantized[:, k:k + EXACT_ROWS] @ self._weight[k:k + EXACT_ROWS]).astype(np.int32)
        return (scale * total.astype(np.float32) + lowest * self._column_sums) * column_scales + self._bias


def quantize_rows(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each row of x 128 levels between its lowest and highest value, or 0: x ≈ lowest + scale * quantized.

    x: (n_rows, d) float32 → quantized (n_rows, d) whole numbers 0..127 in float32, scale and lowest (n_rows, 1).
    Seven bits, so that two products of such a number and an int8 add up in the int16 of AVX2's vpmaddubsw. With 0
    in the range, rows may be padded with zeros.
    """
    lowest = np.minimum(x.min(axis=1, keepdims=True), F4(0))
    highest = np.maximum(x.max(axis=1, keepdims=True), F4(0))
    scale = (highest - lowest) / F4(127)
    inverse = np.divide(F4(127), highest - lowest, out=np.zeros_like(lowest), where=highest > lowest)
    return np.rint((x - lowest) * inverse), scale, lowest


def quantize_heads(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Express each row of x in whole numbers up to ATTENTION_LEVELS: x ≈ scale * quantized.

    x: (..., size) float32 → quantized (..., size) whole numbers in float64, scale (..., 1) float32.
    """
    highest = np.abs(x).max(axis=-1, keepdims=True)
    inverse = np.divide(F4(ATTENTION_LEVELS), highest, out=np.zeros_like(highest), where=highest > 0)
    return np.rint(x * inverse).astype(np.float64), highest / F4(ATTENTION_LEVELS)


def embed(ids: np.ndarray, positions: np.ndarray, tables: Embeddings) -> np.ndarray:
    """Add word, position and shape embeddings.

    ids, positions: (n_rows,), ids of piece p of a word of shape s being s * vocab_size + p → (n_rows, d) float32;
    `ModelError` where they are not numbers, which is checked here, to leave what is not used unread.
    """
    words, word_scale, places, place_scale, shapes = tables
    shape, piece = np.divmod(ids, len(words))
    word = words[piece].astype(np.float32) * word_scale[piece, None]
    x: np.ndarray = word + places[positions].astype(np.float32) * place_scale[positions, None] + shapes[shape]
    if words.dtype != np.int8 and not np.isfinite(x.sum()):
        raise ModelError("encoder: expected embeddings of numbers, got NaN or infinity among them")
    return x


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """Normalize each row to mean 0 and variance 1, then scale and shift. Source: Ba, Kiros & Hinton 2016.

    x: (n_rows, d); weight, bias: (d,) → (n_rows, d).
    """
    wide = x.astype(np.float64)
    mean = wide.mean(axis=1, keepdims=True)
    variance = np.maximum((wide * wide).mean(axis=1, keepdims=True) - mean * mean, 0)
    return ((wide - mean) * (1 / np.sqrt(variance + eps))).astype(np.float32) * weight + bias


def attention(qkv: np.ndarray, offsets: np.ndarray, n_heads: int, rows: np.ndarray,
              row_offsets: np.ndarray, *, quantized: bool) -> np.ndarray:
    """Scaled dot-product attention of rows to all rows of their sequence. Source: Vaswani et al. 2017.

    qkv: (n_rows, 3 * d), columns [queries, keys, values], each n_heads blocks wide; offsets: (n_seqs + 1,);
    rows: (n_queries,) the rows that ask, a sequence after the other; row_offsets: (n_seqs + 1,) of rows
    → (n_queries, d). quantized: multiply whole numbers, as an int8 encoder does, so that sums are exact.
    """
    d = qkv.shape[1] // 3
    size = d // n_heads
    factor = F4(1 / np.sqrt(size))
    attend = _attend_quantized if quantized else _attend
    out = np.empty((len(rows), d), np.float32)
    for sequence in range(len(offsets) - 1):
        mine, asking = slice(*offsets[sequence:sequence + 2]), slice(*row_offsets[sequence:sequence + 2])
        query = qkv[rows[asking], :d].reshape(-1, n_heads, size).transpose(1, 0, 2)
        key, value = qkv[mine, d:].reshape(-1, 2, n_heads, size).transpose(1, 2, 0, 3)
        out[asking] = attend(query, key, value, factor).transpose(1, 0, 2).reshape(-1, d)
    return out


def _attend(query: np.ndarray, key: np.ndarray, value: np.ndarray, factor: np.float32) -> np.ndarray:
    """query: (n_heads, n_queries, size); key, value: (n_heads, n, size) → (n_heads, n_queries, size)."""
    scores = (query * factor) @ key.transpose(0, 2, 1)  # (n_heads, n_queries, n)
    weights = exp(scores - scores.max(axis=2, keepdims=True))
    mass = weights.sum(axis=2, keepdims=True, dtype=np.float64).astype(np.float32)
    return weights @ value * (F4(1) / mass)


def _attend_quantized(query: np.ndarray, key: np.ndarray, value: np.ndarray, factor: np.float32) -> np.ndarray:
    """As `_attend`; a value's scale goes into its weight before that is quantized."""
    (query, query_scale), (key, key_scale), (value, value_scale) = map(quantize_heads, (query, key, value))
    total = (query @ key.transpose(0, 2, 1)).astype(np.float32)  # (n_heads, n_queries, n)
    scores = (total * (query_scale * factor)) * key_scale.transpose(0, 2, 1)
    weights = coarse_exp(scores - scores.max(axis=2, keepdims=True))
    mass = weights.sum(axis=2, keepdims=True, dtype=np.float64).astype(np.float32)
    weights, weight_scale = quantize_heads(weights * value_scale.transpose(0, 2, 1))
    return (weights @ value).astype(np.float32) * (weight_scale / mass)


class EncoderLayers:
    """A transformer's layers: attention and a feed-forward network, each added to its input and normalized.

    Source: Sanh et al. 2019 (DistilBERT), Devlin et al. 2019 (BERT).
    """

    def __init__(self, parameters: EncoderParameters) -> None:
        self._tables, self._norm, layers, _, n_heads, self._eps = parameters
        self._layers = [_EncoderLayer(layer, n_heads, self._eps) for layer in layers]

    def __call__(self, ids: np.ndarray, positions: np.ndarray, offsets: np.ndarray, rows: np.ndarray,
                 row_offsets: np.ndarray, workers: Workers | None = None, head: Head | None = None,
                 characters: np.ndarray | None = None) -> np.ndarray:
        """Return the last hidden state of the rows that are asked for; the last layer computes no others.

        ids, positions: (n_rows,) int64, see `embed`; offsets: (n_seqs + 1,); rows: (n_asked,) of ids, a sequence after
        the other; row_offsets: (n_seqs + 1,) of rows; workers: threads that may help, which none does here; head,
        characters: what is to make scores of the states, and its other input → (n_asked, d), or (n_asked, n_tags)
        scores.
        """
        x = layer_norm(embed(ids, positions, self._tables), *self._norm, self._eps)  # (n_rows, d)
        everything = np.arange(len(x))
        for layer in self._layers[:-1]:
            x = layer(x, offsets, everything, offsets)  # (n_rows, d)
        x = self._layers[-1](x, offsets, rows, row_offsets) if self._layers else x[rows]  # (n_asked, d)
        return head(characters, x, row_offsets) if head else x  # (n_asked, n_tags)


class _EncoderLayer:
    """One layer, of float32 or int8 weights."""

    def __init__(self, parameters: LayerParameters, n_heads: int, eps: float) -> None:
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


class CharLayers:
    """A convolution of width 3 with ReLU and the maximum over positions, and a BiLSTM's last states, of each word.

    Source: Chiu & Nichols 2016 (the convolution), Lample et al. 2016 (the BiLSTM).
    """

    def __init__(self, parameters: CharParameters) -> None:
        self._taps, self._bias, self._gates, lstm, hard_sigmoid = parameters
        self._lstm = BiLSTM(*lstm, hard_sigmoid=hard_sigmoid) if lstm else None

    def __call__(self, ids: np.ndarray, offsets: np.ndarray, padding: np.ndarray) -> np.ndarray:
        """Return each word's features.

        ids: (n_chars,); offsets: (n_words + 1,), no word empty; padding: (n_words,) how many characters 0 the
        convolution sees behind a word; beyond them, and in front, are zeros → (n_words, n_filters + 2 * hidden).
        """
        features = np.empty((len(padding), 0), np.float32)
        if len(self._bias):
            features = self._convolve(np.insert(ids, np.repeat(offsets[1:], padding), 0),
                                      offsets + np.cumsum([0, *padding]))
        return np.hstack([features, self._lstm(self._gates, ids, offsets, final=True)]) if self._lstm else features

    def _convolve(self, ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        before, at, after = self._taps[:, ids]
        before = np.concatenate([np.zeros_like(before[:1]), before[:-1]])
        after = np.concatenate([after[1:], np.zeros_like(after[:1])])
        before[offsets[:-1]] = 0
        after[offsets[1:] - 1] = 0
        return np.maximum.reduceat(relu(((before + at) + after) + self._bias), offsets[:-1])


class BiLSTM:
    """An LSTM over each sequence of a ragged batch, in both directions, from zero states.

    Source: Hochreiter & Schmidhuber 1997, in PyTorch's gate order; Gers & Schmidhuber 2000 for peepholes.
    """

    def __init__(self, forward: LSTMParameters, backward: LSTMParameters, *, hard_sigmoid: bool = False) -> None:
        """Keep the weights; hard_sigmoid: gates are clip(0.2 x + 0.5, 0, 1), as Keras 1 has them."""
        self.project = Linear(beside(forward.w_ih, backward.w_ih))
        self._directions = [(Linear(each.w_hh), each.peepholes) for each in (forward, backward)]
        self._gate = _hard_sigmoid if hard_sigmoid else sigmoid

    def __call__(self, gates: np.ndarray, rows: np.ndarray, offsets: np.ndarray, *, final: bool = False) -> np.ndarray:
        """Return the hidden states, forward and backward ones side by side.

        gates: what `project`, a Linear, makes of each different input; rows: (n_steps,) which of them each step
        reads; offsets: (n_seqs + 1,) of rows, no sequence empty → (n_steps, 2 * hidden), or with final=True the last
        ones of each direction alone (n_seqs, 2 * hidden).
        """
        (forward, backward), lengths = np.split(gates[rows], 2, axis=1), np.diff(offsets)
        return np.concatenate([
            self._run(*self._directions[0], forward, lengths, offsets[:-1], 1, final),
            self._run(*self._directions[1], backward, lengths, offsets[1:] - 1, -1, final)], axis=1)

    def _run(self, recur: Linear, peepholes: np.ndarray, gates: np.ndarray, lengths: np.ndarray, begin: np.ndarray,
             way: int, final: bool) -> np.ndarray:
        """Run one direction. gates: (n_steps, 4 * hidden); begin: (n_seqs,) first steps; way: to the next, 1 or -1."""
        gate, (peephole_i, peephole_f, peephole_o) = self._gate, peepholes
        out = np.empty((len(gates), peepholes.shape[1]), np.float32)
        by_length = np.argsort(-lengths, kind="stable")
        h, c = np.zeros((2, len(lengths), peepholes.shape[1]), np.float32)
        for step in range(lengths.max(initial=0)):
            running = by_length[:np.searchsorted(-lengths[by_length], -step)]
            steps = begin[running] + way * step
            z = gates[steps] + recur.each(h[running])
            old, (z_i, z_f, z_g, z_o) = c[running], np.split(z, 4, axis=1)
            new = gate(z_f + old * peephole_f) * old + gate(z_i + old * peephole_i) * tanh(z_g)
            c[running] = new
            out[steps] = h[running] = gate(z_o + new * peephole_o) * tanh(new)
        return h if final else out


class Head:
    """What makes a word's scores: dense + ReLU, BiLSTM layers, each with or without its input added, a linear layer."""

    def __init__(self, parameters: HeadParameters) -> None:
        self._dense = Linear(parameters.dense, "relu") if parameters.dense else None
        self._layers, self._residual = [BiLSTM(*layer) for layer in parameters.layers], parameters.residual
        self._emission = Linear(parameters.emission)

    def __call__(self, characters: np.ndarray | None, vectors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return each word's score for each tag.

        characters: (n_words, feature_size) float32, if the model has them; vectors: (n_words, d) float32; offsets:
        (n_seqs + 1,) → (n_words, n_tags).
        """
        y = vectors if characters is None else np.concatenate([characters, vectors], axis=1)
        y = self._dense(y, offsets) if self._dense else y
        for layer in self._layers:
            hidden = layer(layer.project(y, offsets), np.arange(len(y)), offsets)
            y = y + hidden if self._residual else hidden
        return self._emission(y, offsets)


def _hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(F4(0.2) * x + F4(0.5), F4(0), F4(1))
