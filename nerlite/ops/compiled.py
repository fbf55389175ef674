"""The operations of `nerlite.ops.numpy_ops` by compiled kernels: same names, same signatures, same results.

Kernels take preallocated C-contiguous arrays and scalars, allocate nothing and raise nothing; here is what packs
weights for them, allocates and calls them. It does not matter who compiled them: numba when they are first called,
or `tools/build_kernels.py` ahead of time.
"""

from __future__ import annotations

import itertools
import operator
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from nerlite.ops.cpu import Level
from nerlite.ops.numpy_ops import embed
from nerlite.ops.packing import (
    pack,
    packed,
    padded,
    panel_shapes,
    side_by_side,
    widen,
    widen_columns,
    widen_rows,
)
from nerlite.ops.parameters import CharParameters, Embeddings, HeadParameters, LayerParameters, Norm, beside
from nerlite.ops.signatures import HEAD_WEIGHTS, HEAD_WORDS, HEAD_WORK, SIGNATURES, STEPS
from nerlite.threads import Workers

# Rows that pass through all of a phase together: what they need stays in the second-level cache.
CHUNK = 64
# Of so few rows, at most CHUNK, of a float32 encoder, and of an int8 one as the level says, up to so many threads share
# out the columns of each product instead: each then fetches its part of the weights alone, which costs more than a
# product of few rows.
ROWS_TOGETHER, THREADS_TOGETHER = CHUNK, 4
# Arrays of a thread's scratch, the last ones, that hold a chunk's rows.
ROW_SCRATCH = 6
# Threads that share out a head, which has two directions.
HEAD_THREADS = 2
# A call that follows another's return within so many seconds may be followed as soon: its helpers stay awake a while.
SOON = 0.001


