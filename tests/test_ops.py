"""Each operation: the NumPy reference against an independent calculation, the kernels against the reference."""

import inspect
import itertools
import math
from functools import partial

import numpy as np
import pytest
from heads import stages_of

from nerlite.backends import load_ops
from nerlite.batch import offsets_of
from nerlite.config import MAX_INT8_LENGTH
from nerlite.ops import numpy_crf, numpy_ops
from nerlite.ops.parameters import (
    CharParameters,
    Embeddings,
    EncoderParameters,
    HeadParameters,
    LayerParameters,
    LinearParameters,
    LSTMParameters,
    Norm,
)
from nerlite.threads import Workers
from nerlite.weights import INT8_LIMIT, quantize

RNG = np.random.default_rng()
LENGTHS = [3, 1, 8, 1, 5, 17]
SOME = np.array([0, 2, 4, 5, 12, 13, 18, 20]), np.array([0, 2, 2, 4, 5, 6, 8])  # rows, and where a sequence's begin


@pytest.fixture(autouse=True)
def _same_numbers_whatever_ran_before():
    RNG.bit_generator.state = np.random.default_rng(7).bit_generator.state


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def linear(d_in, d_out, *, is_int8):
    weight, bias = floats(d_in, d_out) / math.sqrt(d_in), floats(d_out)
    if not is_int8:
        return LinearParameters(weight, bias)
    quantized, scale = quantize(weight, 0, INT8_LIMIT)
    return LinearParameters(quantized, bias, scale)


def lstm(d_in, hidden, *, is_int8, with_peepholes=True):
    w_hh = linear(hidden, 4 * hidden, is_int8=is_int8)._replace(bias=np.zeros(4 * hidden, np.float32))
    peepholes = floats(3, hidden) if with_peepholes else np.zeros((3, hidden), np.float32)
    return LSTMParameters(linear(d_in, 4 * hidden, is_int8=is_int8), w_hh, peepholes)


def test_backends_have_the_same_names_and_parameters(ops):
    for name in ("CharLayers", "EncoderLayers", "Head", "viterbi", "best_spans"):
        reference, other = getattr(numpy_ops, name), getattr(ops, name)
        assert (list(inspect.signature(reference).parameters.items())
                == list(inspect.signature(other).parameters.items())), name
        if inspect.isclass(reference) and ops is not numpy_ops:
            call, other_call = (inspect.signature(kind.__call__) for kind in (reference, other.func))
            assert call == other_call, name


def test_unknown_backend_is_refused():
    with pytest.raises(ValueError, match=r"backend: expected one of auto, native, numba, numpy, got 'torch'"):
        load_ops("torch")


def test_elementwise_formulas_against_the_standard_library():
    x = np.concatenate([np.linspace(-100, 80, 4001), [0, -87.5, 1e-8]]).astype(np.float32)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(numpy_ops.exp(x), np.exp(wide), rtol=3e-7, atol=1e-37)
    np.testing.assert_allclose(numpy_ops.sigmoid(x), 1 / (1 + np.exp(-wide)), rtol=0, atol=2e-7)
    np.testing.assert_allclose(numpy_ops.tanh(x), np.tanh(wide), rtol=0, atol=2e-7)
    exact = [value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in wide]
    np.testing.assert_allclose(numpy_ops.gelu(x), exact, rtol=3e-7, atol=6e-7)
    np.testing.assert_allclose(numpy_ops.coarse_gelu(x), exact, rtol=3e-7, atol=2e-4)
    falling = -np.abs(x)
    np.testing.assert_allclose(numpy_ops.coarse_exp(falling), np.exp(falling.astype(np.float64)), rtol=8e-5, atol=2e-35)


@pytest.mark.parametrize(("n_rows", "d_in", "d_out"), [(1, 5, 3), (2, 9, 20), (4, 16, 64), (7, 24, 72), (21, 300, 40)])
@pytest.mark.parametrize("activation", [None, "gelu", "relu"])
def test_linear(ops, n_rows, d_in, d_out, activation):
    x, bias, offsets = floats(n_rows, d_in), floats(d_out), offsets_of([n_rows - 1, 1])
    weight = floats(d_in, d_out) / math.sqrt(d_in)
    function = {None: lambda y: y, "gelu": numpy_ops.gelu, "relu": numpy_ops.relu}[activation]
    expected = function((x.astype(np.float64) @ weight + bias).astype(np.float32))
    tolerance = 4 * np.finfo(np.float32).eps * math.sqrt(d_in)  # rounding errors of a float32 sum add up at random
    layer, same = LinearParameters(weight, bias), LinearParameters(np.eye(d_out, dtype=np.float32), 0 * bias)
    np.testing.assert_allclose(numpy_ops.Linear(layer, activation)(x, offsets), expected, atol=tolerance)
    if activation != "gelu":  # which the encoder's kernels have, tested below
        head = HeadParameters(False, layer, [], False, same) if activation else HeadParameters(
            False, None, [], False, layer)
        np.testing.assert_allclose(ops.Head(head)(None, x, offsets), expected, atol=tolerance)


