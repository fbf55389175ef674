"""The CRF's kernels: Viterbi, forward-backward, and the probability of spans; as in `nerlite.ops.numpy_ops`."""

from __future__ import annotations

import numpy as np

from nerlite.ops.jit import kernel


@kernel()
def viterbi(emissions, offsets, start, transitions, end, came_from, state, following, path):
    n_tags = len(start)
    for sequence in range(len(offsets) - 1):
        first, stop = offsets[sequence], offsets[sequence + 1]
        if first == stop:
            continue
        for tag in range(n_tags):
            state[tag] = emissions[first, tag] + start[tag]
        for row in range(first + 1, stop):
            for tag in range(n_tags):
                best, score = 0, state[0] + transitions[0, tag]
                for source in range(1, n_tags):
                    option = state[source] + transitions[source, tag]
                    if option > score:
                        best, score = source, option
                came_from[row, tag] = best
                following[tag] = emissions[row, tag] + score
            for tag in range(n_tags):
                state[tag] = following[tag]
        best = 0
        for tag in range(1, n_tags):
            if state[tag] + end[tag] > state[best] + end[best]:
                best = tag
        path[stop - 1] = best
        for row in range(stop - 1, first, -1):
            path[row - 1] = came_from[row, path[row]]


@kernel()
def forward_backward(emissions, offsets, start, forward, end, ways, sums, alpha, beta, log_partition):
    """forward: exp(transitions), float64; ways, sums: (n_tags,) float64 scratch."""
    n_tags = len(start)
    for sequence in range(len(offsets) - 1):
        first, stop = offsets[sequence], offsets[sequence + 1]
        if first == stop:
            continue
        for tag in range(n_tags):
            alpha[first, tag] = emissions[first, tag] + np.float64(start[tag])
            beta[stop - 1, tag] = end[tag]
        for row in range(first + 1, stop):
            top = _log_scale(alpha[row - 1], ways)
            sums[:] = 0
            for source in range(n_tags):
                for tag in range(n_tags):
                    sums[tag] += ways[source] * forward[source, tag]
            for tag in range(n_tags):
                alpha[row, tag] = emissions[row, tag] + (np.log(sums[tag]) + top)
        for row in range(stop - 1, first, -1):
            for tag in range(n_tags):
                sums[tag] = beta[row, tag] + emissions[row, tag]
            top = _log_scale(sums, ways)
            for source in range(n_tags):
                total = 0.0
                for tag in range(n_tags):
                    total += forward[source, tag] * ways[tag]
                beta[row - 1, source] = np.log(total) + top
        for tag in range(n_tags):
            sums[tag] = alpha[stop - 1, tag] + end[tag]
        top = _log_scale(sums, ways)
        total = 0.0
        for tag in range(n_tags):
            total += ways[tag]
        log_partition[sequence] = np.log(total) + top


@kernel()
def _highest(scores):
    top = scores[0]
    for i in range(1, len(scores)):
        top = max(top, scores[i])
    return top


@kernel()
def _log_scale(scores, out):
    """out = exp(scores - their highest); return the highest."""
    top = _highest(scores)
    for i in range(len(scores)):
        out[i] = np.exp(scores[i] - top)
    return top


@kernel()
def span_log_probabilities(emissions, offsets, start, transitions, end, spans, labels, boundaries, alpha, beta,
                            log_partition, ways, following, out):
    n_tags = len(start)
    for i in range(len(spans)):
        sequence, first, stop, label = spans[i]
        if first == offsets[sequence]:
            for tag in range(n_tags):
                ways[tag] = start[tag] + np.float64(emissions[first, tag]) if labels[tag] == label else -np.inf
        else:
            _step(alpha[first - 1], transitions, boundaries, True, emissions[first], ways)
            for tag in range(n_tags):
                ways[tag] = ways[tag] if labels[tag] == label else -np.inf
        for row in range(first + 1, stop):
            _step(ways, transitions, boundaries, False, emissions[row], following)
            for tag in range(n_tags):
                ways[tag] = following[tag] if labels[tag] == label else -np.inf
        if stop < offsets[sequence + 1]:
            _step(ways, transitions, boundaries, True, emissions[stop], following)
            for tag in range(n_tags):
                following[tag] += beta[stop, tag]
        else:
            for tag in range(n_tags):
                following[tag] = ways[tag] + end[tag]
        top = _highest(following)
        total = 0.0
        for tag in range(n_tags):
            total += np.exp(following[tag] - top)
        out[i] = np.log(total) + top - log_partition[sequence]


@kernel()
def _step(state, transitions, boundaries, across, emission, out):
    """out = log(exp(state) @ exp(transitions)) + emission, over the transitions that are (or are not) boundaries."""
    for tag in range(len(state)):
        top = -np.inf
        for source in range(len(state)):
            if boundaries[source, tag] == across:
                top = max(top, state[source] + transitions[source, tag])
        total = 0.0
        for source in range(len(state)):
            if boundaries[source, tag] == across and top > -np.inf:
                total += np.exp(state[source] + transitions[source, tag] - top)
        out[tag] = np.log(total) + top + emission[tag] if top > -np.inf else -np.inf
