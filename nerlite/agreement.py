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


class Agreement:
    """The step for a model's tags."""

    def __init__(self, tags: Sequence[str]) -> None:
        """tags: the model's, in the order of its emissions' columns."""
        labels = [split_tag(tag)[1] for tag in tags]
        self._outside = tags.index("O")
        # Tags in the order of their labels, without O: label l has those from starts[l] on.
        columns = sorted((i for i, label in enumerate(labels) if label), key=labels.__getitem__)
        self._columns = np.array(columns, np.int64)
        names = [labels[i] for i in columns]
        self._starts = np.array([i for i, name in enumerate(names) if not i or names[i - 1] != name], np.int64)
        self._label_of = np.repeat(np.arange(len(self._starts)), np.diff([*self._starts, len(names)]))

    def __call__(self, emissions: np.ndarray, forms: Sequence[str]) -> np.ndarray:
        """Return emissions (n_words, n_tags) float32 of one text whose words, as the network reads them, agree."""
        numbers: dict[str, int] = {}
        for form, tag in zip(forms, emissions.argmax(1).tolist(), strict=True):
            if tag != self._outside and len(form) >= SHORTEST and form[0].isalpha():
                numbers.setdefault(form, len(numbers))
        places = [i for i, form in enumerate(forms) if form in numbers]
        if len(places) == len(numbers):
            return emissions
        rows, which = np.array(places, np.int64), np.array([numbers[forms[i]] for i in places], np.int64)
        own = emissions[rows]
        odds = np.exp(own - own.max(axis=1, keepdims=True))
        shares = np.add.reduceat(odds[:, self._columns], self._starts, axis=1) / odds.sum(axis=1, keepdims=True)
        sums = np.stack([np.bincount(which, share, len(numbers)) for share in shares.T], 1)
        means = sums / np.bincount(which, minlength=len(numbers))[:, None]
        moves = np.log((means[which] + SMOOTHING) / (shares + SMOOTHING))
        agreed = emissions.copy()
        agreed[rows[:, None], self._columns] += moves[:, self._label_of].astype(np.float32)
        return agreed
