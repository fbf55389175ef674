"""Names as lists, tables, forms and letters hold them, without sentences around them: windows to train on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from nerlite.text import LINE, NONE, PARAGRAPH, SPACE, split_words
from nerlite.training.data import Tags, Window, in_case
from nerlite.training.phrases import (
    CELLS,
    CLOSINGS,
    GREETINGS,
    HAN,
    HEADINGS,
    HEADLINES,
    HEADS,
    LABELS,
    MAIL_HEADS,
    MARKS,
    NICKNAMES,
    NOBODY,
    NOTES,
    REMARKS,
    ROMAN,
    SAYINGS,
    SEARCHES,
    SIGNATURES,
    TITLES,
)


class _Page:
    """A window that is being written, word by word."""

    def __init__(self, names: Mapping[str, Sequence[list[str]]], tags: Tags, rng: random.Random) -> None:
        self.names, self.rng, self._tags = names, rng, tags
        labels = [label for label in LABELS if label in names]
        # Lists of works and products are rarer than those of others.
        self.labels = [label for label in labels if label != "MISC" or rng.random() < 0.5] or labels
        self.words: list[str] = []
        self.breaks: list[int] = []
        self.allowed: list[int] = []

    def put(self, kind: int, *words: str, label: str = "") -> None:
        """Write words after a break of some kind; label: that of the name that they are."""
        self.words.extend(words)
        self.breaks.extend([kind, *[SPACE] * (len(words) - 1)])
        self.allowed.extend(self._tags.of_name(len(words), label) if label else [self._tags.number("O")] * len(words))

    def name(self, kind: int, label: str) -> None:
        """Write some name of a label."""
        self.put(kind, *self.rng.choice(self.names[label]), label=label)

    def saying(self, kind: int, text: str, case: str = "as it is") -> None:
        """Write a text, where labels stand for names, after a break of some kind."""
        words = split_words(text)
        for word, within in zip(words, [kind, *words.breaks[1:]], strict=True):
            if word in LABELS:
                label = word if word in self.names else self.rng.choice(self.labels)
                name = self.rng.choice(self.names[label])
                self.put(within, *(in_case(each, case) for each in name), label=label)
            else:
                self.put(within, in_case(word, case))

    def head(self, column: str) -> list[str]:
        """Return what a form or a table's head calls a column, in short sometimes."""
        words = self.rng.choice(HEADS[column]).split()
        return [_in_short(word, self.rng) for word in words] if self.rng.random() < 0.2 else words

    def other(self) -> str:
        """Return what else than names a column may hold."""
        return self.rng.choice(("number", "number", *CELLS))

    def cell(self, kind: int, column: str) -> None:
        """Write a name of a label, or what stands beside names."""
        rng = self.rng
        if column in self.labels:
            if column == "PER" and rng.random() < 0.08:
                self.put(kind, *rng.choice(TITLES))
                kind = SPACE
            self.name(kind, column)
        elif column == "number":
            digits = rng.choice((str(rng.randint(1, 2100)), f"{rng.random() * 100:.1f}"))
            self.put(kind, *rng.choice(("N", "N", "N %", "- N %", "$ N", "- N", "+ N")).replace("N", digits).split())
        else:
            self.put(kind, *rng.choice(CELLS[column]).split())


def _in_short(word: str, rng: random.Random) -> str:
    """Return the first letters of a word, or its first letter and consonants: Dest, Qty, Mgr."""
    consonants = word[0] + "".join(letter for letter in word[1:] if letter not in "aeiou")
    return rng.choice((word[:3], word[:4], consonants, consonants[:3], consonants[:4]))


