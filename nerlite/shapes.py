"""How a word is written, in classes: what the pieces of an uncased vocabulary do not say."""

from __future__ import annotations

# What `shape` returns is below this.
N_SHAPES = 5


def shape(word: str) -> int:
    """Return 0 for a word without letters that have case, 1 for lower case, 2 for a capital first ("Berlin", "O'Neil",
    "I"), 3 for capitals ("US", "U.N."), 4 for others ("McDonald", "iPhone", "UN-led").
    """
    if word.islower():
        return 1
    if word.isupper():
        return 3 if sum(map(str.isupper, word)) > 1 else 2
    if word.istitle():
        return 2
    return 4 if word.lower() != word else 0
