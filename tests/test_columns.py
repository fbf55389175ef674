"""A table's columns agree: what a table is, the formula cell by cell, and no difference anywhere else."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nerlite.agreement import SMOOTHING as SHARES
from nerlite.agreement import Labels
from nerlite.columns import FEWEST_ROWS, LONGEST_CELL, MARKS, ROUNDS, SMOOTHING, Columns, cells_of
from nerlite.pieces import Window
from nerlite.pipeline import Tagger
from nerlite.rules import _with_empty_cells
from nerlite.tags import split_tag, tag_names
from nerlite.text import split_words

TAGS = tag_names(["LOC", "PER"], "BIOES")


def cells(text):
    """The tables of a text, each the texts of its cells."""
    tables, columns = {}, {}
    for start, end, table, row, column in zip(*map(np.ndarray.tolist, cells_of(text)), strict=True):
        tables.setdefault(table, {}).setdefault(row, []).append(text[start:end])
        assert columns.setdefault(column, table) == table
    assert list(tables) == list(range(len(tables))) and sorted(columns) == list(range(len(columns)))
    for rows in tables.values():
        assert list(rows) == list(range(len(rows))) and len({len(row) for row in rows.values()}) == 1
    return [list(rows.values()) for rows in tables.values()]


@pytest.mark.parametrize(("text", "found"), [
    ("a\tb\nc\td\ne\tf", [[["a", "b"], ["c", "d"], ["e", "f"]]]),
    ("|a|b|\n|c|d|\n|e|f|\n", [[["", "a", "b", ""], ["", "c", "d", ""], ["", "e", "f", ""]]]),
    ("head\na, b\nc, d\ne, f\n\nx;y;z\nx;y;z\nx;y;z", [[["x", "y", "z"]] * 3, [["a", " b"], ["c", " d"], ["e", " f"]]]),
    ("Ada Li    Oslo\nBob      Rome, IT\nEve      Bern", [
        [["Ada Li", "   Oslo"], ["Bob", "     Rome, IT"], ["Eve", "     Bern"]]]),
    ('"Li, Ada",b\n"Ek, Bob",d\nx,y', [[['"Li, Ada"', "b"], ['"Ek, Bob"', "d"], ["x", "y"]]]),
    ('a",b\nc,d\ne,f', [[['a"', "b"], ["c", "d"], ["e", "f"]]]),
    ("a,b\nc,d", []), ("a\nb\nc", []), ("  a\n  b\n  c", []), ("a,b\n\nc,d\n\ne,f", []), ("a,b\nc,d,e\nf,g", []),
    ("\n\n\n", []), ("", []), (f"a,b\nc,{'d' * (LONGEST_CELL + 1)}\ne,f", []),
])
def test_what_a_table_is(text, found):
    assert cells(text) == found


def slow_tables(text):
    """What `cells_of` finds, line by line."""
    lines, taken, found = text.split("\n"), set(), []
    for mark in MARKS:
        rows = []
        for number, line in enumerate([*lines, ""]):
            row, cell, quoted = [], "", False
            closes = line.count('"') % 2 == 0
            i = 0
            while i < len(line):
                quoted ^= line[i] == '"' and closes
                is_mark = line.startswith(mark, i) and not quoted
                if mark == "  ":
                    is_mark &= i > 0 and line[i - 1] != " "
                if is_mark:
                    row, cell = [*row, cell], ""
                else:
                    cell += line[i]
                i += 1
            row.append(cell)
            good = len(row) > 1 and max(map(len, row)) <= LONGEST_CELL and number not in taken
            if rows and not (good and len(rows[-1][1]) == len(row)):
                if len(rows) >= FEWEST_ROWS:
                    found.append([cells for _, cells in rows])
                    taken.update(n for n, _ in rows)
                rows = []
            if good:
                rows.append((number, row))
    return found


@given(st.text(alphabet='ab ,;|\t"\n', max_size=60))
def test_tables_are_those_of_a_line_by_line_search(text):
    assert sorted(cells(text)) == sorted(slow_tables(text))


def softmax(row):
    exps = [math.exp(score) for score in row.tolist()]
    return [value / sum(exps) for value in exps]


def test_the_formula_cell_by_cell():
    text = "Ada Li,Oslo\nBob,Rome\nEve van Dyk,\n,Bern"
    words = split_words(text)
    starts = np.array(words.bounds[::2])
    emissions = np.random.default_rng(0).standard_normal((len(words), len(TAGS)), np.float32) * 3
    emissions[0, TAGS.index("B-PER")] = 9  # so that the first row is no head
    agreed = Columns(Labels(TAGS))(emissions, text, starts)
    columns = [[["Ada", "Li"], ["Bob"], ["Eve", "van", "Dyk"]], [["Oslo"], ["Rome"], ["Bern"]]]
    seen = set()
    for column in columns:
        own = []
        for cell in column:
            parts = [softmax(emissions[words.index(word)]) for word in cell]
            labels = [max(sum(p for p, tag in zip(part, TAGS, strict=True) if split_tag(tag)[1] == label)
                          for part in parts) for label in ("LOC", "PER")]
            values = [*labels, min(part[TAGS.index("O")] for part in parts)]
            own.append([value / sum(values) for value in values])
        posterior = own
        for _ in range(ROUNDS):
            rates = [(sum(each[i] for each in posterior) + SMOOTHING) / (len(column) + 3 * SMOOTHING) for i in range(3)]
            posterior = [[r * rate for r, rate in zip(each, rates, strict=True)] for each in own]
            posterior = [[value / sum(each) for value in each] for each in posterior]
        for cell, before, after in zip(column, own, posterior, strict=True):
            for word in cell:
                row = words.index(word)
                seen.add(row)
                for i, tag in enumerate(TAGS):
                    label = split_tag(tag)[1]
                    which = ["LOC", "PER"].index(label) if label else None
                    move = 0 if which is None else math.log((after[which] + SHARES) / (before[which] + SHARES))
                    assert agreed[row, i] == pytest.approx(emissions[row, i] + move, abs=1e-4)
    others = [row for row in range(len(words)) if row not in seen]
    assert np.array_equal(agreed[others], emissions[others])


def test_a_head_without_names_stays():
    text = "name,town\nAda,Oslo\nBob,Rome\nEve,Bern"
    words = split_words(text)
    emissions = np.random.default_rng(1).standard_normal((len(words), len(TAGS)), np.float32)
    head = [words.index("name"), words.index("town")]
    emissions[head, TAGS.index("O")] = 9
    agreed = Columns(Labels(TAGS))(emissions, text, np.array(words.bounds[::2]))
    assert np.array_equal(agreed[head], emissions[head])
    assert not np.array_equal(agreed, emissions)


def test_tables_of_one_text_do_not_mix():
    one, two = "Ada,Oslo\nBob,Rome\nEve,Bern", "Kim;Li\nLi;Bob\nEve;Al"
    words, both = split_words(f"{one}\n\n{two}"), np.random.default_rng(3).standard_normal((22, len(TAGS)), np.float32)
    n = len(split_words(one))
    agreed = Columns(Labels(TAGS))(both[:len(words)], words.text, np.array(words.bounds[::2]))
    for text, part in ((one, slice(0, n)), (two, slice(n, len(words)))):
        alone = Columns(Labels(TAGS))(both[part], text, np.array(split_words(text).bounds[::2]))
        assert np.allclose(agreed[part], alone, atol=1e-6)


def test_a_cell_is_as_long_as_it_may_be():
    long = "d" * LONGEST_CELL
    assert len(cells(f"{long},{long}\n{long},{long}\n{long},{long}")) == 1
    assert not cells(f"{long},{long}\n{long},{long}d\n{long},{long}")


def test_text_without_tables_and_words_without_text_stay():
    emissions = np.random.default_rng(2).standard_normal((2, len(TAGS)), np.float32)
    assert Columns(Labels(TAGS))(emissions, "Ada Li", np.array([0, 4])) is emissions
    assert Columns(Labels(TAGS))(emissions[:0], "", np.array([], np.int64)) is not None


@pytest.mark.parametrize(("text", "seen"), [
    ("\tAda\tOslo\nBob\tLi\t", "\tAda\tOslo\nBob\tLi\t"), ("\n\n  Ada\tOslo\t\n\n", "  Ada\tOslo\t"), ("Ada", "Ada")])
def test_cells_without_words_at_the_ends_of_a_text_are_cells(text, seen):
    words = split_words(text)
    begin, end = _with_empty_cells(words, Window(0, len(words), 0, len(words)))
    assert text[begin:end] == seen


def test_parts_of_a_text_end_where_their_words_or_their_lines_do():
    words = split_words("a\tb\t\n\tc\td\ne\tf")
    parts = [_with_empty_cells(words, Window(start, stop, start, stop)) for start, stop in ((0, 2), (2, 3), (3, 6))]
    assert [words.text[begin:end] for begin, end in parts] == ["a\tb\t", "\tc\t", "\td\ne\tf"]


def test_company_and_parts_make_no_difference(write_model, monkeypatch):
    ner = Tagger(str(write_model(agreement=True)), backend="numpy", threads=2)
    texts = ["john\tberlin\nacme\teu\njohn\tacme\nberlin\teu", "john in berlin, acme of the eu."] * 20
    alone = [ner(text).entities for text in texts[:2]]
    assert [document.entities for document in ner.pipe(texts, batch_size=40)] == alone * 20
    assert alone[0] != Tagger(str(write_model()), backend="numpy")(texts[0]).entities