def listings(names: Mapping[str, Sequence[list[str]]], tags: Tags, n: int, cases: Mapping[str, int],
             rng: random.Random) -> Iterator[Window]:
    """Yield n windows; names: of each label, one of `LABELS` among them, or nothing is yielded."""
    if not any(label in names for label in LABELS):
        return
    for _ in range(n):
        page = _Page(names, tags, rng)
        rng.choice(STYLES)(page)
        case, = rng.choices(list(cases), list(cases.values()))
        yield Window([in_case(word, case) for word in page.words], [PARAGRAPH, *page.breaks[1:]], page.allowed)


def _letter(page: _Page) -> None:
    rng = page.rng
    for _ in range(rng.randint(2, 7)):
        page.put(LINE, rng.choice(GREETINGS))
        if rng.random() < 0.3 or "PER" not in page.labels:
            page.put(SPACE, rng.choice(NOBODY))
            page.put(SPACE, rng.choice(",!."))
            continue
        if rng.random() < 0.5:
            page.put(SPACE, ",")
        page.name(rng.choice((SPACE, LINE)), "PER")
        if rng.random() < 0.5:
            page.put(SPACE, rng.choice(",!."))


def _form(page: _Page) -> None:
    rng = page.rng
    for _ in range(rng.randint(2, 7)):
        column = rng.choice((*page.labels, page.other()))
        head = page.head(column)
        case = rng.choice(("as it is", "as it is", "as it is", "lower", "upper"))
        page.put(LINE, *(in_case(word, case) for word in head))
        page.put(rng.choice((SPACE, NONE)), rng.choice("::=-"))
        page.cell(SPACE, column)


def _object(page: _Page) -> None:
    rng = page.rng
    quote = rng.choice("\"'")
    for _ in range(rng.randint(1, 3)):
        page.put(LINE, "{")
        for i in range(rng.randint(1, 4)):
            column = rng.choice((*page.labels, page.other()))
            if i:
                page.put(NONE, ",")
            page.put(rng.choice((SPACE, LINE)), quote, *(word.lower() for word in page.head(column)), quote, ":", quote)
            page.cell(NONE, column)
            page.put(NONE, quote)
        page.put(NONE, "}")


def _inline(page: _Page) -> None:
    rng = page.rng
    label, kind = rng.choice(page.labels), SPACE
    for _ in range(rng.randint(2, 7)):
        page.name(kind, label)
        mark = rng.choice((",", "and", "/", ";", "|", "&"))
        page.put(SPACE, mark)
        kind = PARAGRAPH if mark == "|" else SPACE


def _among_han(page: _Page) -> None:
    rng = page.rng
    for _ in range(rng.randint(2, 6)):
        page.put(NONE, "".join(rng.sample(HAN, rng.randint(1, 4))))
        page.name(NONE, rng.choice(page.labels))


def _chat(page: _Page) -> None:
    rng = page.rng
    style = rng.choice(("<>", "<>", ":", "names"))
    nicknames = rng.sample(NICKNAMES, 3)
    if "PER" in page.labels:
        nicknames.append(rng.choice(page.names["PER"])[0].lower())
    has_times = rng.random() < 0.5
    for _ in range(rng.randint(2, 7)):
        kind = LINE
        if has_times:
            page.put(LINE, "[")
            page.put(NONE, f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}")
            page.put(NONE, "]")
            kind = SPACE
        if style == "<>":
            page.put(kind, "<")
            page.put(NONE, rng.choice(nicknames))
            page.put(NONE, ">")
        else:
            if style == "names" and "PER" in page.labels:
                page.name(kind, "PER")
            else:
                page.put(kind, rng.choice(nicknames[:3]))
            page.put(NONE, ":")
        page.saying(SPACE, rng.choice(SAYINGS))


def _mail(page: _Page) -> None:
    rng = page.rng
    for head in rng.sample(MAIL_HEADS, rng.randint(0, 4)):
        page.saying(LINE, head)
    page.saying(PARAGRAPH, f"{rng.choice(GREETINGS)} {rng.choice(('PER', 'PER', rng.choice(NOBODY)))},")
    for i in range(rng.randint(1, 4)):
        page.saying(rng.choice((LINE, PARAGRAPH)) if not i else rng.choice((SPACE, LINE)), rng.choice(NOTES))
    page.saying(PARAGRAPH, rng.choice(CLOSINGS))
    page.saying(LINE, rng.choice(SIGNATURES))