class CompiledOps:
    """The operations, by the kernels that are attributes of `kernels` and were compiled for `level`."""

    def __init__(self, name: str, level: Level, kernels: Any) -> None:
        """name: of the backend."""
        self.name, self.level, self._kernels = name, level, kernels
        self.CharLayers = partial(CharLayers, kernels, level)
        self.EncoderLayers = partial(EncoderLayers, kernels, level)
        self.Head = partial(Head, kernels, level)

    def viterbi(self, emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
                end: np.ndarray) -> np.ndarray:
        """Return the best tag sequence of each sequence; on a tie the lowest tag; as the reference."""
        n_rows, n_tags = emissions.shape
        path = np.empty(n_rows, np.int64)
        self._kernels.viterbi(emissions, offsets, start, transitions, end, np.empty((n_rows, n_tags), np.int16),
                              *np.empty((2, n_tags)), path)
        return path

    def best_spans(self, emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
                   end: np.ndarray, labels: np.ndarray, boundaries: np.ndarray, outside: int
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the best tags, the spans that they make, and these spans' log-probabilities; as the reference."""
        n_rows, n_tags = emissions.shape
        path, spans, out = np.empty(n_rows, np.int64), np.empty((n_rows, 4), np.int64), np.empty(n_rows)
        n_spans = np.zeros(1, np.int64)
        self._kernels.best_spans(emissions, offsets, start, transitions, end, labels, boundaries, outside,
                                 np.empty((n_rows, n_tags), np.int16), np.empty((4 + 2 * n_tags + n_rows, n_tags)),
                                 path, spans, n_spans, out)
        n = int(n_spans[0])
        return path, spans[:n], out[:n]


class Kept:
    """What a thread keeps from one call to the next: a call takes it, and gives it back when it has returned.

    A call that ends otherwise leaves it to those who may still work in it, and the next one makes its own.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._mine = threading.local()

    def take(self) -> Any:
        """Return what this thread has, or None; until something is given back it has nothing."""
        return self._mine.__dict__.pop("kept", None)

    def give(self, kept: Any) -> None:
        """Keep it for this thread's next call."""
        self._mine.kept = kept


class CharLayers:
    """A word's features of its characters, by a convolution, a BiLSTM of float32, or both."""

    def __init__(self, kernels: Any, level: Level, parameters: CharParameters) -> None:
        """Pack the weights into panels, each gate widened by zeros to whole vectors; arguments as in the reference."""
        taps, bias, gates, lstm, hard_sigmoid = parameters
        self._hidden = gates.shape[1] // 8
        self._n_features, self._size = len(bias) + 2 * self._hidden, padded(self._hidden, level.lanes)
        panels, constants, peepholes = (np.zeros((2, *[0] * (n - 1)), np.float32) for n in (4, 4, 3))
        if lstm:
            gates = widen(gates, self._hidden, self._size)
            panels, constants = packed(kernels, level, [widen_columns(each.w_hh, self._hidden, self._size)
                                                        for each in lstm], self._size)
            peepholes = widen(np.stack([each.peepholes for each in lstm]), self._hidden, self._size)
        self._scratch = (level.rows, self._size), (level.rows, level.columns), (level.rows, 4 * self._size)
        self._kernels, self._kept = kernels, Kept()
        self._kernel = kernels.bind(kernels.char_layers, taps, bias, gates, panels, constants, peepholes,
                                    int(hard_sigmoid))

    def _new_kernel(self) -> Callable[..., None]:
        """Return the kernel with scratch of its own."""
        state, tile, gates = self._scratch
        return self._kernels.bind(self._kernel, *side_by_side([(shape, np.float32)
                                                               for shape in (state, state, tile, gates)]))

    def __call__(self, ids: np.ndarray, offsets: np.ndarray, padding: np.ndarray) -> np.ndarray:
        """Return each word's features; as the reference."""
        kernel = self._kept.take() or self._new_kernel()
        out = np.zeros((len(padding), self._n_features), np.float32)
        kernel(ids, offsets, padding, longest_first(offsets), np.empty((len(padding), 2 * self._size), np.float32), out)
        self._kept.give(kernel)
        return out


def longest_first(offsets: np.ndarray) -> np.ndarray:
    """Return the sequences of a ragged batch, (n_seqs,) int64, in the order of their lengths."""
    n = len(offsets) - 1
    return (offsets[:-1] - offsets[1:]).argsort(kind="stable") if n > 1 else np.zeros(n, np.int64)


class Head:
    """All that makes a word's scores of its characters' features and its vector, in one call of a kernel."""

    def __init__(self, kernels: Any, level: Level, parameters: HeadParameters) -> None:
        """Pack the weights into panels, each state widened by zeros to whole vectors; arguments as in the reference."""
        is_int8, dense, layers, residual, emission = parameters
        hidden, self._d_out = len(layers[0][0].w_hh.weight) if layers else 0, len(emission.bias)
        self._level, self._is_int8, self._size = level, is_int8, padded(hidden, level.lanes)
        columns, rows = (partial(each, size=hidden, wider=self._size) for each in (widen_columns, widen_rows))
        self.weights, _, _ = no_head(is_int8=is_int8)
        self._d_in = self._x_width = len((dense or emission).weight)
        self._y_width = d_in = 0
        depth = level.depth if is_int8 else 1
        if dense:
            self._x_width = padded(self._x_width, depth)
            dense = columns(dense) if layers and residual else dense
            self.weights[0:2] = (each[0] for each in packed(kernels, level, [dense], self._x_width))
            self._y_width = len(self.weights[0]) * level.columns
        if layers:
            w_ih = [beside(*(columns(direction.w_ih) for direction in layer)) for layer in layers]
            w_ih = [rows(each) if i or residual else each for i, each in enumerate(w_ih)]
            d_in = padded(max(len(each.weight) for each in w_ih), depth)
            self.weights[2:4] = packed(kernels, level, w_ih, d_in)
            w_hh = packed(kernels, level, [columns(each.w_hh) for layer in layers for each in layer], self._size)
            self.weights[4:6] = (each.reshape(-1, 2, *each.shape[1:]) for each in w_hh)
            self.weights[6] = widen(np.stack([[each.peepholes for each in layer] for layer in layers]), hidden,
                                    self._size)
            emission = rows(emission)
        self._y_width, self._widest = max(self._y_width, d_in, 2 * self._size), max(self._x_width, d_in)
        self.weights[7:9] = (each[0] for each in packed(kernels, level, [emission], len(emission.weight)))
        self.weights[9] = int(residual)
        self._has_dense, self.n_steps = dense is not None, 3 + 2 * len(layers)
        self._kernel = kernels.bind(kernels.score_int8 if is_int8 else kernels.score_float, *self.weights)
        self.kept = Kept()  # what the kernel works on

    def __call__(self, characters: np.ndarray | None, vectors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return scores; as the reference."""
        n, d = vectors.shape
        words, work = self.words(characters, n, d, offsets), self.work(n)
        self._kernel(*work, 0, 1, np.zeros((self.n_steps, 2), np.int64), 0, vectors, d, np.arange(n), offsets,
                     *words)
        self.kept.give(work)
        return self.scores(words)

    def words(self, characters: np.ndarray | None, n: int, d: int, offsets: np.ndarray) -> list[np.ndarray]:
        """Return the kernel's last arguments for n words with vectors of d numbers."""
        if characters is None:
            characters = np.empty((n, 0), np.float32)
        if characters.shape != (n, self._d_in - d):
            raise ValueError(f"characters: expected {(n, self._d_in - d)}, got {characters.shape}")
        return [characters, longest_first(offsets),
                np.empty((n, len(self.weights[7]) * self._level.columns), np.float32)]

    def work(self, n: int) -> list[np.ndarray]:
        """Take what this thread has for the kernel to work on, of at least n words."""
        work: list[np.ndarray] | None = self.kept.take()
        return work if work and len(work[0]) >= n else self._new_work(n)

    def scores(self, words: list[np.ndarray]) -> np.ndarray:
        """Return the scores, (n_words, n_tags), that the kernel wrote into its arguments."""
        return words[-1][:, :self._d_out].copy()

    def _new_work(self, n: int) -> list[np.ndarray]:
        rows, columns, size = self._level.rows, self._level.columns, self._size
        total, tile = (np.int32, self._level.int8_rows) if self._is_int8 else (np.float32, rows)
        work = side_by_side([
            ((n, self._x_width), np.float32), ((n, self._widest), np.uint8), ((n, 2), np.float32),
            ((n, self._y_width), np.float32), ((n, 8 * size), np.float32), ((n, 2 * size), np.float32),
            ((2, rows, size), np.float32), ((2, rows, size), np.float32), ((2, rows, size), np.uint8),
            ((2, rows, 2), np.float32), ((2, tile, columns), total), ((rows, columns), np.float32),
            ((2, rows, 4 * size), np.float32)])
        work[0][:] = 0  # nothing is written behind the rows' numbers
        if not self._has_dense:
            work[3] = work[0]
        return work


def no_head(*, is_int8: bool) -> tuple[list[Any], list[Any], list[Any]]:
    """Return what the encoder's kernel takes as the weights, the work and the words of no head."""
    signature = SIGNATURES["score_int8" if is_int8 else "score_float"]
    nothing = [np.zeros((0,) * n, dtype) if n else 0 for _, dtype, n in signature]
    return nothing[:HEAD_WEIGHTS], nothing[HEAD_WEIGHTS:HEAD_WEIGHTS + HEAD_WORK], nothing[-HEAD_WORDS:]


class Workplace:
    """What a thread keeps for the encoder: scratch of tiles and of a chunk's rows, the room of few rows, bindings.

    known: what `EncoderLayers._bound` returned last, for threads that work on rows of their own and for others.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.chunk = self.longest = 0  # what the scratch is for
        self.tiles: list[np.ndarray] = []
        self.rows: list[np.ndarray] = []
        self.room: list[np.ndarray] = []
        self.known: dict[bool, tuple[tuple[list[Any], ...], Callable[..., None]]] = {}


class EncoderLayers:
    """All layers of a transformer, in one call of a kernel."""

    def __init__(self, kernels: Any, level: Level, tables: Embeddings, layers: Iterable[LayerParameters],
                 n_layers: int, embedding_norm: Norm, n_heads: int, eps: float) -> None:
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
        # Tables that the kernel cannot read are read here.
        in_kernel = self._is_int8 and tables.words.dtype == tables.places.dtype == np.int8 and not self._d % level.lanes
        self._tables, nothing = None if in_kernel else tables, np.zeros((0, self._d), np.int8)
        tables = tables if in_kernel else Embeddings(nothing, zeros[:0], nothing, zeros[:0])
        self._run = kernels.bind(encode, *tables, self._d, zeros, self._padded(np.stack(embedding_norm)), *weights,
                                 factor, eps, np.zeros(1, np.int64))
        self._no_head = no_head(is_int8=self._is_int8)
        self._kept = Kept()
        self._returned = 0.0  # when a call last did

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
                attention_out=widen_rows(layer.attention_out, size, self._size))
        for i, linear in enumerate((layer.qkv, layer.attention_out, layer.ffn_in, layer.ffn_out)):
            pack(self._kernels, linear, *room[2 * i:2 * i + 2])
        room[8][:], room[9][:] = map(self._padded, map(np.stack, (layer.attention_norm, layer.ffn_norm)))

    def _padded(self, norm: np.ndarray) -> np.ndarray:
        return np.pad(norm, [(0, 0), (0, padded(self._d, self._level.columns) - self._d)])

    def __call__(self, ids: np.ndarray, positions: np.ndarray, offsets: np.ndarray, rows: np.ndarray,
                 row_offsets: np.ndarray, workers: Workers | None = None, head: Head | None = None,
                 characters: np.ndarray | None = None) -> np.ndarray:
        """Return the last hidden state of the rows that are asked for, or a head's scores; as the reference."""
        if head and not self._n_layers:  # by which the kernel would be chosen that runs both
            return head(characters, self(ids, positions, offsets, rows, row_offsets), row_offsets)
        n, n_asked = len(ids), len(rows)
        n_threads = workers.n if workers else 1
        few = n <= (self._level.rows_together if self._is_int8 else ROWS_TOGETHER)
        n_shares = min(n_threads, THREADS_TOGETHER) if few else 1
        n_parts = n_threads if n_shares == 1 else 1
        chunk, last_chunk = (max(1, min(CHUNK, -(-each // n_parts))) for each in (n, n_asked))
        stops = offsets.tolist()
        longest = -(-max(map(operator.sub, stops[1:], stops), default=1) // self._level.width)
        mine = self._workplace(chunk, longest)
        _, _, _, hidden, out = room = self._room(n, mine)
        if self._tables:
            hidden[:n, :self._d] = embed(ids, positions, self._tables)
        weights, work, words = self._no_head
        if head:
            weights, work = head.weights, head.work(n_asked)
            words = head.words(characters, n_asked, self._d, row_offsets)
        n_steps = (self._n_layers + 1) * STEPS + (head.n_steps if head else 0) + 1
        head_shares = min(n_threads, HEAD_THREADS)
        call = (chunk, last_chunk, n_shares, ids, positions, offsets, rows, row_offsets,
                np.zeros((n_steps, 2), np.int64), int(time.perf_counter() - self._returned < SOON))
        kernel = self._bound(mine, weights, mine.tiles, mine.rows, room, work)

        def run() -> None:
            kernel(*call, 0, head_shares, *words)

        def help_run(index: int) -> None:
            own = self._workplace(chunk, longest)
            kernel = self._bound(own, weights, own.tiles, mine.rows if n_shares > 1 else own.rows, room, work)
            kernel(*call, index, head_shares, *words)
            self._kept.give(own)

        n_runs = min(n_threads, n_shares * -(-n // chunk))
        if workers and n_runs > 1:
            workers.help(run, *[partial(help_run, index) for index in range(1, n_runs)])
        else:
            run()
        self._returned = time.perf_counter()
        result = head.scores(words) if head else out[:n_asked, :self._d].copy()
        if head:
            head.kept.give(work)
        self._kept.give(mine)
        return result

    def _workplace(self, chunk: int, longest: int) -> Workplace:
        """Take this thread's workplace, with scratch for at least so many rows and panels of keys."""
        mine: Workplace = self._kept.take() or Workplace()
        if mine.chunk < chunk or mine.longest < longest:
            mine.chunk, mine.longest = max(mine.chunk, chunk), max(mine.longest, longest)
            scratch = self._new_scratch(mine.chunk, mine.longest)
            mine.tiles, mine.rows = scratch[:-ROW_SCRATCH], scratch[-ROW_SCRATCH:]
        return mine

    def _room(self, n: int, mine: Workplace) -> list[np.ndarray]:
        """Return what the kernel fills, for n rows at least: the workplace's own where they are few, else new."""
        if n > CHUNK:
            return self._new_room(n)
        mine.room = mine.room or self._new_room(CHUNK)
        return mine.room

    def _new_room(self, n: int) -> list[np.ndarray]:
        d, number = padded(self._d, self._level.columns), np.int16 if self._is_int8 else np.float32
        return [np.arange(n), np.empty((3, 2, n, self._n_heads, self._size), number),
                np.empty((3, 2, n, self._n_heads), np.float32), *np.zeros((2, n, d), np.float32)]

    def _bound(self, mine: Workplace, *parts: list[Any]) -> Callable[..., None]:
        """Return the kernel with its first arguments given, which takes a while: the last one, if those are the same.

        parts: a head's weights, a thread's scratch of tiles and a chunk's rows, and the room and a head's work of the
        thread that is helped.
        """
        known, own = mine.known, parts[2] is mine.rows
        if own in known and all(map(operator.is_, known[own][0], parts)):
            return known[own][1]
        kernel = self._kernels.bind(self._run, *itertools.chain.from_iterable(parts))
        if len(parts[3][0]) <= CHUNK:  # a room that is kept
            known[own] = parts, kernel
        return kernel

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
