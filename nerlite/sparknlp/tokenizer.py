"""Spark NLP's Tokenizer with its default settings: one of the ways to split a text into words.

Source: Spark NLP 3.2, Tokenizer.scala and TokenizerModel.scala.
"""

from __future__ import annotations

import re

from nerlite.sparknlp.java import REGEX_SPACE

_CONTEXT = ".,;:!?*-()\"'"
# Spark NLP marks breaks with U+2187 before it splits at the marks, so one in the text breaks too.
_CANDIDATE = re.compile(f"[^{REGEX_SPACE}\u2187]+")


def split(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return a text's words and their offsets (start, end) in code points.

    A run of anything but breaks gives up to three words: the context characters that it begins with, those that it
    ends with, and all between them.
    """
    words: list[str] = []
    offsets: list[tuple[int, int]] = []
    for match in _CANDIDATE.finditer(text):
        candidate, (start, end) = match.group(), match.span()
        headed = candidate.rstrip(_CONTEXT)
        core_end = start + len(headed)
        core_start = core_end - len(headed.lstrip(_CONTEXT))
        cuts = [start, end] if core_start == core_end else [start, core_start, core_end, end]
        for left, right in zip(cuts, cuts[1:], strict=False):
            if left < right:
                words.append(candidate[left - start:right - start])
                offsets.append((left, right))
    return words, offsets
