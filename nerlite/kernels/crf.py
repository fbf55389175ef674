"""The CRF's kernels: Viterbi, and forward-backward for the probability of spans; as in `nerlite.ops.numpy_crf`."""

from __future__ import annotations

import numpy as np

from nerlite.kernels.jit import kernel


@kernel()
def viterbi(crf):
    """As the reference; crf: a `Viterbi`."""
    emissions, offsets, start, transitions, end = crf.emissions, crf.offsets, crf.start, crf.transitions, crf.end
    came_from, state, following, path = crf.work.came_from, crf.work.state, crf.work.following, crf.path
    n_tags = len(start)
    for sequence in range(len(offsets) - 1):
        first, stop = offsets[sequence], offsets[sequence + 1]
        if first == stop:
            continue
        for tag in range(n_tags):
            state[tag] = np.float64(emissions[first, tag]) + start[tag]
        for row in range(first + 1, stop):
            for tag in range(n_tags):
                following[tag], came_from[row, tag] = state[0] + transitions[0, tag], 0
            for source in range(1, n_tags):  # tags within sources, so that they fill vectors
                for tag in range(n_tags):
                    option, score = state[source] + transitions[source, tag], following[tag]
                    following[tag] = option if option > score else score
                    came_from[row, tag] = source if option > score else came_from[row, tag]
            for tag in range(n_tags):
                state[tag] = emissions[row, tag] + following[tag]
        best = 0
        for tag in range(1, n_tags):
            if state[tag] + end[tag] > state[best] + end[best]:
                best = tag
        path[stop - 1] = best
        for row in range(stop - 1, first, -1):
            path[row - 1] = came_from[row, path[row]]


@kernel()
def best_spans(best):
    """As the reference: crf.path, and as many spans and log_probabilities as n_spans says; best: a `BestSpans`."""
    viterbi(best.crf)
    offsets, path, spans, labels, boundaries = best.crf.offsets, best.crf.path, best.spans, best.labels, best.boundaries
    n = 0
    for sequence in range(len(offsets) - 1):
        begin, stop = offsets[sequence], offsets[sequence + 1]
        for row in range(begin, stop):
            tag = path[row]
            if tag == best.outside:
                begin = row + 1
            elif row + 1 == stop or boundaries[tag, path[row + 1]]:
                spans[n, 0], spans[n, 1], spans[n, 2], spans[n, 3] = sequence, begin, row + 1, labels[tag]
                begin = row + 1
                n += 1
    best.crf.work.n_spans[0] = n
    if n > 0:
        _log_probabilities(best, spans[:n])


@kernel()
def _log_probabilities(best, spans):
    """As the reference's `span_log_probabilities`: spans in order, none empty, none within another.

    Other rows' scores than those ahead of spans are not kept: state holds one row's, at first the backward ones, then
    the forward ones.
    """
    crf, work, boundaries, out = best.crf, best.crf.work, best.boundaries, best.log_probabilities
    emissions, offsets, start, transitions, end = crf.emissions, crf.offsets, crf.start, crf.transitions, crf.end
    forward, backward, ahead, state, sums, ways, scaled = (work.forward, work.backward, work.ahead, work.state,
                                                           work.following, work.ways, work.scaled)
    n_tags, i = len(start), 0
    for source in range(n_tags):
        for tag in range(n_tags):
            forward[source, tag] = backward[tag, source] = np.exp(np.float64(transitions[source, tag]))
    while i < len(spans):
        sequence, after = spans[i, 0], i
        while after < len(spans) and spans[after, 0] == sequence:
            after += 1
        first, stop, last = offsets[sequence], offsets[sequence + 1], after - 1
        for tag in range(n_tags):
            state[tag] = end[tag]
        for row in range(stop - 1, first - 1, -1):
            while last >= i and spans[last, 2] >= row:
                for tag in range(n_tags):
                    ahead[last, tag] = state[tag]
                last -= 1
            for tag in range(n_tags):
                sums[tag] = state[tag] + emissions[row, tag]
            if row > first:
                top = _log_scale(sums, ways)
                state[:] = 0
                for tag in range(n_tags):
                    for source in range(n_tags):
                        state[source] += backward[tag, source] * ways[tag]
                for source in range(n_tags):
                    state[source] = np.log(state[source]) + top
        for tag in range(n_tags):
            sums[tag] += start[tag]
        log_partition, row = _log_total(sums), first
        while i < after:
            while i < after and spans[i, 1] == row:
                _pass(best, row, spans[i, 2], first, spans[i, 3])
                if spans[i, 2] < stop:
                    _step(ways, forward, boundaries, True, emissions[spans[i, 2]], scaled, sums)
                else:
                    for tag in range(n_tags):
                        sums[tag] = ways[tag]
                for tag in range(n_tags):
                    sums[tag] += ahead[i, tag]
                out[i] = _log_total(sums) - log_partition
                i += 1
            if row == first:
                for tag in range(n_tags):
                    state[tag] = emissions[row, tag] + np.float64(start[tag])
            else:
                top = _log_scale(state, ways)
                sums[:] = 0
                for source in range(n_tags):
                    for tag in range(n_tags):
                        sums[tag] += ways[source] * forward[source, tag]
                for tag in range(n_tags):
                    state[tag] = emissions[row, tag] + (np.log(sums[tag]) + top)
            row += 1


@kernel()
def _pass(best, row, stop, first, label):
    """ways = scores at the end of a span from row to stop; state: those of the row before, unless row is the first."""
    emissions, start, labels, boundaries, work = (best.crf.emissions, best.crf.start, best.labels, best.boundaries,
                                                  best.crf.work)
    forward, before, ways, following, scaled, n_tags = (work.forward, work.state, work.ways, work.following,
                                                        work.scaled, len(start))
    if row == first:
        for tag in range(n_tags):
            following[tag] = start[tag] + np.float64(emissions[row, tag])
    else:
        _step(before, forward, boundaries, True, emissions[row], scaled, following)
    while True:
        for tag in range(n_tags):
            ways[tag] = following[tag] if labels[tag] == label else -np.inf
        row += 1
        if row == stop:
            break
        _step(ways, forward, boundaries, False, emissions[row], scaled, following)


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
def _log_total(scores):
    """Return the log of the sum of exp(scores)."""
    top, total = _highest(scores), 0.0
    if top == -np.inf:
        return top
    for i in range(len(scores)):
        total += np.exp(scores[i] - top)
    return np.log(total) + top


@kernel()
def _step(state, forward, boundaries, across, emission, scaled, out):
    """out = log(exp(state) @ forward) + emission, over the transitions that are (or are not) boundaries.

    forward: exp(transitions); scaled: scratch.
    """
    top = _highest(state)
    out[:] = 0 if top > -np.inf else -np.inf
    if top > -np.inf:
        _log_scale(state, scaled)
        for source in range(len(state)):
            for tag in range(len(state)):
                out[tag] += scaled[source] * forward[source, tag] if boundaries[source, tag] == across else 0.0
        for tag in range(len(state)):
            out[tag] = np.log(out[tag]) + top + emission[tag]
