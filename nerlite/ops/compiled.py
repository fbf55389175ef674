"""The operations of `nerlite.ops.numpy_ops` by compiled kernels: same names, same signatures, same results.

Kernels take preallocated C-contiguous arrays and scalars, allocate nothing and raise nothing; here is what packs
weights for them, allocates and calls them. It does not matter who compiled them: numba when they are first called,
or `tools/build_kernels.py` ahead of time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nerlite.ops.cpu import Level
from nerlite.ops.numpy_ops import embed as gather_embeddings
from nerlite.ops.parameters import LayerParameters, LinearParameters, LSTMParameters, Norm, beside
from nerlite.threads import Workers

# Rows that pass through all of a phase together: what they need stays in the second-level cache.
CHUNK = 64
# Up to so many rows, at most CHUNK, of an int8 and of a float32 encoder, up to so many threads share out the columns of
# each product instead: each then fetches its part of the weights alone, which costs more than a product of few rows.
INT8_ROWS_TOGETHER, ROWS_TOGETHER, THREADS_TOGETHER = 24, CHUNK, 4
# Counters of what threads have done of a phase of the encoder: one, and one for each of its steps.
STEPS = 11
# Arrays of a thread's scratch, the last ones, that hold a chunk's rows.
ROW_SCRATCH = 6
# Bytes: of a line of the caches, and of what Linux maps at once where it can.
ALIGNMENT, HUGE_PAGE = 64, 2 << 20
ACTIVATIONS = {None: 0, "gelu": 1, "relu": 2}


class CompiledOps:
    """The operations, by the kernels that are attributes of `kernels` and were compiled for `level`."""

    def __init__(self, name: str, level: Level, kernels: Any) -> None:
        """name: of the backend."""
        self.name, self.level, self._kernels = name, level, kernels
        self.Linear = partial(Linear, kernels, level)
        self.BiLSTM = partial(BiLSTM, kernels, level)
        self.EncoderLayers = partial(EncoderLayers, kernels, level)

    def embed(self, ids: np.ndarray, positions: np.ndarray, words: np.ndarray, word_scale: np.ndarray,
              places: np.ndarray, place_scale: np.ndarray) -> np.ndarray:
        """Add word and position embeddings; as the reference, which takes tables that are not int8."""
        d = words.shape[1]
        if words.dtype != np.int8 or d % self.level.lanes:
            return gather_embeddings(ids, positions, words, word_scale, places, place_scale)
        out = np.empty((len(ids), d), np.float32)
        self._kernels.embed(words, word_scale, places, place_scale, np.asarray(ids, np.int64),
                            np.asarray(positions, np.int64), out)
        return out

    def char_cnn(self, ids: np.ndarray, offsets: np.ndarray, taps: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Convolve each word's characters with width 3, ReLU, maximum over its positions; as the reference."""
        out = np.zeros((len(offsets) - 1, len(bias)), np.float32)
        self._kernels.char_cnn(taps, bias, ids, offsets, out)
        return out

    def viterbi(self, emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
                end: np.ndarray) -> np.ndarray:
        """Return the best tag sequence of each sequence; on a tie the lowest tag; as the reference."""
        n_rows, n_tags = emissions.shape
        path = np.empty(n_rows, np.int64)
        self._kernels.viterbi(emissions, offsets, start, transitions, end, np.empty((n_rows, n_tags), np.int16),
                              *np.empty((2, n_tags)), path)
        return path

    def span_log_probabilities(self, emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray,
                               transitions: np.ndarray, end: np.ndarray, spans: np.ndarray, labels: np.ndarray,
                               boundaries: np.ndarray) -> np.ndarray:
        """Return the log-probability of each span: that it begins, ends and is labelled just so; as the reference."""
        n, n_tags = len(spans), len(start)
        out, scratch = np.empty(n), np.empty((n_tags + n + 3, n_tags))
        self._kernels.span_log_probabilities(emissions, offsets, start, transitions, end, spans,
                                             spans[:, 2].argsort(kind="stable"), labels, boundaries,
                                             scratch[:n_tags], *scratch[-3:], scratch[n_tags:-3], out)
        return out