@pytest.mark.parametrize(("n_rows", "d_in", "d_out"), [(1, 5, 3), (4, 16, 64), (9, 24, 72), (3, 2500, 9)])
def test_int8_linear_is_exact(n_rows, d_in, d_out):
    x, bias, scale = floats(n_rows, d_in), floats(d_out), np.abs(floats(d_out))
    x[0] = 0  # a row without spread
    weight = RNG.integers(-127, 128, (d_in, d_out)).astype(np.int8)
    weight[:, 0] = 127  # the largest sums there can be
    quantized, row_scale, lowest = numpy_ops.quantize_rows(x)
    assert quantized.min() == 0
    assert quantized.max() == 127 or n_rows == 1
    assert np.abs(lowest + row_scale * quantized - x).max() <= row_scale.max() * 0.51
    total = quantized.astype(np.int64) @ weight.astype(np.int64)
    expected = (row_scale * total.astype(np.float32) + lowest * weight.sum(axis=0).astype(np.float32)) * scale + bias
    result = numpy_ops.Linear(LinearParameters(weight, bias, scale))(x, offsets_of([n_rows]))
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("d_in", [24, 40, 96, 508])
def test_sums_of_the_largest_numbers_are_exact(ops, d_in):
    """Products with 127 are added up in 16 bits where they fit those: 258 * 127 does, one more does not."""
    weight = RNG.integers(-20, 21, (d_in, 70)).astype(np.int8)
    for column, most in ((0, 258), (1, -258), (16, 259), (32, -259)):  # of three panels, where those have 16 columns
        weight[:, column] = 0
        weight[0:24:4, column] = np.sign(most) * 43
        weight[0, column] += most - np.sign(most) * 258
    weight[:, 48:50] = 63, -63
    dense = LinearParameters(weight, np.zeros(70, np.float32), np.ones(70, np.float32))
    parameters = HeadParameters(True, dense, [], False, LinearParameters(*map(np.float32, (np.eye(70), np.zeros(70)))))
    x, offsets = np.repeat(np.float32([1, 0.5, 2]), d_in).reshape(3, d_in), np.array([0, 3])
    x[1:, 5:9] = -1, 0, 0.25, 1.5
    np.testing.assert_array_equal(ops.Head(parameters)(None, x, offsets), numpy_ops.Head(parameters)(None, x, offsets))


@pytest.mark.parametrize("is_int8", [False, True])
def test_a_row_gives_the_same_bits_however_many_there_are(ops, is_int8):
    parameters = HeadParameters(is_int8, linear(40, 70, is_int8=is_int8), [], False, linear(70, 9, is_int8=False))
    reference, layer = (partial(each.Head(parameters), None) for each in (numpy_ops, ops))
    x = floats(12, 40)
    alone = np.concatenate([layer(row[None], np.array([0, 1])) for row in x])
    for n in range(1, len(x) + 1):
        np.testing.assert_array_equal(layer(x[:n], np.arange(n + 1)), alone[:n])
    np.testing.assert_allclose(alone, reference(x, np.arange(len(x) + 1)), atol=1e-5)


def test_layer_norm_and_embed():
    x, weight, bias = floats(11, 37) * 3 + 1, floats(37), floats(37)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5) * weight + bias
    np.testing.assert_allclose(numpy_ops.layer_norm(x, weight, bias, 1e-5), expected, atol=2e-6)
    words, scale, places = RNG.integers(-127, 128, (9, 4)).astype(np.int8), np.abs(floats(9)), floats(5, 4)
    ids, positions, shapes = np.array([8, 0, 3]), np.array([0, 1, 4]), floats(3, 4)
    expected = words[ids] * scale[ids, None] + places[positions] + shapes[[2, 0, 1]]
    tables = Embeddings(words, scale, places, np.ones(5, np.float32), shapes)
    np.testing.assert_allclose(numpy_ops.embed(ids + np.array([18, 0, 9]), positions, tables), expected, atol=1e-6)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize(("n_heads", "size"), [(1, 6), (3, 8), (4, 5)])
