"""The cells of a table's column agree: a step between a model's emissions and its CRF, as `agreement` is one.

A cell has few words, and a network that reads row by row knows little of what is above and below. For each cell and
label let r be the greatest share of the label among the cell's words (see `agreement.Labels`), and for "no name" the
least share of O, all scaled to a sum of 1. How often a column has each label is estimated from its cells by the EM
algorithm of Saerens, Latinne and Decaestecker 2002: a cell's posterior is r times the column's rates, the rates are the
smoothed mean of the posteriors. log((posterior + s) / (r + s)) is added to the emissions of the label's tags in all
words of the cell. A first row without any name is the head of its table, and left alone.

A table is a run of lines that the same mark cuts into as many cells each, two or more. It takes time linear in the
text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nerlite.agreement import Labels

# What cuts lines into cells, the surest first. In quotes nothing does.
MARKS = ("\t", "|", ";", "  ", ",")
FEWEST_ROWS = 3
# Longer cells, in characters, are prose, and so are lines that have one.
LONGEST_CELL = 60
# So much of a cell each label has in a column before any is seen; rounds of the estimate.
SMOOTHING, ROUNDS = 0.2, 4


class Table(NamedTuple):
    """Where each cell starts and ends in the text, (n_rows, n_columns) both."""

    starts: np.ndarray
    ends: np.ndarray


def tables_of(text: str) -> Iterator[Table]:
    """Yield a text's tables."""
    if text.count("\n") + 1 < FEWEST_ROWS:
        return
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    starts = np.append(0, np.flatnonzero(codes == ord("\n")) + 1)
    ends = np.append(starts[1:] - 1, len(codes))
    quotes = np.flatnonzero(codes == ord('"'))
    in_table = np.zeros(len(starts), bool)
    for mark in filter(text.__contains__, MARKS):
        places = _unquoted(_places(codes, mark), quotes, starts)
        firsts = np.searchsorted(places, starts)
        counts = np.diff(np.append(firsts, len(places)))
        counts[in_table | (_longest_cells(places, starts, ends) > LONGEST_CELL)] = 0
        seams = np.flatnonzero(np.diff(counts, prepend=-1, append=-1))
        for first, stop in zip(seams[:-1].tolist(), seams[1:].tolist(), strict=True):
            if stop - first >= FEWEST_ROWS and counts[first]:
                own = places[firsts[first]:firsts[first] + (stop - first) * counts[first]].reshape(stop - first, -1)
                yield Table(np.column_stack([starts[first:stop], own + 1]), np.column_stack([own, ends[first:stop]]))
                in_table[first:stop] = True


def _places(codes: np.ndarray, mark: str) -> np.ndarray:
    """Return where a mark is; of spaces, where two or more begin that indent nothing."""
    is_mark = codes == ord(mark[0])
    if mark == "  ":
        before = np.append(np.uint32(ord("\n")), codes[:-1])
        is_mark[:-1] &= is_mark[1:]
        is_mark[-1:] = False
        is_mark &= (before != ord(" ")) & (before != ord("\n"))
    return np.flatnonzero(is_mark)


def _unquoted(places: np.ndarray, quotes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the places that are not in quotes, in lines where all quotes are closed."""
    if not len(quotes) or not len(places):
        return places
    firsts = np.searchsorted(quotes, starts)
    is_open = np.diff(np.append(firsts, len(quotes))) % 2 == 1
    lines = np.searchsorted(starts, places, "right") - 1
    return places[((np.searchsorted(quotes, places) - firsts[lines]) % 2 == 0) | is_open[lines]]


def _longest_cells(places: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the length of each line's longest cell."""
    edges = np.sort(np.concatenate([starts, places, ends]))
    return np.maximum.reduceat(np.diff(edges, append=edges[-1]), np.searchsorted(edges, starts))


class Columns:
    """The step for a model's tags."""

    def __init__(self, labels: Labels) -> None:
        """labels: of the model's tags."""
        self._labels = labels

    def __call__(self, emissions: np.ndarray, text: str, starts: np.ndarray) -> np.ndarray:
        """Return emissions (n_words, n_tags) float32 of a text's words whose cells agree.

        starts: where the words start in the text, (n_words,).
        """
        for table in tables_of(text):
            emissions = self._agreed(emissions, table, starts)
        return emissions

    def _agreed(self, emissions: np.ndarray, table: Table, starts: np.ndarray) -> np.ndarray:
        firsts, stops = np.searchsorted(starts, table.starts.ravel()), np.searchsorted(starts, table.ends.ravel())
        n_words, (rows, columns) = stops - firsts, np.indices(table.starts.shape).reshape(2, -1)
        firsts, columns, rows, n_words = (each[n_words > 0] for each in (firsts, columns, rows, n_words))
        if not len(firsts):
            return emissions
        begins = np.cumsum(n_words) - n_words
        words = np.repeat(firsts - begins, n_words) + np.arange(n_words.sum())
        shares = self._labels.shares(emissions[words])
        own = np.column_stack([np.maximum.reduceat(shares[:, :-1], begins), np.minimum.reduceat(shares[:, -1], begins)])
        own /= own.sum(axis=1, keepdims=True)
        has_head = (own[rows == 0].argmax(axis=1) == own.shape[1] - 1).all()
        kept = rows >= int(has_head)
        agreed = own.copy()
        agreed[kept] = posteriors(own[kept], columns[kept])
        own, agreed = (np.repeat(each[:, :-1], n_words, axis=0) for each in (own, agreed))
        return self._labels.moved(emissions, words, own, agreed)


def posteriors(shares: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return what cells' shares (n_cells, n_labels) become where each is of a column, (n_cells,)."""
    found = shares
    counts = np.bincount(columns)[:, None]
    for _ in range(ROUNDS):
        sums = np.stack([np.bincount(columns, share, len(counts)) for share in found.T], 1)
        rates = (sums + SMOOTHING) / (counts + SMOOTHING * shares.shape[1])
        found = shares * rates[columns]
        found /= found.sum(axis=1, keepdims=True)
    return found
