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

from collections.abc import Iterator, Sequence
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
    edges = np.sort(np.concatenate([starts, places, places + 1, ends]))
    return np.maximum.reduceat(np.diff(edges, append=edges[-1]), np.searchsorted(edges, starts))


class Columns:
    """The step for a model's tags."""

    def __init__(self, labels: Labels) -> None:
        """labels: of the model's tags."""
        self._labels = labels

    def __call__(self, emissions: np.ndarray, text: str, word_starts: np.ndarray) -> np.ndarray:
        """Return emissions (n_words, n_tags) float32 of a text's words whose cells agree.

        word_starts: where the words start in the text, (n_words,).
        """
        tables = list(tables_of(text))
        cells = _cells(tables, word_starts) if tables else None
        if cells is None or not len(cells.n_words):
            return emissions
        begins = np.cumsum(cells.n_words) - cells.n_words
        words = np.repeat(cells.firsts - begins, cells.n_words) + np.arange(cells.n_words.sum())
        shares = self._labels.shares(emissions[words])
        own = np.column_stack([np.maximum.reduceat(shares[:, :-1], begins), np.minimum.reduceat(shares[:, -1], begins)])
        own /= own.sum(axis=1, keepdims=True)
        is_named = own.argmax(axis=1) < own.shape[1] - 1
        named_above = np.bincount(cells.tables[cells.is_first & is_named], minlength=len(tables))
        kept = ~cells.is_first | (named_above[cells.tables] > 0)
        agreed = own.copy()
        agreed[kept] = posteriors(own[kept], cells.columns[kept])
        own, agreed = (np.repeat(each[:, :-1], cells.n_words, axis=0) for each in (own, agreed))
        return self._labels.moved(emissions, words, own, agreed)


class _Cells(NamedTuple):
    """Of all cells with words their first word and how many, (n_cells,), and where they are.

    columns: numbers that no two tables share; is_first: whether in the first row.
    """

    firsts: np.ndarray
    n_words: np.ndarray
    tables: np.ndarray
    columns: np.ndarray
    is_first: np.ndarray


def _cells(tables: Sequence[Table], word_starts: np.ndarray) -> _Cells:
    starts, ends = (np.concatenate([each.ravel() for each in column]) for column in zip(*tables, strict=True))
    firsts, stops = np.searchsorted(word_starts, starts), np.searchsorted(word_starts, ends)
    widths = [table.starts.shape[1] for table in tables]
    offsets = np.cumsum([0, *widths])
    places = [np.indices(table.starts.shape).reshape(2, -1) for table in tables]
    cells = _Cells(firsts, stops - firsts, np.repeat(np.arange(len(tables)), [table.starts.size for table in tables]),
                   np.concatenate([columns + offset for (_, columns), offset in zip(places, offsets, strict=False)]),
                   np.concatenate([rows == 0 for rows, _ in places]))
    return _Cells(*(each[stops > firsts] for each in cells))


def posteriors(shares: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return what cells' shares (n_cells, n_labels) become where each is of a column, (n_cells,)."""
    found = shares
    counts = np.bincount(columns)[:, None]  # 0 for columns without words
    for _ in range(ROUNDS):
        sums = np.stack([np.bincount(columns, share, len(counts)) for share in found.T], 1)
        rates = (sums + SMOOTHING) / (counts + SMOOTHING * shares.shape[1])
        found = shares * rates[columns]
        found /= found.sum(axis=1, keepdims=True)
    return found