def test_attention(n_heads, size, quantized):
    offsets, d = offsets_of(LENGTHS), n_heads * size
    qkv = floats(sum(LENGTHS), 3 * d) * 2
    expected = np.empty((len(qkv), d))
    for first, stop in itertools.pairwise(offsets):
        for head in range(n_heads):
            q, k, v = (qkv[first:stop, i * d + head * size:i * d + (head + 1) * size].astype(float) for i in range(3))
            weights = np.exp(q @ k.T / math.sqrt(size))
            expected[first:stop, head * size:(head + 1) * size] = weights / weights.sum(1, keepdims=True) @ v
    for rows, row_offsets in ((np.arange(len(qkv)), offsets), SOME):
        result = numpy_ops.attention(qkv, offsets, n_heads, rows, row_offsets, quantized=quantized)
        if quantized:  # of a row's highest number, a level is the 127th part
            away = np.linalg.norm(result - expected[rows]) / np.linalg.norm(expected[rows])
            assert away < 2 / numpy_ops.ATTENTION_LEVELS
        else:
            np.testing.assert_allclose(result, expected[rows], atol=2e-6)


def test_whole_numbers_of_attention_are_close_and_their_sums_fit():
    x = floats(5, 7, 33)
    x[0] = 0
    quantized, scale = numpy_ops.quantize_heads(x)
    assert np.abs(quantized).max() == numpy_ops.ATTENTION_LEVELS
    np.testing.assert_allclose(quantized * scale, x, atol=float(scale.max()) * 0.51)
    assert numpy_ops.ATTENTION_LEVELS ** 2 * MAX_INT8_LENGTH < 2 ** 31


@pytest.mark.parametrize("kind", ["float32", "int8"])
@pytest.mark.parametrize(("n_heads", "size", "d_inner", "n_layers"), [(1, 6, 5, 1), (3, 8, 72, 2), (2, 64, 130, 3),
                                                                      (4, 5, 16, 0)])
def test_encoder_layers_against_the_reference(ops, kind, n_heads, size, d_inner, n_layers):
    d, is_int8 = n_heads * size, kind == "int8"

    def norm():
        return Norm(1 + floats(d) / 10, floats(d))

    layers = [LayerParameters(linear(d, 3 * d, is_int8=is_int8), linear(d, d, is_int8=is_int8), norm(),
                              linear(d, d_inner, is_int8=is_int8), linear(d_inner, d, is_int8=is_int8), norm())
              for _ in range(n_layers)]
    tables = Embeddings(floats(9, d) * 3, floats(9), floats(70, d), np.ones(70, np.float32), floats(4, d))
    if is_int8:
        words, places = (RNG.integers(-127, 128, (n, d)).astype(np.int8) for n in (9, 70))
        tables = Embeddings(words, floats(9) / 30, places, floats(70) / 90, tables.shapes)
    parameters = EncoderParameters(tables, norm(), layers, n_layers, n_heads, 1e-5)
    reference, encoder = numpy_ops.EncoderLayers(parameters), ops.EncoderLayers(parameters)
    lengths = [*LENGTHS, 70]
    n_rows, offsets = sum(lengths), offsets_of(lengths)
    x = RNG.integers(0, 4 * 9, n_rows), np.concatenate([np.arange(n) for n in lengths])
    rows, row_offsets = np.append(SOME[0], [40, 41, 100]), np.append(SOME[1], 11)
    for asked in ((np.arange(n_rows), offsets), (rows, row_offsets)):
        expected = reference(*x, offsets, *asked)
        for workers in (None, Workers(3)):
            result = encoder(*x, offsets, *asked, workers)
            if kind == "int8":
                np.testing.assert_array_equal(result, expected)
            else:
                np.testing.assert_allclose(result, expected, atol=1e-5)
            np.testing.assert_array_equal(result, encoder(*x, offsets, *asked))
    head = ops.Head(HeadParameters(is_int8, linear(d + 2, 12, is_int8=is_int8),
                                   [tuple(lstm(12, 6, is_int8=is_int8) for _ in range(2))], True,
                                   linear(12, 5, is_int8=False)))
    characters = floats(len(rows), 2)
    scores = head(characters, encoder(*x, offsets, rows, row_offsets), row_offsets)
    for workers in (None, Workers(3)):
        np.testing.assert_array_equal(encoder(*x, offsets, rows, row_offsets, workers, head, characters), scores)
    # So few rows that threads take them together, step by step.
    for few in (3, 5):
        n, n_asked = sum(LENGTHS[:few]), SOME[1][few]
        arguments = x[0][:n], x[1][:n], offsets_of(LENGTHS[:few]), SOME[0][:n_asked], SOME[1][:few + 1]
        alone = encoder(*arguments)
        scores = head(characters[:n_asked], alone, SOME[1][:few + 1])
        for n_threads in (2, 3, 9):
            workers = Workers(n_threads)
            for _ in range(20):
                np.testing.assert_array_equal(encoder(*arguments, workers), alone)
                np.testing.assert_array_equal(encoder(*arguments, workers, head, characters[:n_asked]), scores)


