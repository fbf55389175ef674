"""Names as lists, tables, forms and letters hold them, without sentences around them: windows to train on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from nerlite.text import LINE, NONE, PARAGRAPH, SPACE
from nerlite.training.data import Tags, Window, in_case

GREETINGS = ("Hi", "Dear", "Hello", "Hey", "Thanks", "Best", "Regards", "Cheers", "Love")
NOBODY = ("All", "everyone", "team", "both", "again", "Sir", "wishes")
KEYS = {"PER": ("Name", "From", "To", "Author", "Contact", "Manager", "By", "Speaker", "Player", "Customer", "user"),
        "LOC": ("City", "Country", "Location", "Place", "Address", "Born in", "Region", "Venue", "Capital"),
        "ORG": ("Company", "Employer", "Organization", "Team", "Publisher", "Client", "Club", "Vendor", "Department"),
        "": ("ID", "Date", "Age", "Price", "Role", "Status", "Points", "Rank", "Title", "Notes", "Year", "Email")}
OTHER_CELLS = ("n/a", "yes", "Manager", "2020-01-05", "$5", "Sales", "active", "12:30", "CEO", "engineer", "Monday")
# Words between names of a text in another script.
HAN = "在的和与是了有公司工作见面去来自访问说对为于上下中大学城市今天他她我们"


class _Page:
    """A window that is being written, word by word."""

    def __init__(self, names: Mapping[str, Sequence[list[str]]], tags: Tags, rng: random.Random) -> None:
        self.names, self.rng, self._tags = names, rng, tags
        self.labels = [label for label in KEYS if label in names]
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

    def key(self, label: str) -> list[str]:
        """Return what a form or a table's head calls names of a label."""
        return self.rng.choice(KEYS[label]).split()

    def cell(self, kind: int, label: str) -> None:
        """Write a name, or without a label what stands beside names."""
        if label:
            self.name(kind, label)
        else:
            number = self.rng.choice((str(self.rng.randint(1, 2100)), f"{self.rng.random() * 100:.1f}"))
            self.put(kind, self.rng.choice((*OTHER_CELLS, number, number)))


def listings(names: Mapping[str, Sequence[list[str]]], tags: Tags, n: int, cases: Mapping[str, int],
             rng: random.Random) -> Iterator[Window]:
    """Yield n windows; names: of each label, some of PER, LOC and ORG among them, or nothing is yielded."""
    if not any(label in names for label in KEYS):
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
        label = rng.choice((*page.labels, ""))
        page.put(LINE, *page.key(label), rng.choice("::=-"))
        page.cell(SPACE, label)


def _object(page: _Page) -> None:
    rng = page.rng
    quote = rng.choice("\"'")
    for _ in range(rng.randint(1, 3)):
        page.put(LINE, "{")
        for i in range(rng.randint(1, 4)):
            label = rng.choice((*page.labels, ""))
            if i:
                page.put(NONE, ",")
            page.put(rng.choice((SPACE, LINE)), quote, *(word.lower() for word in page.key(label)), quote, ":", quote)
            page.cell(NONE, label)
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


def _rows(page: _Page, *, between: Callable[[random.Random], str], bullet: bool = False, cells: bool = False,
          border: str = "") -> None:
    """Write rows of the same columns, under a head sometimes.

    between: what parts cells; bullet: whether one stands before each row; cells: whether the splitter sees where they
    end; border: what stands at both ends of a row.
    """
    rng = page.rng
    columns = rng.sample(page.labels, rng.randint(1, len(page.labels)))  # a table seldom has two columns of a kind
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        columns.insert(rng.randint(0, len(columns)), rng.choice(("", "", "", *page.labels)))
    has_head = not bullet and rng.random() < 0.4
    for number in range(rng.randint(2, 7)):
        kind = rng.choice((LINE, PARAGRAPH)) if cells else LINE
        if bullet:
            page.put(kind, rng.choice(("-", "*", "•", f"{number + 1}.")))
            kind = SPACE
        if border:
            page.put(kind, border)
            kind = PARAGRAPH
        for i, label in enumerate(columns):
            if i:
                if mark := between(rng):
                    page.put(SPACE, mark)
                kind = PARAGRAPH if cells else SPACE
            if has_head and not number:
                page.put(kind, *page.key(label))
            else:
                page.cell(kind, label)
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
    _lines, _lines, _cells, _cells, _commas, _bullets, _form, _object, _letter, _inline, _pipes, _among_han)
