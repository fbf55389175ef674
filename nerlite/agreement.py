"""A document agrees with itself: a step between a model's emissions and its CRF.

What a word is in one sentence says what it is in another: the "Biden" of a headline is the "Joe Biden" of the text. The
step moves each occurrence of a word towards what the document as a whole makes of it. For a word and a label, q is the
label's share under the word's emissions alone (their softmax, summed over the label's tags), Q the mean of q over all
occurrences of the word; log((Q + s) / (q + s)) is added to the emissions of the label's tags. The CRF's probabilities
are those of the emissions as they then are. It takes time linear in the text, and leaves alone words that occur once,
and those that are a name nowhere, by the best of their emissions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerlite.tags import split_tag

# Added to shares, so that none counts for more than a hundredfold of another. Chosen on CoNLL-2003's valid part.
SMOOTHING = 0.01
# Shorter words are seldom names, and mostly parts of different ones.
SHORTEST = 3


class Labels:
    """A model's tags by their labels: what emissions say of a label as a whole, O being the last."""

    def __init__(self, tags: Sequence[str]) -> None:
        """tags: the model's, in the order of its emissions' columns."""
        labels = [split_tag(tag)[1] for tag in tags]
        self.outside = tags.index("O")
        # Tags in the order of their labels, without O: label l has those from starts[l] on.
        columns = sorted((i for i, label in enumerate(labels) if label), key=labels.__getitem__)
        self._columns = np.array(columns, np.int64)
        names = [labels[i] for i in columns]
        self._starts = np.array([i for i, name in enumerate(names) if not i or names[i - 1] != name], np.int64)
        self._label_of = np.repeat(np.arange(len(self._starts)), np.diff([*self._starts, len(names)]))

    def shares(self, emissions: np.ndarray) -> np.ndarray:
        """Return (n_words, n_labels + 1): of the softmax of each word's emissions (n_words, n_tags), a label's part."""
        odds = np.exp(emissions - emissions.max(axis=1, keepdims=True))
        named = np.add.reduceat(odds[:, self._columns], self._starts, axis=1)
        return np.column_stack([named, odds[:, self.outside]]) / odds.sum(axis=1, keepdims=True)

    def moved(self, emissions: np.ndarray, rows: np.ndarray, shares: np.ndarray, to: np.ndarray) -> np.ndarray:
        """Return emissions where labels of some rows went from their shares to others, (n_rows, n_labels) both."""
        moves = np.log((to + SMOOTHING) / (shares + SMOOTHING))
        moved = emissions.copy()
        moved[rows[:, None], self._columns] += moves[:, self._label_of].astype(np.float32)
        return moved


class Agreement:
    """The step for a model's tags."""

    def __init__(self, labels: Labels) -> None:
        """labels: of the model's tags."""
        self._labels = labels

    def __call__(self, emissions: np.ndarray, forms: Sequence[str]) -> np.ndarray:
        """Return emissions (n_words, n_tags) float32 of one text whose words, as the network reads them, agree."""
        numbers: dict[str, int] = {}
        for form, tag in zip(forms, emissions.argmax(1).tolist(), strict=True):
            if tag != self._labels.outside and len(form) >= SHORTEST and form[0].isalpha():
                numbers.setdefault(form, len(numbers))
        places = [i for i, form in enumerate(forms) if form in numbers]
        if len(places) == len(numbers):  # each occurs once
            return emissions
        rows, which = np.array(places, np.int64), np.array([numbers[forms[i]] for i in places], np.int64)
        shares = self._labels.shares(emissions[rows])[:, :-1]
        sums = np.stack([np.bincount(which, share, len(numbers)) for share in shares.T], 1)
        means = sums / np.bincount(which, minlength=len(numbers))[:, None]
        return self._labels.moved(emissions, rows, shares, means[which])