@pytest.mark.parametrize("is_int8", [False, True])
@pytest.mark.parametrize(("n_characters", "dense_size", "hidden", "n_layers", "residual"), [
    (3, 12, 6, 1, True), (3, 12, 6, 3, True), (0, 32, 16, 2, True), (5, 40, 6, 2, False), (2, 7, 48, 2, False),
    (0, 7, 24, 1, False), (4, 20, 0, 0, True), (2, 0, 0, 0, False)])
def test_head_against_the_reference(ops, is_int8, n_characters, dense_size, hidden, n_layers, residual):
    d = 21
    layers = [tuple(lstm(2 * hidden if i else dense_size, hidden, is_int8=is_int8) for _ in range(2))
              for i in range(n_layers)]
    width = 2 * hidden if n_layers else dense_size or n_characters + d
    parameters = HeadParameters(
        is_int8, linear(n_characters + d, dense_size, is_int8=is_int8) if dense_size else None, layers, residual,
        linear(width, 17, is_int8=False))
    reference, head = numpy_ops.Head(parameters), ops.Head(parameters)
    for lengths in (LENGTHS, [1], [], [2, 70], LENGTHS[:2]):  # what one call left behind shows in no other
        n, offsets = sum(lengths), offsets_of(lengths)
        characters, vectors = floats(n, n_characters) if n_characters else None, 3 * floats(n, d)
        expected = reference(characters, vectors, offsets)
        assert expected.shape == (n, 17)
        np.testing.assert_allclose(head(characters, vectors, offsets), expected, atol=1e-5)
        if is_int8 and dense_size:
            np.testing.assert_array_equal(*(next(stages_of(each, parameters, characters, vectors, offsets))
                                            for each in (numpy_ops, ops)))
    with pytest.raises(ValueError, match=r"characters: expected|concatenat"):
        head(floats(2, n_characters + 1), floats(3, d), offsets_of([3]))


def test_convolution_of_characters(ops):
    offsets, n_ids, size, n_filters = offsets_of(LENGTHS), 9, 4, 5
    ids, padding = RNG.integers(0, n_ids, sum(LENGTHS)), np.array([0, 3, 1, 2, 0, 1])
    table, kernel, bias = floats(n_ids, size), floats(3, size, n_filters), floats(n_filters)
    expected = np.zeros((len(LENGTHS), n_filters))
    for word, (first, stop) in enumerate(itertools.pairwise(offsets)):
        seen = [*ids[first:stop], *[0] * padding[word]]
        rows = np.pad(table[seen], ((1, 1), (0, 0)))
        for position in range(len(seen)):
            total = sum(rows[position + tap] @ kernel[tap] for tap in range(3)) + bias
            expected[word] = np.maximum(expected[word], total)
    layers = ops.CharLayers(CharParameters(table @ kernel, bias, floats(0, 0), None, False))
    np.testing.assert_allclose(layers(ids, offsets, padding), expected, atol=3e-6)


@pytest.mark.parametrize("hard_sigmoid", [False, True])
@pytest.mark.parametrize(("n_filters", "hidden"), [(0, 6), (5, 16), (3, 30)])
def test_features_of_characters_against_the_reference(ops, n_filters, hidden, hard_sigmoid):
    parameters = CharParameters(floats(3, 9, n_filters), floats(n_filters), floats(9, 8 * hidden),
                                tuple(lstm(4, hidden, is_int8=False) for _ in range(2)), hard_sigmoid)
    reference, layers = numpy_ops.CharLayers(parameters), ops.CharLayers(parameters)
    for lengths in ([], [1], LENGTHS, [20, 3]):
        arguments = RNG.integers(0, 9, sum(lengths)), offsets_of(lengths), RNG.integers(0, 4, len(lengths))
        result = layers(*arguments)
        assert result.shape == (len(lengths), n_filters + 2 * hidden)
        np.testing.assert_allclose(result, reference(*arguments), atol=2e-6)