def _remarks(page: _Page) -> None:
    rng = page.rng
    between = rng.choice((SPACE, SPACE, LINE, PARAGRAPH))
    for _ in range(rng.randint(1, 5)):
        page.saying(between, rng.choice(REMARKS))


def _phrases(page: _Page) -> None:
    rng = page.rng
    phrases, case = rng.choice(((SEARCHES, "lower"), (HEADLINES, "upper"), (HEADLINES, "as it is")))
    for _ in range(rng.randint(1, 4)):
        page.saying(rng.choice((LINE, PARAGRAPH)), rng.choice(phrases), case)


def _marked(page: _Page) -> None:
    rng = page.rng
    before, after = rng.choice(MARKS)
    kind = LINE
    for _ in range(rng.randint(1, 6)):
        page.saying(kind, f"{before}{rng.choice(page.labels)}{after}")
        mark = rng.choice(("", "", ",", ":", "and"))
        if mark:
            page.put(NONE, mark)
        kind = rng.choice((LINE, SPACE)) if mark else LINE


def _rows(page: _Page, *, between: Callable[[random.Random], str], bullet: bool = False, cells: bool = False,
          border: str = "") -> None:
    """Write rows of the same columns, under a head sometimes.

    between: what parts cells; bullet: whether one stands before each row; cells: whether the splitter sees where they
    end; border: what stands at both ends of a row.
    """
    rng = page.rng
    columns = rng.sample(page.labels, rng.randint(1, len(page.labels)))  # a table seldom has two columns of a kind
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        columns.insert(rng.randint(0, len(columns)), rng.choice((*[page.other()] * 4, *page.labels)))
    has_head = not bullet and rng.random() < 0.4
    if not has_head and rng.random() < 0.2:
        page.put(LINE, *rng.choice(HEADINGS).split())
    mark, roman = rng.choice("-*•.)"), rng.random() < 0.3
    for number in range(rng.randint(2, 7)):
        kind = rng.choice((LINE, PARAGRAPH)) if cells else LINE
        if bullet:
            if mark in ".)":  # as the splitter cuts them
                count = ROMAN[number] if roman else str(number + 1)
                page.put(kind, *([f"{count}."] if mark == "." and not roman else [count, mark]))
            else:
                page.put(kind, mark)
            kind = SPACE
        if border:
            page.put(kind, border)
            kind = PARAGRAPH
        for i, column in enumerate(columns):
            if i:
                if separator := between(rng):
                    page.put(rng.choice((SPACE, NONE)), separator)
                kind = PARAGRAPH if cells else SPACE
            if has_head and not number:
                page.put(kind, *page.head(column))
            else:
                page.cell(kind, column)
        if border:
            page.put(SPACE, border)


def _lines(page: _Page) -> None:
    _rows(page, between=lambda rng: rng.choice(",,,;-("))


def _bullets(page: _Page) -> None:
    _rows(page, between=lambda rng: rng.choice(",,,;-("), bullet=True)


def _commas(page: _Page) -> None:
    _rows(page, between=lambda rng: ",")


def _pipes(page: _Page) -> None:
    _rows(page, between=lambda rng: "|", cells=True, border=page.rng.choice(("", "|")))


def _cells(page: _Page) -> None:
    _rows(page, between=lambda rng: "", cells=True)


STYLES: tuple[Callable[[_Page], None], ...] = (
    _lines, _lines, _cells, _cells, _commas, _bullets, _form, _object, _letter, _inline, _pipes,
    _chat, _mail, _mail, _mail, _remarks, _remarks, _phrases, _phrases, _marked, _among_han)
