"""The linear-chain CRF: best tags, marginals, and the probability of entities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nerlite.config import Config
from nerlite.network.parameters import floats
from nerlite.ops import Ops
from nerlite.tags import Span, allowed_transitions, is_boundary, split_tag
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
        """Take the learned transitions, or make those that the decoder stands for."""
        self._ops, n_tags = ops, len(config.tags)
        start, transitions, end = np.zeros(n_tags), np.zeros((n_tags, n_tags)), np.zeros(n_tags)
        if config.decoder == "crf":
            transitions = floats(tensors, "crf.transitions")
            if config.crf_boundaries:
                start, end = floats(tensors, "crf.start_transitions"), floats(tensors, "crf.end_transitions")
        elif config.decoder == "viterbi":
            start, transitions, end = (np.where(allowed, 0, FORBIDDEN)
                                       for allowed in allowed_transitions(config.tags, config.scheme))
        self._scores = tuple(part.astype(np.float32) for part in (start, transitions, end))
        labels = [split_tag(tag)[1] for tag in config.tags]
        self._label_names = sorted(set(labels))
        self._labels = np.array([self._label_names.index(label) for label in labels], np.int64)
        self._boundaries = np.array([[is_boundary(a, b) for b in config.tags] for a in config.tags], bool)

    def tags(self, emissions: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """emissions: (n_words, n_tags); offsets: (n_seqs + 1,) → the best tags (n_words,), lowest first on a tie."""
        best: np.ndarray = self._ops.viterbi(emissions, offsets, *self._scores)
        return best

    def marginals(self, emissions: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """emissions: (n_words, n_tags); offsets: (n_seqs + 1,) → each tag's probability (n_words, n_tags) float64."""
        alpha, beta, log_partition = self._ops.forward_backward(emissions, offsets, *self._scores)
        probabilities: np.ndarray = np.exp(alpha + beta - np.repeat(log_partition, np.diff(offsets))[:, None])
        return probabilities

    def decode(self, emissions: np.ndarray, offsets: np.ndarray) -> Decoded:
        """emissions: (n_words, n_tags); offsets: (n_seqs + 1,) → best tags, their spans, the spans' probabilities."""
        tags = self.tags(emissions, offsets)
        spans = self._spans(tags, offsets)
        probabilities = np.exp(self._ops.span_log_probabilities(
            emissions, offsets, *self._scores, spans, self._labels, self._boundaries))
        by_sequence: list[list[Span]] = [[] for _ in offsets[1:]]
        scores: list[list[float]] = [[] for _ in offsets[1:]]
        for (sequence, first, stop, label), score in zip(spans.tolist(), probabilities.tolist(), strict=True):
            origin = int(offsets[sequence])
            by_sequence[sequence].append(Span(first - origin, stop - origin, self._label_names[label]))
            scores[sequence].append(min(score, 1.0))
        return Decoded(tags, by_sequence, scores)

    def _spans(self, tags: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return the spans that `tags.to_spans` reads, (n_spans, 4): sequence, first row, stop row, label."""
        n_rows = len(tags)
        begins = np.ones(n_rows + 1, bool)
        begins[1:-1] = self._boundaries[tags[:-1], tags[1:]]
        begins[offsets] = True
        edges = np.flatnonzero(begins)
        first, stop = edges[:-1], edges[1:]
        label = self._labels[tags[first]]
        sequence = np.searchsorted(offsets, first, side="right") - 1
        spans = np.stack([sequence, first, stop, label], axis=1)
        return spans[label != self._label_names.index("")]
