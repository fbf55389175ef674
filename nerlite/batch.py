"""The network's inputs, and the ragged batches that the network computes on: rows one after another, and offsets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")


class Input(NamedTuple):
    """One sequence that the network reads: the pieces that the encoder sees, and the words that are tagged.

    piece_ids: n_pieces, with [CLS] and [SEP]; first_pieces: the index in piece_ids of each word's first piece; words:
    n_words strings, for their characters.
    """

    piece_ids: Sequence[int]
    first_pieces: Sequence[int]
    words: Sequence[str]


class Batch(NamedTuple):
    """Several inputs as concatenated rows.

    piece_ids, positions (within the sequence): (n_pieces,); piece_offsets, word_offsets: (n_seqs + 1,) int64;
    first_pieces: (n_words,) rows of piece_ids; words: n_words strings.
    """

    piece_ids: np.ndarray
    positions: np.ndarray
    piece_offsets: np.ndarray
    first_pieces: np.ndarray
    word_offsets: np.ndarray
    words: list[str]


def make_batch(inputs: Sequence[Input]) -> Batch:
    """Concatenate inputs."""
    piece_ids, positions, first_pieces, words = list[int](), list[int](), list[int](), list[str]()
    piece_offsets, word_offsets = [0], [0]
    for each in inputs:
        start = len(piece_ids)
        first_pieces += [start + first for first in each.first_pieces]
        piece_ids += each.piece_ids
        positions += range(len(each.piece_ids))
        words += each.words
        piece_offsets.append(len(piece_ids))
        word_offsets.append(len(words))
    return Batch(np.array(piece_ids, np.int64), np.array(positions, np.int64), np.array(piece_offsets, np.int64),
                 np.array(first_pieces, np.int64), np.array(word_offsets, np.int64), words)


def in_runs(items: Iterable[Item], size: Callable[[Item], int], enough: int, most: int | None = None
            ) -> Iterator[list[Item]]:
    """Yield items in runs, each ended by the item with which its sizes together are enough, or that is its `most`th."""
    run: list[Item] = []
    total = 0
    for item in items:
        run.append(item)
        total += size(item)
        if total >= enough or len(run) == most:
            yield run
            run, total = [], 0
    if run:
        yield run


def concatenated(arrays: list[np.ndarray]) -> np.ndarray:
    """Return the arrays one after another; a single one, as a short text's, as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def offsets_of(lengths: Iterable[int]) -> np.ndarray:
    """Return where each of several runs begins and, last, where the last ends: (n + 1,) int64."""
    return np.array([0, *itertools.accumulate(lengths)], np.int64)
