"""Sequences, and the ragged batches that the network computes on: rows one after another, and offsets."""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import NamedTuple

import numpy as np


class Sequence(NamedTuple):
    """One network input: the pieces that the encoder sees, and the words that are tagged.

    piece_ids: (n_pieces,) int32 with [CLS] and [SEP]; first_pieces: (n_words,) the index in piece_ids of each word's
    first piece; words: n_words strings, for their characters.
    """

    piece_ids: np.ndarray
    first_pieces: np.ndarray
    words: Items[str]


class Batch(NamedTuple):
    """Several sequences as concatenated rows.

    piece_ids, positions (within the sequence): (n_pieces,); piece_offsets, word_offsets: (n_seqs + 1,) int64;
    first_pieces: (n_words,) rows of piece_ids; words: n_words strings.
    """

    piece_ids: np.ndarray
    positions: np.ndarray
    piece_offsets: np.ndarray
    first_pieces: np.ndarray
    word_offsets: np.ndarray
    words: list[str]


def make_batch(sequences: Items[Sequence]) -> Batch:
    """Concatenate sequences."""
    piece_offsets = offsets_of([len(sequence.piece_ids) for sequence in sequences])
    return Batch(
        np.concatenate([sequence.piece_ids for sequence in sequences]),
        np.concatenate([np.arange(len(sequence.piece_ids)) for sequence in sequences]),
        piece_offsets,
        np.concatenate([sequence.first_pieces + start
                        for sequence, start in zip(sequences, piece_offsets[:-1], strict=True)]),
        offsets_of([len(sequence.words) for sequence in sequences]),
        [word for sequence in sequences for word in sequence.words],
    )


def offsets_of(lengths: Items[int]) -> np.ndarray:
    """Return where each of several runs begins and, last, where the last ends: (n + 1,) int64."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