class Linear:
    """activation(x @ weight + bias)."""

    def __init__(self, kernels: Any, level: Level, parameters: LinearParameters, activation: str | None = None) -> None:
        """Pack the weight into panels; arguments as in the reference."""
        d_in, self._d_out = parameters.weight.shape
        self._is_int8 = parameters.scale is not None
        self._tile = level.int8_rows if self._is_int8 else level.rows, level.columns
        self._d_in = padded(d_in, level.depth) if self._is_int8 else d_in
        panels, constants = (each[0] for each in packed(kernels, level, [parameters], self._d_in))
        self._n_columns = len(panels) * level.columns
        self._run = partial(kernels.dense_int8 if self._is_int8 else kernels.dense_float, panels, constants,
                            ACTIVATIONS[activation])

    def __call__(self, x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """x: (n_rows, d_in) float32; offsets: (n_seqs + 1,) → (n_rows, d_out) float32."""
        n, d_in = x.shape
        out = np.empty((n, self._n_columns), np.float32)
        if self._is_int8:
            if d_in != self._d_in:
                x, narrow = np.zeros((n, self._d_in), np.float32), x
                x[:, :d_in] = narrow
            self._run(np.ascontiguousarray(x), np.empty((n, self._d_in), np.uint8), np.empty((n, 2), np.float32),
                      np.empty(self._tile, np.int32), out)
        else:
            self._run(np.ascontiguousarray(x), np.empty(self._tile, np.float32), out)
        return np.ascontiguousarray(out[:, :self._d_out])


class BiLSTM:
    """An LSTM over each sequence of a ragged batch, in both directions, from zero states."""

    def __init__(self, kernels: Any, level: Level, forward: LSTMParameters, backward: LSTMParameters, *,
                 hard_sigmoid: bool = False) -> None:
        """Pack the weights into panels, each gate widened by zeros to whole vectors; arguments as in the reference."""
        self._hidden = len(forward.w_hh.weight)
        self._size, self._rows = padded(self._hidden, level.lanes), level.rows
        wide = partial(widen_columns, size=self._hidden, wider=self._size)
        self.project = Linear(kernels, level, beside(wide(forward.w_ih), wide(backward.w_ih)))
        panels, constants = packed(kernels, level, [wide(forward.w_hh), wide(backward.w_hh)], self._size)
        is_int8 = forward.w_hh.scale is not None
        self._tile, self._sum = (level.rows, level.columns), np.int32 if is_int8 else np.float32
        self._n_columns = panels.shape[1] * level.columns
        peepholes = widen(np.stack([forward.peepholes, backward.peepholes]), self._hidden, self._size)
        self._run = partial(kernels.bilstm_int8 if is_int8 else kernels.bilstm_float, panels, constants, peepholes,
                            int(hard_sigmoid))

    def __call__(self, gates: np.ndarray, rows: np.ndarray, offsets: np.ndarray, *, final: bool = False) -> np.ndarray:
        """Return the hidden states; as the reference."""
        n, size = len(offsets) - 1 if final else len(rows), self._size
        out = np.empty((n, 2 * size), np.float32)
        by_length = (offsets[:-1] - offsets[1:]).argsort(kind="stable") if len(offsets) > 2 else np.zeros(1, np.int64)
        self._run(int(final), gates, rows, offsets, by_length, *np.empty((2, self._rows, size), np.float32),
                  np.empty((self._rows, size), np.uint8), np.empty((self._rows, 2), np.float32),
                  np.empty(self._tile, self._sum), np.empty((self._rows, self._n_columns), np.float32), out)
        return out.reshape(n, 2, size)[:, :, :self._hidden].reshape(n, 2 * self._hidden)


class EncoderLayers:
    """All layers of a transformer, in one call of a kernel."""

    def __init__(self, kernels: Any, level: Level, layers: Iterable[LayerParameters], n_layers: int,
                 embedding_norm: Norm, n_heads: int, eps: float) -> None:
        """Pack the weights of all layers into panels; arguments as in the reference."""
        self._kernels, self._level, self._n_layers, self._n_heads = kernels, level, n_layers, n_heads
        self._d = len(embedding_norm.bias)
        self._size = padded(self._d // n_heads, level.width)
        self._d_inner, self._d_mixed, self._is_int8 = level.columns, self._n_heads * self._size, False
        weights = [np.zeros((0,) * n, np.float32) for n in (4, 4) * 4 + (3, 3)]
        for i, layer in enumerate(layers):
            if i == 0:
                weights = self._make_room(layer)
            self._pack(layer, [weight[i] for weight in weights])
        encode = kernels.encode_int8 if self._is_int8 else kernels.encode_float
        zeros = np.zeros(padded(self._d, level.columns), np.float32)
        factor = float(np.float32(1 / np.sqrt(self._d // n_heads)))
        self._run = partial(encode, self._d, zeros, self._padded(np.stack(embedding_norm)), *weights, factor, eps)
        self._mine = threading.local()

    def _make_room(self, layer: LayerParameters) -> list[np.ndarray]:
        """Return arrays for the weights of layers like this one, in the order of the kernel's parameters."""
        level, d = self._level, padded(self._d, self._level.columns)
        heads = self._n_heads * self._size
        self._d_inner, self._is_int8 = padded(len(layer.ffn_in.bias), level.columns), layer.qkv.scale is not None
        self._d_mixed = padded(heads, level.depth) if self._is_int8 else heads
        kinds: list[tuple[tuple[int, ...], type]] = []
        for d_in, d_out in ((d, 3 * heads), (self._d_mixed, self._d), (d, self._d_inner), (self._d_inner, self._d)):
            panels, constants = panel_shapes(d_in, d_out, level, is_int8=self._is_int8)
            kinds += [((self._n_layers, *panels), np.int8 if self._is_int8 else np.float32),
                      ((self._n_layers, *constants), np.float32)]
        return side_by_side([*kinds, *[((self._n_layers, 2, d), np.float32)] * 2])

    def _pack(self, layer: LayerParameters, room: list[np.ndarray]) -> None:
        """Fill one layer's room, each head widened by zeros."""
        size = self._d // self._n_heads
        if self._size != size:
            layer = layer._replace(
                qkv=widen_columns(layer.qkv, size, self._size),
                attention_out=layer.attention_out._replace(
                    weight=widen(layer.attention_out.weight.T, size, self._size).T))
        for i, linear in enumerate((layer.qkv, layer.attention_out, layer.ffn_in, layer.ffn_out)):
            pack(self._kernels, linear, *room[2 * i:2 * i + 2])
        room[8][:], room[9][:] = map(self._padded, map(np.stack, (layer.attention_norm, layer.ffn_norm)))

    def _padded(self, norm: np.ndarray) -> np.ndarray:
        return np.pad(norm, [(0, 0), (0, padded(self._d, self._level.columns) - self._d)])

    def __call__(self, x: np.ndarray, offsets: np.ndarray, rows: np.ndarray, row_offsets: np.ndarray,
                 workers: Workers | None = None, meanwhile: Callable[[], object] | None = None) -> np.ndarray:
        """Return the last hidden state of the rows that are asked for; as the reference."""
        n, n_asked, n_heads, size = len(x), len(rows), self._n_heads, self._size
        everything, asked = np.arange(n), np.full(n, -1)
        asked[rows] = everything[:n_asked]
        d, number = padded(self._d, self._level.columns), np.int16 if self._is_int8 else np.float32
        queries, keys, values = (np.empty((2, n, n_heads, size), number) for _ in range(3))
        query_scales, key_scales, value_scales = (np.empty((2, n, n_heads), np.float32) for _ in range(3))
        hidden = x.copy() if d == self._d else np.pad(x, [(0, 0), (0, d - self._d)])
        out = np.zeros((n_asked, d), np.float32)
        n_threads = workers.n if workers else 1
        few = n <= (INT8_ROWS_TOGETHER if self._is_int8 else ROWS_TOGETHER)
        n_shares = min(n_threads, THREADS_TOGETHER) if few else 1
        n_parts = n_threads if n_shares == 1 else 1
        chunk, last_chunk = (max(1, min(CHUNK, -(-each // n_parts))) for each in (n, n_asked))
        counters = np.zeros(((self._n_layers + 1) * STEPS, 2), np.int64)
        shared = (chunk, last_chunk, n_shares, everything, offsets, rows, row_offsets, asked, queries, query_scales,
                  keys, key_scales, values, value_scales, counters, hidden, out)
        longest = -(-int(np.diff(offsets).max(initial=1)) // self._level.width)
        chunk_rows = self._scratch(chunk, longest)[-ROW_SCRATCH:]

        def run() -> None:
            scratch = self._scratch(chunk, longest)
            self._run(*shared, *scratch[:-ROW_SCRATCH], *(chunk_rows if n_shares > 1 else scratch[-ROW_SCRATCH:]))

        def help_run() -> None:
            if meanwhile:
                meanwhile()
            run()

        n_runs = min(n_threads, n_shares * -(-n // chunk))
        if workers and n_runs > 1:
            workers.help(run, *[help_run] * (n_runs - 1))
        else:
            run()
        return np.ascontiguousarray(out[:, :self._d])

    def _scratch(self, chunk: int, longest: int) -> list[np.ndarray]:
        """Return this thread's scratch for at least so many rows and panels of keys, kept for later."""
        sizes = getattr(self._mine, "sizes", (0, 0))
        if sizes[0] < chunk or sizes[1] < longest:
            self._mine.sizes = sizes = max(sizes[0], chunk), max(sizes[1], longest)
            self._mine.scratch = self._new_scratch(*sizes)
        scratch: list[np.ndarray] = self._mine.scratch
        return scratch

    def _new_scratch(self, chunk: int, longest: int) -> list[np.ndarray]:
        rows, columns, width = self._level.rows, self._level.columns, self._level.width
        size, n_heads = self._size, self._n_heads
        d, qkv = padded(self._d, columns), padded(3 * n_heads * size, columns)
        total, tile = (np.int32, self._level.int8_rows) if self._is_int8 else (np.float32, rows)
        scratch = side_by_side([
            ((tile, columns), total), ((rows, width), total),
            ((longest, size // 2, width, 2), np.int16) if self._is_int8 else ((longest, size, width), np.float32),
            ((longest * width,), np.float32), ((size // width, longest * width // 2, width, 2), np.int16),
            ((longest * width,), np.float32), ((rows, longest * width), total),
            ((rows, longest * width), np.float32), ((rows, longest * width), np.int16), ((rows,), np.float32),
            ((chunk, max(d, self._d_inner, self._d_mixed)), np.uint8), ((chunk, 2), np.float32),
            ((chunk, qkv), np.float32), ((chunk, self._d_mixed), np.float32), ((chunk, d), np.float32),
            ((chunk, self._d_inner), np.float32)])
        scratch[-3][:] = 0  # some levels read more numbers of each row than its heads have
        return scratch


def padded(n: int, multiple: int) -> int:
    """Return the next multiple from n on."""
    return -(-n // multiple) * multiple


def widen(array: np.ndarray, size: int, wider: int) -> np.ndarray:
    """Put zeros behind each block of `size` numbers of the last axis: (…, n * size) → (…, n * wider)."""
    blocks = array.reshape(*array.shape[:-1], -1, size)
    return np.pad(blocks, [(0, 0)] * (blocks.ndim - 1) + [(0, wider - size)]).reshape(*array.shape[:-1], -1)


def widen_columns(parameters: LinearParameters, size: int, wider: int) -> LinearParameters:
    """Put zeros behind each block of a layer's columns: (d_in, n * size) → (d_in, n * wider)."""
    weight, bias, scale = parameters
    return LinearParameters(widen(weight, size, wider), widen(bias, size, wider),
                            None if scale is None else widen(scale, size, wider))


def side_by_side(kinds: Sequence[tuple[tuple[int, ...], type]]) -> list[np.ndarray]:
    """Return arrays of these shapes and types, not yet filled, in one stretch of memory, each on a line of its own.

    No vector of theirs then lies across two lines, and each takes one access. For a stretch so large that NumPy asks
    Linux for huge pages it begins with one: a pass over all weights then takes few entries of the CPU's table of
    pages, and leaves those of other code there.
    """
    sizes = [padded(math.prod(shape) * np.dtype(kind).itemsize, ALIGNMENT) for shape, kind in kinds]
    boundary = HUGE_PAGE if sum(sizes) >= 2 * HUGE_PAGE else ALIGNMENT
    memory = np.empty(sum(sizes) + boundary, np.uint8)
    stops = np.cumsum(sizes) + -memory.ctypes.data % boundary
    return [memory[stop - size:][:math.prod(shape) * np.dtype(kind).itemsize].view(kind).reshape(shape)
            for stop, size, (shape, kind) in zip(stops.tolist(), sizes, kinds, strict=True)]


def panel_shapes(d_in: int, d_out: int, level: Level, *, is_int8: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of what `pack` fills; d_in a multiple of four for int8."""
    n_panels, columns = -(-d_out // level.columns), level.columns
    panels = (n_panels, d_in // 4, columns, 4) if is_int8 else (n_panels, d_in, columns)
    return panels, (n_panels, 3, columns)


def pack(kernels: Any, parameters: LinearParameters, panels: np.ndarray, constants: np.ndarray) -> None:
    """Cut a weight into panels of columns, zeros where a size is no multiple.

    panels: (n_panels, d_in, columns) float32 or (n_panels, d_in / 4, columns, 4) int8; constants: (n_panels, 3,
    columns) float32, column sums (of an int8 weight), scales (1 where there are none) and biases.
    """
    weight, bias, scale = parameters
    n_panels, columns, d_out = len(panels), panels.shape[2], len(bias)
    wide = np.zeros((3, n_panels * columns), np.float32)
    wide[1, :d_out], wide[2, :d_out] = 1 if scale is None else scale, bias
    whole = panels.size // (n_panels * columns), n_panels * columns
    if weight.shape != whole:
        weight, narrow = np.zeros(whole, weight.dtype), weight
        weight[:len(narrow), :d_out] = narrow
    if scale is None:
        panels[:] = weight.reshape(-1, n_panels, columns).swapaxes(0, 1)
    else:
        sums = np.empty((n_panels, columns), np.int32)
        kernels.pack_int8(weight, panels.view(np.int32)[..., 0], sums)
        wide[0] = sums.reshape(-1)
    constants[:] = wide.reshape(3, n_panels, columns).swapaxes(0, 1)


def packed(kernels: Any, level: Level, layers: Sequence[LinearParameters], d_in: int) -> list[np.ndarray]:
    """Return `pack`'s panels and constants of layers of one size; d_in: rows to make of a weight's own, by zeros."""
    is_int8 = layers[0].scale is not None
    panels, constants = panel_shapes(d_in, len(layers[0].bias), level, is_int8=is_int8)
    room = side_by_side([((len(layers), *panels), np.int8 if is_int8 else np.float32),
                         ((len(layers), *constants), np.float32)])
    for layer, *rooms in zip(layers, *room, strict=True):
        pack(kernels, layer, *rooms)
    return room
