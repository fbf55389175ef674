"""The word splitter: nothing but white space is lost, and newswire is split as CoNLL-2003 has it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nerlite.text import _pattern, split_words


@pytest.mark.parametrize(("text", "words"), [
    ("My name is John!", "My name is John !"),
    ("A U.N. envoy flies to Oslo on Monday.", "A U.N. envoy flies to Oslo on Monday ."),
    ("the U.S.-led force", "the U.S.-led force"),
    ("Spain's police don't say they'll go", "Spain 's police do n't say they 'll go"),
    ("It’s O’Brien’s", "It ’s O’Brien ’s"),
    ("J. Smith of Acme Corp. (Italy)", "J. Smith of Acme Corp. ( Italy )"),
    ("1,000,000 at 3.14% in 1996/97", "1,000,000 at 3.14 % in 1996/97"),
    ("US$5.50 or $3", "US$ 5.50 or $ 3"),
    ("S&P and Inzamam-ul-Haq", "S&P and Inzamam-ul-Haq"),
    ("He left. Then -- ... ?!", "He left . Then -- ... ? !"),
    ("1. Mansell\n2. Prost won in 1992.", "1. Mansell 2. Prost won in 1992 ."),
    ("see https://example.org/a?b=c, or write: me@a.org.", "see https://example.org/a?b=c , or write : me@a.org ."),
    ("e\u0301te\u0301 नमस्ते", "e\u0301te\u0301 नमस्ते"),
    ("", ""),
    (" \n\t\u3000", ""),
])
def test_splits(text, words):
    assert " ".join(split_words(text)) == words


@given(st.text())
def test_everything_but_white_space_is_in_a_word(text):
    words = split_words(text)
    assert [text[start:end] for start, end in words.offsets] == words[:] == list(words)
    assert "".join(words) == "".join(text.split())
    assert list(words.bounds) == sorted(words.bounds)
    assert words[::-2] == words[:][::-2]


@given(st.text(st.characters(codec="ascii")))
def test_ascii_is_split_as_all_text_is(text):
    in_ascii, in_all = (_pattern(ascii_only=only).finditer(text) for only in (True, False))
    assert [match.span() for match in in_ascii] == [match.span() for match in in_all]


@pytest.mark.parametrize("unit", ["a+", "-+", "a", ".", "n't", "a.", "x@", "'s", "a@b.", "A. ", "1,", "www.", "a'",
                                  "\u0301"])
def test_time_is_linear_in_hostile_text(unit):
    started = time.perf_counter()
    split_words(unit * 100_000)
    assert time.perf_counter() - started < 5
