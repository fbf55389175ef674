"""Labelled sets of differing rules → windows of words to train on, laid out as people lay out text.

A set's label rules say what its labels are among the model's, and which of the model's labels its O may hide. What is
not known stays open: `Window.allowed` has all tags that agree with the annotation, and training sums over them
(Greenberg et al. 2018).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from nerlite.errors import ModelError
from nerlite.io.conll import Sentence as Tagged
from nerlite.io.conll import read_tagged, texts_of
from nerlite.tags import Span, from_spans, split_tag, tag_names, to_spans
from nerlite.text import LINE, PARAGRAPH, SPACE, form
from nerlite.training.recipe import SetRules

SCHEME: Literal["BIOES"] = "BIOES"
# 0: a sentence a window; else the most pieces.
WINDOW_SIZES = (0, 0, 0, 64, 128, 256)
# Words of a line, where prose is wrapped.
NARROWEST, WIDEST = 4, 16


class Sentence(NamedTuple):
    """Words and, for each, a number in `Tags.sets`: which tags agree with the annotation."""

    words: list[str]
    allowed: list[int]
    spans: list[Span]


class Window(NamedTuple):
    """Words that are trained on together, what lies before each, and which tags each may have."""

    words: list[str]
    breaks: list[int]
    allowed: list[int]


class Tags:
    """The model's tags and the sets of them that annotations leave open."""

    def __init__(self, labels: Sequence[str]) -> None:
        """labels: the model's."""
        self.labels, self.names = tuple(labels), tag_names(labels, SCHEME)
        self._ids = {name: i for i, name in enumerate(self.names)}
        self._numbers: dict[frozenset[int], int] = {}

    def number(self, names: Iterable[str]) -> int:
        """Return the number of a set of tags."""
        return self._numbers.setdefault(frozenset(self._ids[name] for name in names), len(self._numbers))

    def mask(self) -> np.ndarray:
        """Return which tags are in each set, (n_sets, n_tags) bool."""
        mask = np.zeros((len(self._numbers), len(self.names)), bool)
        for tags, i in self._numbers.items():
            mask[i, list(tags)] = True
        return mask

    def of_name(self, n_words: int, label: str) -> list[int]:
        """Return the numbers of the words of a name: each may have one tag."""
        return [self.number([name]) for name in from_spans([Span(0, n_words, label)], n_words, SCHEME)]

    def read(self, words: Sequence[str], tags: Sequence[str], rules: SetRules) -> Sentence:
        """Return a sentence by a set's label rules; `ModelError` for a label that the model has not."""
        words, tags = [form(word) for word in words], list(tags)
        if rules.handles:
            words, tags = join_handles(words, tags)
        hidden = {name for name in self.names if split_tag(name)[1] in rules.hidden}
        everything = self.number(self.names)
        allowed = [self.number({"O", *hidden})] * len(words)
        spans = []
        for span in to_spans(tags):
            label = rules.labels.get(span.label, span.label)
            if label and label not in self.labels:
                raise ModelError(f"{rules.path}: label {label!r}: expected one of {', '.join(self.labels)}")
            if label is None:
                allowed[span.start:span.stop] = [everything] * (span.stop - span.start)
            elif label:
                spans.append(span._replace(label=label))
        for span in spans:
            allowed[span.start:span.stop] = self.of_name(span.stop - span.start, span.label)
        return Sentence(words, allowed, spans)


def join_handles(words: Sequence[str], tags: Sequence[str]) -> tuple[list[str], list[str]]:
    """Make "@" and the word after it one word without a name."""
    out_words: list[str] = []
    out_tags: list[str] = []
    joined = False
    for i, (word, tag) in enumerate(zip(words, tags, strict=True)):
        if i and words[i - 1] == "@" and out_words[-1] == "@":
            out_words[-1], out_tags[-1] = f"@{word}", "O"
            joined = True
            continue
        if joined and tag.startswith("I-"):
            tag = "B" + tag[1:]
        out_words.append(word)
        out_tags.append("O" if word.startswith("@") and len(word) > 1 else tag)
        joined = False
    return out_words, out_tags


def read_set(folders: Sequence[Path], rules: SetRules, tags: Tags) -> list[list[Sentence]]:
    """Read a CoNLL file's documents; a file without document lines has sentences that stand alone.

    folders: it lies in the first of them that has it.
    """
    documents = [[tags.read(sentence.words, sentence.tags, rules) for sentence in document]
                 for document in _documents(folders, rules)]
    return documents if len(documents) > 1 else [[sentence] for document in documents for sentence in document]


def labels_of(folders: Sequence[Path], sets: Iterable[SetRules]) -> list[str]:
    """Return the labels that sets have by their rules, sorted."""
    labels: set[str | None] = set()
    for rules in sets:
        found = {span.label for document in _documents(folders, rules) for sentence in document
                 for span in to_spans(sentence.tags)}
        labels.update(rules.labels.get(label, label) for label in found)
    return sorted(label for label in labels if label)


def _documents(folders: Sequence[Path], rules: SetRules) -> Iterator[list[Tagged]]:
    paths = [folder / rules.path for folder in folders]
    path = next(filter(Path.exists, paths), paths[0])
    with path.open("rb") as file:
        yield from read_tagged(texts_of(file, str(path)), str(path))


