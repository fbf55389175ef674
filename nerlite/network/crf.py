"""The linear-chain CRF: best tags, and the probability of entities."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from nerlite.config import Config
from nerlite.errors import ModelError
from nerlite.network.parameters import checked
from nerlite.ops import Ops
from nerlite.tags import Span, allowed_transitions, boundaries, split_tag
from nerlite.weights import Tensors

# The score of what may not be: low enough to be impossible, finite so that sums with it stay numbers.
FORBIDDEN = np.float32(-10000)


class Decoded(NamedTuple):
    """The tags of a batch: the best tag of each row, and each sequence's spans (word indices) with their scores."""

    tags: np.ndarray
    spans: list[list[Span]]
    scores: list[list[float]]


class CRF:
    """A distribution over tag sequences: the sum of emissions and transitions, exponentiated and normalized.

    Every decoder is one: "crf" with learned transitions, "viterbi" with those that only forbid ill-formed sequences,
    "argmax" with none. So a span's score always means the probability of that span with that label; without
    transitions it is a product over words. Source: Lafferty, McCallum & Pereira 2001.
    """

    def __init__(self, ops: Ops, tensors: Tensors, config: Config) -> None:
        self._ops, n_tags = ops, len(config.tags)
        start, transitions, end = np.zeros(n_tags), np.zeros((n_tags, n_tags)), np.zeros(n_tags)
        if config.decoder == "crf":
            transitions = _learned(tensors, "crf.transitions")
            if config.crf_boundaries:
                start, end = _learned(tensors, "crf.start_transitions"), _learned(tensors, "crf.end_transitions")
        elif config.decoder == "viterbi":
            start, transitions, end = (np.where(allowed, 0, FORBIDDEN)
                                       for allowed in allowed_transitions(config.tags, config.scheme))
        self._scores = tuple(part.astype(np.float32) for part in (start, transitions, end))
        labels = [split_tag(tag)[1] for tag in config.tags]
        self._outside = config.tags.index("O")
        self._label_names = sorted(set(labels))
        numbers = {label: number for number, label in enumerate(self._label_names)}
        self._labels = np.array([numbers[label] for label in labels], np.int64)
        self._boundaries = boundaries(config.tags)

    def tags(self, emissions: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """emissions: (n_words, n_tags); offsets: (n_seqs + 1,) → the best tags (n_words,), lowest first on a tie."""
        best: np.ndarray = self._ops.viterbi(emissions, offsets, *self._scores)
        return best

    def decode(self, emissions: np.ndarray, offsets: np.ndarray) -> Decoded:
        """emissions: (n_words, n_tags); offsets: (n_seqs + 1,) → best tags, their spans, the spans' probabilities.

        `ModelError` where these are no numbers: where transitions forbid all that emissions leave possible.
        """
        tags, rows, log_probabilities = self._ops.best_spans(emissions, offsets, *self._scores, self._labels,
                                                             self._boundaries, self._outside)
        starts = offsets.tolist()
        decoded = Decoded(tags, [[] for _ in starts[1:]], [[] for _ in starts[1:]])
        for (sequence, start, stop, label), score in zip(rows.tolist(), np.exp(log_probabilities).tolist(),
                                                         strict=True):
            if math.isnan(score):
                raise ModelError("crf: expected transitions and emissions that leave a sequence of tags possible, got "
                                 "none")
            first = starts[sequence]
            decoded.spans[sequence].append(Span(start - first, stop - first, self._label_names[label]))
            decoded.scores[sequence].append(min(score, 1.0))
        return decoded


def _learned(tensors: Tensors, name: str) -> np.ndarray:
    """Return transitions as float32; -inf forbids one, as does what is less than `FORBIDDEN`."""
    return checked(name, np.maximum(tensors[name], FORBIDDEN, dtype=np.float32))