@pytest.mark.parametrize("hard_sigmoid", [False, True])
@pytest.mark.parametrize("with_peepholes", [False, True])
@pytest.mark.parametrize("is_int8", [False, True])
def test_bilstm(hard_sigmoid, with_peepholes, is_int8):
    """The reference alone: the kernels' are parts of a head and of characters' layers."""
    offsets, hidden = offsets_of(LENGTHS), 6
    gate = (lambda z: np.clip(0.2 * z + 0.5, 0, 1)) if hard_sigmoid else (lambda z: 1 / (1 + np.exp(-z)))

    def seen(h):
        quantized, scale, lowest = numpy_ops.quantize_rows(h[None].astype(np.float32))
        return (quantized * scale + lowest)[0] if is_int8 else h

    x, zeros = floats(sum(LENGTHS), 5), np.zeros(4 * hidden, np.float32)
    directions, expected = [], np.empty((len(x), 2, hidden))
    for direction in range(2):
        w_ih, w_hh, bias = floats(5, 4 * hidden) / 2, floats(hidden, 4 * hidden) / 2, floats(4 * hidden)
        peepholes = floats(3, hidden) if with_peepholes else np.zeros((3, hidden), np.float32)
        recurrent = LinearParameters(w_hh, zeros)
        if is_int8:
            weight, scale = quantize(w_hh, 0, INT8_LIMIT)
            recurrent, w_hh = LinearParameters(weight, zeros, scale), weight * scale
        directions.append(LSTMParameters(LinearParameters(w_ih, bias), recurrent, peepholes))
        gates, (p_i, p_f, p_o) = x @ w_ih + bias, peepholes
        for first, stop in itertools.pairwise(offsets):
            h, c = np.zeros((2, hidden))
            for row in (range(stop - 1, first - 1, -1) if direction else range(first, stop)):
                i, f, g, o = np.split(gates[row] + seen(h) @ w_hh, 4)
                old, c = c, gate(f + c * p_f) * c + gate(i + c * p_i) * np.tanh(g)
                assert old is not c
                h = expected[row, direction] = gate(o + c * p_o) * np.tanh(c)
    rows = RNG.permutation(len(x))
    shuffled = np.empty_like(x)
    shuffled[rows] = x
    lstm = numpy_ops.BiLSTM(*directions, hard_sigmoid=hard_sigmoid)
    projected = lstm.project(shuffled, offsets)
    result = lstm(projected, rows, offsets)
    np.testing.assert_allclose(result, expected.reshape(len(x), -1), atol=2e-6)
    last = np.hstack([result[offsets[1:] - 1, :hidden], result[offsets[:-1], hidden:]])
    np.testing.assert_array_equal(lstm(projected, rows, offsets, final=True), last)


@pytest.fixture(scope="module")
def crf():
    """A CRF of four tags with a forbidden transition, sequences short enough to enumerate, and one empty one."""
    n_tags, offsets = 4, offsets_of([3, 0, 1, 5, 4])
    start, transitions, end = floats(n_tags), floats(n_tags, n_tags), floats(n_tags)
    transitions[1, 2] = -np.inf
    return floats(offsets[-1], n_tags), offsets, start, transitions, end


def enumerate_paths(emissions, start, transitions, end):
    """Yield every tag sequence and its score."""
    for path in itertools.product(range(len(start)), repeat=len(emissions)):
        score = start[path[0]] + end[path[-1]] + sum(emissions[i, tag] for i, tag in enumerate(path))
        yield path, float(score + sum(transitions[a, b] for a, b in itertools.pairwise(path)))


def test_viterbi_by_enumeration(ops, crf):
    emissions, offsets, *scores = crf
    best = ops.viterbi(*crf)
    for first, stop in itertools.pairwise(offsets):
        paths = enumerate_paths(emissions[first:stop], *scores) if first < stop else [((), 0)]
        assert tuple(best[first:stop]) == max(paths, key=lambda path: path[1])[0]


