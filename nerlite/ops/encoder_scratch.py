"""What an encoder's kernel works on: each thread's own memory, kept from call to call."""

from __future__ import annotations

import numpy as np

from nerlite.ops.arguments import Chunk, EncoderWeights, HeadWork, Room, Tiles
from nerlite.ops.encoder_weights import mixed_width
from nerlite.ops.head import Head
from nerlite.ops.kept import Kept
from nerlite.ops.levels import Level
from nerlite.ops.levels.base import AT_ONCE
from nerlite.ops.packing import padded

# Rows that pass through all of a phase together: what they need stays in the second-level cache.
CHUNK = 64
# A thread keeps room for so many rows, more than a pass of the engine's has, 6 to 8 kB each. New memory for each pass
# would cost 5 % of the time, and be held by tasks that helpers have not begun, in as many copies as there are of them.
MOST_KEPT = 1024


class Workplace:
    """A thread's memory for the encoder."""

    def __init__(self, tiles: Tiles, chunk: Chunk) -> None:
        self.tiles, self.chunk = tiles, chunk
        self.room: Room | None = None
        self._head: Head | None = None
        self._work = HeadWork.empty()

    def work_for(self, head: Head, n: int) -> HeadWork:
        """Return what a head's kernel works on, of n words at least."""
        if self._head is not head or len(self._work.x) < n:
            self._head, self._work = head, head.work(n)
        return self._work


class Scratch:
    """Makes and keeps the memory that threads need for an encoder."""

    def __init__(self, level: Level, weights: EncoderWeights) -> None:
        self._level, self._weights, self._kept = level, weights, Kept()
        self._heads = weights.n_heads * weights.size
        self._words = weights.size // level.parts if weights.is_int8 else weights.size

    def take(self, n_rows: int, n_panels: int) -> Workplace:
        """Take this thread's workplace, for at least so many rows of a chunk and panels of a sequence's keys."""
        mine: Workplace = self._kept.take() or Workplace(self._tiles(n_panels), self._chunk(n_rows))
        if len(mine.tiles.columns) < n_panels:
            mine.tiles = self._tiles(n_panels)
        if len(mine.chunk.hidden) < n_rows:
            mine.chunk = self._chunk(n_rows)
        return mine

    def give(self, mine: Workplace) -> None:
        """Give a workplace back when a call has returned."""
        self._kept.give(mine)

    def room_for(self, n: int, mine: Workplace) -> Room:
        """Return what the kernel fills, for n rows at least: the workplace's own, or new where they are many."""
        if n > MOST_KEPT:
            return self._room(n)
        if mine.room is None or len(mine.room.x) < n:
            mine.room = self._room(max(n, CHUNK))
        return mine.room

    def _tiles(self, n_panels: int) -> Tiles:
        level, weights = self._level, self._weights
        n_keys = padded(n_panels * level.width, AT_ONCE)
        return Tiles.allocate(
            tile_rows=level.tile_rows, rows=level.rows, columns=level.columns, width=level.width, n_panels=n_panels,
            words=self._words, n_keys=n_keys, n_groups=n_keys // level.parts,
            n_value_panels=weights.size // level.width if weights.is_int8 else 0)

    def _chunk(self, n: int) -> Chunk:
        level, weights = self._level, self._weights
        d, d_mixed = len(weights.zeros), mixed_width(level, self._heads, is_int8=weights.is_int8)
        d_inner = weights.layers[0].ffn_in.panels.shape[0] * level.columns if weights.layers else 0
        chunk = Chunk.allocate(
            n=n, quantized={"n": n, "depth": max(d, d_inner, d_mixed)},
            d_qkv=padded(3 * self._heads, level.columns), d_mixed=d_mixed, d=d, d_inner=d_inner)
        chunk.mixed[:] = 0  # some levels read more numbers of each row than its heads have
        return chunk

    def _room(self, n: int) -> Room:
        weights = self._weights
        heads = {"n": n, "n_heads": weights.n_heads, "words": self._words}
        room = Room.allocate(n=n, d=len(weights.zeros), heads=[heads] * 2)
        room.everything[:] = np.arange(n)
        room.x[:, weights.d:] = 0  # nothing is written there
        return room
