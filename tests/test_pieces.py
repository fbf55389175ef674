"""Words → pieces, and the windows over long texts."""

import contextlib
import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers

from nerlite.batch import offsets_of
from nerlite.config import BreaksConfig
from nerlite.pieces import PieceEncoder
from nerlite.shapes import N_SHAPES, shape
from nerlite.text import LINE, PARAGRAPH, SPACE

WINDOW = 32


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return PieceEncoder(tiny_model / "tokenizer.json", WINDOW)


def test_every_word_has_a_piece_and_the_first_is_its_own(encoder):
    words = ["the", "", "Berlin", "\u0301", "中", "ofx", "\u200b", "a" * 100_000, "\ud800"]
    pieces = encoder.encode(words)
    assert len(pieces.offsets) == len(words) + 1
    assert (np.diff(pieces.offsets) >= 1).all()
    alone = [encoder.encode([word]).ids for word in words]
    np.testing.assert_array_equal(pieces.ids, np.concatenate(alone))


@pytest.mark.parametrize("change", [
    lambda tokenizer: None,
    lambda tokenizer: setattr(tokenizer, "normalizer", normalizers.BertNormalizer(lowercase=True)),
    lambda tokenizer: setattr(tokenizer, "normalizer", normalizers.Lowercase()),
    lambda tokenizer: setattr(tokenizer, "pre_tokenizer", pre_tokenizers.Digits(individual_digits=True)),
    lambda tokenizer: tokenizer.add_tokens(["erl"]),
    lambda tokenizer: tokenizer.add_tokens([AddedToken("[x]", normalized=True)]),
    lambda tokenizer: setattr(tokenizer.model, "max_input_chars_per_word", 3),
], ids=["as it is", "lower case", "another normalizer", "another pre-tokenizer", "another token", "one in brackets",
        "shorter words"])
def test_pieces_are_those_of_the_whole_tokenizer(tiny_model, tmp_path, change):
    tokenizer, path = Tokenizer.from_file(str(tiny_model / "tokenizer.json")), tmp_path / "tokenizer.json"
    change(tokenizer)
    tokenizer.save(str(path))
    words = ["the", "THE", "Berlin", "berlin1990", "ofx", "x" * 99, "x" * 101, "Ünder", "U.S.", "[SEP]", "the-Berlin",
             "new york", "of...", "th\te", "of\x7f", "[x]the", "the[X]", "x" * 99 + "-" + "x" * 99, "`^_~!Z\\"]
    pieces = PieceEncoder(path, 10_000).encode(words)
    expected = tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False)
    assert list(pieces.ids) == expected.ids
    assert np.diff(pieces.offsets).tolist() == [expected.word_ids.count(i) for i in range(len(words))]


@pytest.mark.parametrize(("words", "expected"), [
    ("1990 , -- 日本 [ \u0301", 0), ("berlin 3rd 1990s ß ﬁ o'clock", 1), ("Berlin O'Neil Jean-Luc I A. Éva ǅ", 2),
    ("US U.S. COVID-19 ÄÖ ΑΒ", 3), ("McDonald iPhone UN-led eBay", 4)])
def test_shapes_of_words(words, expected):
    assert [shape(word) for word in words.split()] == [expected] * len(words.split())
    assert shape("") == 0 and expected < N_SHAPES


def test_ids_say_how_words_are_written(tiny_model, tiny_config):
    n, breaks = tiny_config.encoder.vocab_size, BreaksConfig("[unused1]", "[SEP]")
    plain, shaped = (PieceEncoder(tiny_model / "tokenizer.json", WINDOW, n, breaks=breaks, shapes=shapes)
                     for shapes in (False, True))
    words, kinds = ["Berlin", "EU", "of", ".", "ofEU", "\u200b"], bytes([PARAGRAPH, SPACE, LINE, SPACE, SPACE, SPACE])
    pieces, expected = shaped.encode(words, kinds), plain.encode(words, kinds)
    assert pieces[1:] == expected[1:]
    assert [i % n for i in pieces.ids] == list(expected.ids)
    of_words = [[i // n for i in pieces.ids[start + lead:stop]] for start, stop, lead in
                zip(pieces.offsets[:-1], pieces.offsets[1:], pieces.leads, strict=True)]
    assert of_words == [[shape(word)] * len(each) for word, each in zip(words, of_words, strict=True)]
    assert [each[0] for each in of_words] == [2, 3, 1, 0, 4, 0]
    assert [pieces.ids[pieces.offsets[i]] for i in (0, 2)] == [shaped.sep_id, shaped.line_id]


def test_a_word_takes_at_most_a_quarter_of_a_window(encoder):
    assert np.diff(encoder.encode(["x.y." * 500, "the"]).offsets).tolist() == [(WINDOW - 2) // 4, 1]


@given(st.lists(st.integers(1, (WINDOW - 2) // 4), max_size=300))
def test_windows_cover_each_word_once_where_its_context_is_widest(encoder, lengths):
    offsets = offsets_of(lengths)
    windows = encoder.windows(offsets)
    assert [word for w in windows for word in range(w.keep_start, w.keep_stop)] == list(range(len(lengths)))
    for window in windows:
        assert window.start <= window.keep_start < window.keep_stop <= window.stop
        assert offsets[window.stop] - offsets[window.start] <= WINDOW - 2

    def context(window, word):
        left = offsets[word] - offsets[window.start] if window.start else len(lengths) * WINDOW
        right = offsets[window.stop] - offsets[word] if window.stop < len(lengths) else len(lengths) * WINDOW
        return min(left, right)

    for window in windows:
        for word in range(window.keep_start, window.keep_stop):
            others = [w for w in windows if w.start <= word < w.stop]
            assert context(window, word) >= max(context(w, word) for w in others) - 1


def test_a_word_is_cut_behind_all_that_can_matter(tiny_model):
    """Of a word of any usual length every character that makes one of its pieces is read."""
    encoder = PieceEncoder(tiny_model / "tokenizer.json", 512)
    tokenizer = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    for word in ("x" * 99 + "-", "日", "é", "a\u0301", "the-", "x", "\u200b.", "\U0001f600"):
        for length in (1, 500, 10_000):
            whole = tokenizer.encode([word * (length // len(word) + 1)], is_pretokenized=True, add_special_tokens=False)
            assert list(encoder.encode([word * (length // len(word) + 1)]).ids) == whole.ids[:127]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process's own peak of memory is asked for in POSIX's way")
@pytest.mark.parametrize("unit", ["a", "é", "日", "\u0301", "\U0001f600", "[CLS]", "a日", "\ufdfa", "-"])
def test_long_words_take_memory_in_proportion(tiny_model, unit):
    import resource

    words = [unit * (1_000_000 // len(unit)), *[unit * (20_000 // len(unit))] * 50]

    def use():
        encoder = PieceEncoder(tiny_model / "tokenizer.json", 512)
        encoder.encode(["the", "é" * 50])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        encoder.encode(words)
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1024 if sys.platform == "linux" else 1)

    n_characters = sum(map(len, words))
    assert int(in_a_child(use)) < 12 * n_characters + (16 << 20)


def in_a_child(function):
    """What the function returns in a forked process, as text."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        with contextlib.suppress(BaseException):
            os.write(writing, str(function()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        result = file.read()
    os.waitpid(child, 0)
    return result
