"""Text → words with their offsets, split as the newswire of CoNLL-2003 is."""

from __future__ import annotations

import functools
import itertools
import re
from array import array
from collections.abc import Iterable, Sequence
from typing import overload

# What Python's \w leaves out of a word: combining marks, vowel signs, joiners, variation selectors.
_MARKS = (r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
          r"\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0d4d\u0e31-\u0e4e\u0eb1-\u0ecd\u1ab0-\u1aff\u1dc0-\u1dff"
          r"\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f")
_CLITIC = r"['’](?:s|S|re|RE|ve|VE|ll|LL|d|D|m|M)\b"
_ABBREVIATIONS = ("Adm|Ala|Ariz|Ark|Assn|Aug|Ave|Bros|Calif|Capt|Cie|Co|Col|Colo|Conn|Corp|Cos|Dec|Del|Dr|Feb|Fla|Ft|"
                  "Ga|Gen|Gov|Hon|Ill|Inc|Ind|Jan|Jr|Kan|Ky|La|Lt|Ltd|Maj|Mass|Md|Messrs|Mich|Minn|Miss|Mo|Mr|Mrs|Ms|"
                  "Mt|Neb|Nev|Nov|Oct|Okla|Ont|Ore|Pa|Ph|Prof|Rep|Reps|Rev|Sen|Sens|Sept|Sgt|Sr|St|Ste|Tenn|Tex|Va|vs|"
                  "Wash|Wis|Wyo")


@functools.cache
def _pattern(*, ascii_only: bool) -> re.Pattern[str]:
    """Return what a word is: in ASCII, where there are no marks, a pattern that compiles in half the time."""
    w = r"\w" if ascii_only else rf"[\w{_MARKS}]"
    # Alternatives in order of precedence. Repetitions are possessive in effect (nothing after them can fail) or
    # bounded, so that a pass is linear in the text. The first gives most words as others would, in half the time.
    return re.compile(rf"""
        [A-Za-z]++(?!\S)
      | (?:https?://|www\.)[^\s<>"]*[^\s<>".,;:!?)\]'’]     # addresses
      | \w[\w.+-]{{0,63}}@\w[\w-]{{0,63}}(?:\.\w[\w-]{{0,63}})+
      | (?:[^\W\d_]\.){{2,}}(?:-{w}+)*                      # U.S.  a.m.  U.S.-led
      | (?<!\w)(?:{_ABBREVIATIONS})\.(?!\w)                 # Corp.
      | (?<![\w.])[A-Z]\.(?=\s+[A-Z])                       # the initial in "J. Smith"
      | ^\d{{1,3}}\.(?=[^\S\n])                             # the number of an item at the beginning of a line
      | (?<!\w)[A-Z]{{1,3}}\$                               # US$
      | (?<![\w.])[.+](?=\d){w}+(?:[.,:/-](?=\d){w}+)*      # .500  +44
      | {w}+?(?=n['’]t\b) | n['’]t\b | {_CLITIC}            # do n't  Spain 's
      | {w}+(?:(?:[-‐‑&·_]|(?<=\d)[.,:/](?=\d)|\.(?=[a-z0-9])|(?!{_CLITIC})['’]){w}+)*
      | ([^\w\s()\[\]{{}}])\1+                              # ...  --
      | \S
    """, re.VERBOSE | re.MULTILINE)


class Words(Sequence[str]):
    """The words of a text, each cut out of it when it is asked for: a million take 8 MB instead of 200.

    bounds: where they lie, in code points: start, end, start, end and so on.
    """

    def __init__(self, text: str, bounds: Iterable[int]) -> None:
        """Keep the text and where its words are."""
        self.text, self.bounds = text, bounds if isinstance(bounds, array) else array(_typecode(text), bounds)

    def __len__(self) -> int:
        return len(self.bounds) // 2

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        text, bounds, which = self.text, self.bounds, range(len(self))[index]
        if isinstance(which, int):
            return text[bounds[2 * which]:bounds[2 * which + 1]]
        if which.step != 1:
            return [self[i] for i in which]
        own = bounds[2 * which.start:2 * which.stop]
        return [text[start:end] for start, end in zip(own[::2], own[1::2], strict=True)]

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """Where each word starts and ends, end exclusive."""
        return list(zip(self.bounds[::2], self.bounds[1::2], strict=True))


def _typecode(text: str) -> str:
    """Return the smallest of array's types that holds a place in the text."""
    return "I" if len(text) < 1 << 32 else "Q"


def split_words(text: str) -> Words:
    """Return the words of a text; all but white space is in one.

    Punctuation stands alone, except within numbers, abbreviations, initials, addresses and hyphenated words; clitics
    ('s, n't) are words of their own.
    """
    bounds = array(_typecode(text))
    for match in _pattern(ascii_only=text.isascii()).finditer(text):
        bounds.extend(match.span())
    return Words(text, bounds)


def join_words(words: Sequence[str]) -> Words:
    """Return words that are already split as those of a text: themselves, joined by single spaces."""
    ends = itertools.accumulate(len(word) + 1 for word in words)
    return Words(" ".join(words), itertools.chain.from_iterable(
        (end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True)))
