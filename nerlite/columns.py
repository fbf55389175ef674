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


class Cells(NamedTuple):
    """The cells of tables, (n_cells,) each, row by row.

    starts, ends: where they are in the text; tables, rows, columns: numbers from 0 on, columns' of all tables together.
    """

    starts: np.ndarray
    ends: np.ndarray
    tables: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def cells_of(text: str) -> Cells:
    """Return the cells of a text's tables."""
    found = [Cells(*np.zeros((5, 0), np.int64))]
    if text.count("\n") + 1 >= FEWEST_ROWS:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        starts = np.append(0, np.flatnonzero(codes == ord("\n")) + 1)
        ends = np.append(starts[1:] - 1, len(codes))
        quotes = np.flatnonzero(codes == ord('"'))
        is_free, n_tables, n_columns = np.ones(len(starts), bool), 0, 0
        for mark in filter(text.__contains__, MARKS):
            places = _unquoted(_places(codes, mark), quotes, starts)
            cells, lines = _cells(places, starts, ends, is_free)
            if len(lines):
                found.append(cells._replace(tables=cells.tables + n_tables, columns=cells.columns + n_columns))
                is_free[lines] = False
                n_tables, n_columns = found[-1].tables.max() + 1, found[-1].columns.max() + 1
    return Cells(*map(np.concatenate, zip(*found, strict=True)))


def _cells(places: np.ndarray, starts: np.ndarray, ends: np.ndarray, is_free: np.ndarray) -> tuple[Cells, np.ndarray]:
    """Return the cells of free lines that marks at some places make, and which lines those are."""
    firsts = np.searchsorted(places, starts)
    counts = np.diff(np.append(firsts, len(places)))
    counts[~is_free | (_longest_cells(places, starts, ends) > LONGEST_CELL)] = 0
    seams = np.flatnonzero(np.diff(counts, prepend=-1))
    n_rows = np.diff(np.append(seams, len(counts)))
    runs = np.repeat(np.arange(len(seams)), n_rows)
    is_table = (counts[seams] > 0) & (n_rows >= FEWEST_ROWS)
    lines = np.flatnonzero(is_table[runs])
    n_marks, n_cells = counts[lines], counts[lines] + 1
    marks = places[np.repeat(firsts[lines] - np.cumsum(n_marks) + n_marks, n_marks) + np.arange(n_marks.sum())]
    columns = np.arange(n_cells.sum()) - np.repeat(np.cumsum(n_cells) - n_cells, n_cells)
    line, run = np.repeat(lines, n_cells), np.repeat(runs[lines], n_cells)
    cell_starts, cell_ends = starts[line], ends[line]
    cell_starts[columns > 0] = marks + 1
    cell_ends[np.append(columns, 0)[1:] > 0] = marks
    widths = np.where(is_table, counts[seams] + 1, 0)
    return Cells(cell_starts, cell_ends, (np.cumsum(is_table) - 1)[run], line - seams[run],
                 columns + (np.cumsum(widths) - widths)[run]), lines


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
        cells = cells_of(text)
        firsts, stops = np.searchsorted(word_starts, cells.starts), np.searchsorted(word_starts, cells.ends)
        has_words = stops > firsts
        if not has_words.any():
            return emissions
        cells = Cells(*(each[has_words] for each in cells))
        firsts, n_words = firsts[has_words], (stops - firsts)[has_words]
        begins = np.cumsum(n_words) - n_words
        words = np.repeat(firsts - begins, n_words) + np.arange(n_words.sum())
        shares = self._labels.shares(emissions[words])
        own = np.column_stack([np.maximum.reduceat(shares[:, :-1], begins), np.minimum.reduceat(shares[:, -1], begins)])
        own /= own.sum(axis=1, keepdims=True)
        is_named = own.argmax(axis=1) < own.shape[1] - 1
        has_no_head = np.bincount(cells.tables[(cells.rows == 0) & is_named], minlength=cells.tables.max() + 1) > 0
        kept = (cells.rows > 0) | has_no_head[cells.tables]
        agreed = own.copy()
        agreed[kept] = posteriors(own[kept], cells.columns[kept])
        own, agreed = (np.repeat(each[:, :-1], n_words, axis=0) for each in (own, agreed))
        return self._labels.moved(emissions, words, own, agreed)


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
