"""The network's inputs, and the ragged batches that the network computes on: rows one after another, and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Input(NamedTuple):
    """One sequence that the network reads: the pieces that the encoder sees, and the words that are tagged.

    piece_ids: (n_pieces,) int64 with [CLS] and [SEP]; first_pieces: (n_words,) the index in piece_ids of each word's
    first piece; words: n_words strings, for their characters.
    """

    piece_ids: np.ndarray
    first_pieces: np.ndarray
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
    n_pieces, n_words = [len(each.piece_ids) for each in inputs], [len(each.words) for each in inputs]
    piece_offsets = offsets_of(n_pieces)
    return Batch(
        np.concatenate([each.piece_ids for each in inputs]),
        np.arange(piece_offsets[-1]) - np.repeat(piece_offsets[:-1], n_pieces),
        piece_offsets,
        np.concatenate([each.first_pieces for each in inputs]) + np.repeat(piece_offsets[:-1], n_words),
        offsets_of(n_words),
        [word for each in inputs for word in each.words],
    )


def offsets_of(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return where each of several runs begins and, last, where the last ends: (n + 1,) int64."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