def test_marginals_by_enumeration(crf):
    emissions, offsets, *scores = crf
    alpha, beta, log_partition = numpy_crf.forward_backward(*crf)
    for sequence, (first, stop) in enumerate(itertools.pairwise(offsets)):
        if first == stop:
            assert log_partition[sequence] == 0
            continue
        paths = list(enumerate_paths(emissions[first:stop], *scores))
        total = np.logaddexp.reduce([score for _, score in paths])
        assert log_partition[sequence] == pytest.approx(total, abs=1e-6)
        marginals = np.zeros((stop - first, emissions.shape[1]))
        for path, score in paths:
            marginals[np.arange(stop - first), path] += np.exp(score - total)
        found = np.exp(alpha[first:stop] + beta[first:stop] - log_partition[sequence])
        np.testing.assert_allclose(found, marginals, atol=1e-6)


def test_viterbi_takes_the_lowest_tag_on_a_tie(ops):
    zeros = np.zeros((4, 3), np.float32)
    assert (ops.viterbi(zeros, offsets_of([4]), zeros[0], np.zeros((3, 3), np.float32), zeros[0]) == 0).all()


def test_viterbi_is_as_exact_at_the_end_of_a_long_sequence(ops):
    """What all tags of a row have in common decides nothing, though most of the sums is that."""
    offsets, crf = offsets_of([5000]), (floats(5), floats(5, 5), floats(5))
    emissions = (64 * floats(5000, 5)).round() / 64  # so that 1024 more is exact
    np.testing.assert_array_equal(ops.viterbi(emissions + 1024, offsets, *crf), ops.viterbi(emissions, offsets, *crf))


def test_spans_of_long_sequences(ops):
    """Where sums leave float32, and most rows are of no span; the reference keeps all scores."""
    n_tags, offsets = 5, offsets_of([300, 0, 4000, 2])
    crf = 8 * floats(offsets[-1], n_tags), offsets, floats(n_tags), 3 * floats(n_tags, n_tags), floats(n_tags)
    crf[0][40:3000, 0] += 30  # of the outside
    labels = np.array([0, 1, 1, 2, 2])
    spans = labels, labels[:, None] != labels, 0
    (path, found, logs), (expected_path, expected, expected_logs) = (
        each.best_spans(*crf, *spans) for each in (ops, numpy_ops))
    np.testing.assert_array_equal(path, expected_path)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(logs, expected_logs, atol=1e-8)
    assert 300 < len(found) < 1500
    assert found[-1, 2] == offsets[-1]


def test_spans_by_enumeration(ops, crf):
    emissions, offsets, *scores = crf
    labels = np.array([0, 1, 1, 2])
    boundaries = labels[:, None] != labels
    boundaries[:, 1] = True  # tag 1 is a B-, tag 2 an I- of the same label
    spans, expected = [], []
    for sequence, (first, stop) in enumerate(itertools.pairwise(offsets)):
        if first == stop:
            continue
        paths = list(enumerate_paths(emissions[first:stop], *scores))
        total = np.logaddexp.reduce([score for _, score in paths])
        for a, b in itertools.combinations(range(stop - first + 1), 2):
            for label in (1, 2):
                probability = 0.0
                for path, score in paths:
                    ends = [i for i in range(1, len(path)) if boundaries[path[i - 1], path[i]]]
                    edges = [0, *ends, len(path)]
                    if (a, b) in itertools.pairwise(edges) and labels[path[a]] == label:
                        probability += np.exp(score - total)
                spans.append((sequence, first + a, first + b, label))
                expected.append(probability)
    found = np.exp(numpy_crf.span_log_probabilities(*crf, np.array(spans), labels, boundaries))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    probability_of = dict(zip(spans, expected, strict=True))
    n_found = 0
    for outside in range(-1, 4):
        path, best, logs = ops.best_spans(*crf, labels, boundaries, outside)
        np.testing.assert_array_equal(path, ops.viterbi(*crf))
        covered = np.zeros(len(path), int)
        for (sequence, start, stop, label), log in zip(best.tolist(), logs, strict=True):
            assert offsets[sequence] <= start < stop <= offsets[sequence + 1]
            covered[start:stop] += 1
            assert (labels[path[start:stop]] == label).all()
            assert not boundaries[path[start:stop - 1], path[start + 1:stop]].any()
            assert stop == offsets[sequence + 1] or path[stop] == outside or boundaries[path[stop - 1], path[stop]]
            if label:
                assert np.exp(log) == pytest.approx(probability_of[sequence, start, stop, label], abs=1e-6)
                n_found += 1
        np.testing.assert_array_equal(covered, path != outside)
    assert n_found > 10
