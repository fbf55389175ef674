"""Where entities may not begin or end: a step between a model's emissions and its CRF.

What may not be gets the score of what is forbidden, so that the CRF's probabilities are those of the taggings that
remain. No entity crosses the end of a paragraph or cell, or the mark with which a line begins (of a list, a heading, a
quotation), or goes from letters on to ideographs, Hebrew or Arabic, and none begins or ends with a word that has
neither letter nor digit, or begins with the "No." of a number.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from nerlite.forms import can_bound, is_of_other_script
from nerlite.memo import AT_ONCE, Memo
from nerlite.network.crf import FORBIDDEN
from nerlite.tags import split_tag
from nerlite.text import LINE, PARAGRAPH, SPACE

# What a word is, as bits: one that no entity comes from before to, the last before such a one, one that no entity
# begins or ends with.
FIRST, LAST, INNER = 1, 2, 4
# And one of another script, as long as its neighbours are looked at.
_OTHER = 8
# Words that say that a number follows; "Chanel No. 5" is a name all the same.
NUMBERED = frozenset(("No.", "Nos.", "no.", "nos.", "NO.", "NOS.", "Nr.", "№"))
# What a line of a list, a heading or a quotation begins with, and a space after it, and what a hashtag does.
MARKS = frozenset(("#", "##", "###", "####", "-", "–", "—", "*", "**", "+", "•", "▪", "◦", "●", ">", ">>"))
_SPACE = bytes([SPACE])


class Limits:
    """Which of a model's BIOES tags each kind of word may have."""

    def __init__(self, tags: Sequence[str]) -> None:
        """tags: the model's, in the order of its emissions' columns."""
        prefixes = [split_tag(tag)[0] for tag in tags]
        self.forbidden = np.array([[(kind & FIRST and prefix in "IE") or (kind & LAST and prefix in "BI")
                                    or (kind & INNER and prefix in "BES") for prefix in prefixes]
                                   for kind in range(8)], bool)
        self._penalties = np.where(self.forbidden, FORBIDDEN, np.float32(0))

    def __call__(self, emissions: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """Return emissions (n_words, n_tags) float32 without what words of these kinds (n_words,) may not be."""
        limited: np.ndarray = emissions + self._penalties.take(kinds, 0)
        return limited


def word_kinds(forms: Sequence[str], breaks: bytes) -> np.ndarray:
    """Return what each word is, (n_words,) uint8.

    forms: what the network reads of each word, nothing of one that is no word for it and in no entity; breaks: what
    lies before each.
    """
    kinds = bytearray()
    for start in range(0, len(forms), AT_ONCE):
        kinds += bytes(_OWN_KINDS(forms[start:start + AT_ONCE]))
    firsts = [i for i, kind in enumerate(breaks) if kind == PARAGRAPH
              or (kind == LINE and forms[i] in MARKS and (forms[i] == "#" or breaks[i + 1:i + 2] == _SPACE))]
    if max(kinds, default=0) >= _OTHER:
        firsts += [i for i, (kind, following) in enumerate(itertools.pairwise(kinds), 1)
                   if (kind ^ following) & _OTHER and not min(kind, following) & INNER]  # of letters
        kinds = bytearray(kind & ~_OTHER for kind in kinds)
    if not NUMBERED.isdisjoint(forms):
        for i, (form, following) in enumerate(itertools.pairwise(forms)):
            if form in NUMBERED and following[:1].isdigit():
                kinds[i] |= INNER
    for first in firsts:
        kinds[first] |= FIRST
    for stop in (*firsts, len(kinds)):
        if stop:
            kinds[stop - 1] |= LAST
    return np.frombuffer(kinds, np.uint8)


def _own_kinds(forms: list[str]) -> list[int]:
    """Return what each word is by itself."""
    return [(FIRST | LAST | INNER if not form else 0 if can_bound(form) else INNER)
            | (_OTHER if is_of_other_script(form) else 0) for form in forms]


_OWN_KINDS = Memo(_own_kinds, str)