def seen(sets: Iterable[tuple[SetRules, list[list[Sentence]]]], rng: random.Random) -> Iterator[list[Sentence]]:
    """Yield the documents of all sets, each as often as the share of its set says."""
    for rules, documents in sets:
        times, part = divmod(rules.share, 1)
        yield from documents * int(times) + rng.sample(documents, round(part * len(documents)))


def windows_of(documents: Iterable[Sequence[Sentence]], sizes: Mapping[str, int], longest: int,
               layouts: Mapping[str, int], cases: Mapping[str, int], rng: random.Random) -> Iterator[Window]:
    """Lay each document out in some way, and cut it into windows.

    sizes: how many pieces a word has, for the words of the documents; longest: the most pieces of a window; layouts,
    cases: with weights, see `nerlite.training.recipe.Recipe`.
    """
    for document in documents:
        layout, = rng.choices(list(layouts), list(layouts.values()))
        case, = rng.choices(list(cases), list(cases.values()))
        budget = min(rng.choice(WINDOW_SIZES), longest) - 2
        width = rng.randint(NARROWEST, WIDEST)
        parts: list[tuple[Sentence, list[int]]] = []
        size = 0
        for sentence in document:
            n = 2 * len(sentence.words) // width + 1 + sum(sizes[word] for word in sentence.words)
            if n > longest - 2:
                continue  # cutting it could cut an entity
            if parts and size + n > budget:
                yield _window(parts, case, rng)
                parts, size = [], 0
            parts.append((sentence, _breaks(sentence, layout, width, rng)))
            size += n
        if parts:
            yield _window(parts, case, rng)


def _breaks(sentence: Sentence, layout: str, width: int, rng: random.Random) -> list[int]:
    """Return what lies before each word of a sentence."""
    first = {"sentences": PARAGRAPH, "lines": LINE}.get(layout, SPACE)
    if (layout in ("prose", "wrapped") and rng.random() < 0.15) or (layout == "lines" and rng.random() < 0.1):
        first = PARAGRAPH
    breaks = [first, *[SPACE] * (len(sentence.words) - 1)]
    if layout == "wrapped":
        for i in range(rng.randint(1, width), len(breaks), width):
            if i:
                breaks[i] = LINE
    return breaks


def _window(parts: Sequence[tuple[Sentence, list[int]]], case: str, rng: random.Random) -> Window:
    words = [word for sentence, _ in parts for word in sentence.words]
    breaks = [kind for _, kinds in parts for kind in kinds]
    allowed = [number for sentence, _ in parts for number in sentence.allowed]
    is_named = any(span.stop == len(parts[-1][0].words) for span in parts[-1][0].spans)
    if len(words) > 1 and words[-1] == "." and not is_named and rng.random() < 0.2:  # as titles and messages end
        if rng.random() < 0.5:
            words[-1] = rng.choice("!?!")
        else:
            words, breaks, allowed = words[:-1], breaks[:-1], allowed[:-1]
    breaks[0] = PARAGRAPH
    return Window([in_case(word, case) for word in words], breaks, allowed)


def in_case(word: str, case: str) -> str:
    """Return a word as it is, in lower case, in capitals or with a capital first."""
    if case == "lower":
        return word.lower()
    if case == "upper":
        return word.upper()
    return word[:1].upper() + word[1:] if case == "title" else word


def batches_of(lengths: Sequence[int], order: Iterable[int], n_pieces: int) -> Iterator[list[int]]:
    """Cut an order of windows of some lengths into batches of at most n_pieces pieces, padding counted."""
    batch: list[int] = []
    longest = 0
    for i in order:
        if batch and max(longest, lengths[i]) * (len(batch) + 1) > n_pieces:
            yield batch
            batch, longest = [], 0
        batch.append(i)
        longest = max(longest, lengths[i])
    if batch:
        yield batch


def shuffled_batches(lengths: Sequence[int], n_pieces: int, rng: random.Random) -> list[list[int]]:
    """Return batches in random order, each of windows of about one length."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), 1024):
        batches.extend(batches_of(lengths, sorted(order[start:start + 1024], key=lengths.__getitem__), n_pieces))
    rng.shuffle(batches)
    return batches


def names_of(sets: Iterable[tuple[SetRules, Sequence[Sequence[Sentence]]]]) -> dict[str, list[list[str]]]:
    """Return the different names of each label that sets hold, in order, each as its words.

    Sets of which no document is seen are lists of names: they count as much as all others together.
    """
    names: dict[str, tuple[dict[tuple[str, ...], None], dict[tuple[str, ...], None]]] = {}
    for rules, sentence in ((rules, sentence) for rules, documents in sets for each in documents for sentence in each):
        for span in sentence.spans:
            names.setdefault(span.label, ({}, {}))[not rules.share][tuple(sentence.words[span.start:span.stop])] = None
    return {label: [*map(list, found), *list(map(list, listed)) * max(1, len(found) // max(1, len(listed)))]
            for label, (found, listed) in names.items()}
