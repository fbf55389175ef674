"""The CRF's operations in NumPy: Viterbi, and forward-backward for the probability of spans."""

from __future__ import annotations

import itertools

import numpy as np


def viterbi(emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
            end: np.ndarray) -> np.ndarray:
    """Return the best tag sequence of each sequence; on a tie the lowest tag.

    Scores add up in float64: in float32 a long sequence's would soon be too large to tell tags apart by theirs.
    emissions: (n_rows, n_tags); offsets: (n_seqs + 1,); start, end: (n_tags,); transitions[from, to], all float32
    → (n_rows,) int64. Source: Lafferty, McCallum & Pereira 2001.
    """
    path = np.empty(len(emissions), np.int64)
    came_from = np.empty(emissions.shape, np.int64)
    for first, stop in zip(offsets[:-1], offsets[1:], strict=True):
        if first == stop:
            continue
        state = emissions[first] + start.astype(np.float64)
        for row in range(first + 1, stop):
            options = state[:, None] + transitions
            came_from[row] = options.argmax(axis=0)
            state = emissions[row] + options.max(axis=0)
        path[stop - 1] = (state + end).argmax()
        for row in range(stop - 1, first, -1):
            path[row - 1] = came_from[row, path[row]]
    return path


def forward_backward(emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
                     end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log α, log β and the log-partition of each sequence, in float64; of this backend alone.

    Arguments as in `viterbi` → alpha, beta (n_rows, n_tags), log_partition (n_seqs,): alpha holds the score of all
    ways to a row's tag, its emission included; beta of all ways on from it, so that
    exp(alpha + beta - log_partition) are the marginals. Scores of one row should lie within 700 of each other, but
    for what is impossible: beyond that float64 takes the lower ones for impossible too. Source: Rabiner 1989.
    """
    alpha, beta = np.empty((2, *emissions.shape))
    log_partition = np.zeros(len(offsets) - 1)
    with np.errstate(divide="ignore"):
        forward, wide = np.exp(transitions.astype(np.float64)), emissions.astype(np.float64)
        for sequence, (first, stop) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
            if first == stop:
                continue
            alpha[first] = wide[first] + start
            for row in range(first + 1, stop):
                top = alpha[row - 1].max()
                alpha[row] = wide[row] + (np.log(np.exp(alpha[row - 1] - top) @ forward) + top)
            beta[stop - 1] = end
            for row in range(stop - 1, first, -1):
                ahead = beta[row] + wide[row]
                top = ahead.max()
                beta[row - 1] = np.log(forward @ np.exp(ahead - top)) + top
            ways = alpha[stop - 1] + end
            log_partition[sequence] = np.log(np.exp(ways - ways.max()).sum()) + ways.max()
    return alpha, beta, log_partition


def span_log_probabilities(emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
                           end: np.ndarray, spans: np.ndarray, labels: np.ndarray,
                           boundaries: np.ndarray) -> np.ndarray:
    """Return the log-probability of each span: that it begins, ends and is labelled exactly so.

    First arguments as in `viterbi`; spans: (n_spans, 4) of sequence, first row, stop row (exclusive), label, in the
    order of their first rows, none empty; labels: (n_tags,) each tag's label, compared with the span's;
    boundaries[from, to]: whether a span ends between two tags → (n_spans,) float64. It is forward-backward with the
    span's tags held to its label, a boundary at both ends and none within; scores as there. Source: Culotta & McCallum
    2004, constrained forward-backward.
    """
    alpha, beta, log_partition = forward_backward(emissions, offsets, start, transitions, end)
    wide = transitions.astype(np.float64)
    across, within = np.where(boundaries, wide, -np.inf), np.where(boundaries, -np.inf, wide)
    result = np.empty(len(spans))
    for i, (sequence, first, stop, label) in enumerate(spans):
        here = np.where(labels == label, 0.0, -np.inf)
        ways = start.astype(np.float64) if first == offsets[sequence] else _log_matmul(alpha[first - 1], across)
        ways = ways + emissions[first] + here
        for row in range(first + 1, stop):
            ways = _log_matmul(ways, within) + emissions[row] + here
        if stop < offsets[sequence + 1]:
            total = np.logaddexp.reduce(_log_matmul(ways, across) + emissions[stop] + beta[stop])
        else:
            total = np.logaddexp.reduce(ways + end)
        result[i] = total - log_partition[sequence]
    return result


def _log_matmul(state: np.ndarray, transitions: np.ndarray) -> np.ndarray:
    """log(exp(state) @ exp(transitions)): state (n_tags,), transitions (n_tags, n_tags) → (n_tags,)."""
    result: np.ndarray = np.logaddexp.reduce(state[:, None] + transitions, axis=0)
    return result


def best_spans(emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray, end: np.ndarray,
               labels: np.ndarray, boundaries: np.ndarray, outside: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the best tags, the spans that they make, and these spans' log-probabilities.

    Arguments as in `viterbi` and `span_log_probabilities`; outside: the tag that is of no span → (n_rows,), (n_spans,
    4) and (n_spans,) as there.
    """
    path, spans = viterbi(emissions, offsets, start, transitions, end), []
    for sequence, (first, stop) in enumerate(itertools.pairwise(offsets.tolist())):
        begin = first
        for row in range(first, stop):
            if path[row] == outside:
                begin = row + 1
            elif row + 1 == stop or boundaries[path[row], path[row + 1]]:
                spans.append((sequence, begin, row + 1, labels[path[row]]))
                begin = row + 1
    found = np.array(spans, np.int64).reshape(-1, 4)
    if not spans:
        return path, found, np.empty(0)
    with np.errstate(invalid="ignore"):  # where nothing is possible, these are no numbers
        return path, found, span_log_probabilities(emissions, offsets, start, transitions, end, found, labels,
                                                   boundaries)
