"""All layers of an encoder in one call of a kernel, by one thread or several."""

from __future__ import annotations

import operator
import time
from functools import partial

import numpy as np

from nerlite.ops.arguments import STEPS, Batch, Chunk, Encode, HeadWeights, HeadWork, Words
from nerlite.ops.encoder_scratch import CHUNK, Scratch, Workplace
from nerlite.ops.encoder_weights import pack_encoder
from nerlite.ops.head import Head
from nerlite.ops.library import Kernels
from nerlite.ops.numpy_ops import embed
from nerlite.ops.parameters import EncoderParameters
from nerlite.threads import Workers

# Of so few rows, at most CHUNK, of a float32 encoder, and of an int8 one as the level says, up to so many threads share
# out the columns of each product instead: each then fetches its part of the weights alone, which costs more than a
# product of few rows.
ROWS_TOGETHER, THREADS_TOGETHER = CHUNK, 4
# Threads that share out a head, which has two directions.
HEAD_THREADS = 2
# A call of several threads that follows another within so many seconds may be followed as soon: helpers stay awake.
SOON = 0.001


class EncoderLayers:
    """All layers of a transformer, in one call of a kernel."""

    def __init__(self, kernels: Kernels, parameters: EncoderParameters) -> None:
        """Pack the weights of all layers; arguments as in the reference."""
        level, tables = kernels.level, parameters.tables
        # Tables that the kernel cannot read are read here.
        in_kernel = (tables.words.dtype == tables.places.dtype == np.int8
                     and not len(parameters.embedding_norm.bias) % level.lanes)
        self._tables = None if in_kernel else tables
        self._weights = pack_encoder(kernels, parameters, with_tables=in_kernel)
        self._kernels, self._scratch, self._width = kernels, Scratch(level, self._weights), level.width
        self._rows_together = level.rows_together if self._weights.is_int8 else ROWS_TOGETHER
        self._no_head = HeadWeights.empty(), HeadWork.empty(), Words.empty()
        self._returned = 0.0  # when a call of several threads last did

    def __call__(self, ids: np.ndarray, positions: np.ndarray, offsets: np.ndarray, rows: np.ndarray,
                 row_offsets: np.ndarray, workers: Workers | None = None, head: Head | None = None,
                 characters: np.ndarray | None = None) -> np.ndarray:
        """Return the last hidden state of the rows that are asked for, or a head's scores; as the reference."""
        n, n_asked = len(ids), len(rows)
        batch, n_runs = self._schedule(ids, positions, offsets, rows, row_offsets, workers.n if workers else 1,
                                       head.n_steps if head else 0)
        stops = offsets.tolist()
        longest = -(-max(map(operator.sub, stops[1:], stops), default=1) // self._width)
        mine = self._scratch.take(batch.chunk, longest)
        room = self._scratch.room_for(n, mine)
        if self._tables:
            room.x[:n, :self._weights.d] = embed(ids, positions, self._tables)
        head_weights, work, words = self._no_head
        if head:
            head_weights, work = head.weights, mine.work_for(head, n_asked)
            words = head.words(characters, n_asked, self._weights.d, row_offsets)

        def run(own: Workplace, chunk: Chunk, index: int) -> None:
            self._kernels.encode(Encode(weights=self._weights, tiles=own.tiles, chunk=chunk, room=room, batch=batch,
                                        head=head_weights, work=work, words=words, index=index))

        def help_run(index: int) -> None:
            own = self._scratch.take(batch.chunk, longest)
            run(own, own.chunk if batch.n_shares == 1 else mine.chunk, index)
            self._scratch.give(own)

        if workers and n_runs > 1:
            workers.help(partial(run, mine, mine.chunk, 0), *[partial(help_run, index) for index in range(1, n_runs)])
            self._returned = time.perf_counter()
        else:
            run(mine, mine.chunk, 0)
        result: np.ndarray = head.scores(words) if head else room.out[:n_asked, :self._weights.d].copy()
        self._scratch.give(mine)
        return result

    def _schedule(self, ids: np.ndarray, positions: np.ndarray, offsets: np.ndarray, rows: np.ndarray,
                  row_offsets: np.ndarray, n_threads: int, head_steps: int) -> tuple[Batch, int]:
        """Return what the kernel is called with, and by how many threads."""
        n = len(ids)
        n_shares = min(n_threads, THREADS_TOGETHER) if n <= self._rows_together else 1
        n_parts = n_threads if n_shares == 1 else 1
        chunk, last_chunk = min(CHUNK, max(1, -(-n // n_parts))), min(CHUNK, max(1, -(-len(rows) // n_parts)))
        n_runs = min(n_threads, n_shares * -(-n // chunk))
        n_steps = (len(self._weights.layers) + 1) * STEPS + head_steps + 1
        lingers = n_runs > 1 and time.perf_counter() - self._returned < SOON
        batch = Batch(ids=ids, positions=positions, offsets=offsets, rows=rows, row_offsets=row_offsets,
                      counters=np.zeros((n_steps, 2), np.int64), chunk=chunk, last_chunk=last_chunk, n_shares=n_shares,
                      head_shares=min(n_threads, HEAD_THREADS), lingers=lingers)
        return batch, n_runs
