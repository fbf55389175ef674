"""Where entities may not begin or end: a step between a model's emissions and its CRF.

What may not be gets the score of what is forbidden, so that the CRF's probabilities are those of the taggings that
remain. No entity crosses the end of a paragraph or cell, or changes between ideographs and letters, and none begins
or ends with a word that has neither letter nor digit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerlite.forms import can_bound, is_ideographic
from nerlite.network.crf import FORBIDDEN
from nerlite.tags import split_tag
from nerlite.text import PARAGRAPH

# Words that are looked at together.
WORDS_AT_ONCE = 4096
# What a word is, as bits: one that no entity comes from before to, the last before such a one, one that no entity
# begins or ends with.
FIRST, LAST, INNER = 1, 2, 4


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
        return emissions + self._penalties[kinds] if kinds.any() else emissions


def word_kinds(forms: Sequence[str], breaks: bytes) -> np.ndarray:
    """Return what each word is, (n_words,) uint8.

    forms: what the network reads of each word, nothing of one that is no word for it and in no entity; breaks: what
    lies before each.
    """
    ends = np.frombuffer(breaks + bytes([PARAGRAPH]), np.uint8) == PARAGRAPH
    kinds = (FIRST * ends[:-1] + LAST * ends[1:]).astype(np.uint8)
    ideographs = np.zeros(len(forms), bool)
    for start in range(0, len(forms), WORDS_AT_ONCE):
        some = forms[start:start + WORDS_AT_ONCE]
        others = np.flatnonzero(~np.fromiter(map(str.isalpha, some), bool, len(some)))
        if not "".join(some).isascii():
            ideographs[start:start + len(some)] = list(map(is_ideographic, some))
        kinds[start + others] |= np.array([_kind(some[i]) for i in others.tolist()], np.uint8)
    letters = ~ideographs & (kinds & INNER == 0)
    changes = (ideographs[1:] & letters[:-1]) | (letters[1:] & ideographs[:-1])
    kinds[1:][changes] |= FIRST
    kinds[:-1][changes] |= LAST
    return kinds


def _kind(form: str) -> int:
    """Return what a word is that is not of letters alone."""
    return FIRST | LAST | INNER if not form else 0 if can_bound(form) else INNER
