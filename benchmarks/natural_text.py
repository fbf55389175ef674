"""CoNLL-2003's text as it was before it was split into words, and what nerlite loses by splitting it itself.

    python benchmarks/natural_text.py [--part valid] [--model DIR]

A document's sentences become lines, and a blank line follows it. Within a sentence words are joined by a space, but for
marks and clitics that stand at the end of the word before, and opening brackets and signs of currency, which stand at
the beginning of the next; double and single quotes open and close in turn, an apostrophe after an s closes unless one
is open, dashes keep their spaces, and a slash loses them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from common import DATA, MODEL

import nerlite
from nerlite.evaluate import Score
from nerlite.io.conll import Sentence, read_tagged
from nerlite.tags import to_spans
from nerlite.text import split_words

# Words that follow the one before without a space, and those that the next one follows.
CLOSES = re.compile(r"[.,;:!?%)\]}]+|''|\.\.\.|/|['’](?:s|re|ve|ll|d|m|S|RE|VE|LL|D|M)|n['’]t|N['’]T")
OPENS = re.compile(r"[(\[{#£$/]|``|[A-Z]{1,3}\$")

Place = tuple[int, int]


class Natural(NamedTuple):
    """Sentences as text, where their words are in it, and the entities as (start, end, label)."""

    text: str
    places: list[list[Place]]
    entities: set[tuple[int, int, str]]


def natural(sentences: Iterable[Sentence]) -> Natural:
    """Join the sentences of a document to natural text, each a line."""
    text, places, entities = "", [], set()
    for words, tags in sentences:
        own = []
        for gap, word in zip(gaps(words), words, strict=True):
            start = len(text) + len(gap)
            own.append((start, start + len(word)))
            text += gap + word
        entities |= {(own[start][0], own[stop - 1][1], label) for start, stop, label in to_spans(tags)}
        places.append(own)
        text += "\n"
    return Natural(text, places, entities)


def gaps(words: Sequence[str]) -> list[str]:
    """Return what stands before each word of a sentence: a space or nothing."""
    result, is_open, glued = [], {'"': False, "'": False}, True
    for before, word in zip(["", *words], words, strict=False):
        closes, opens = bool(CLOSES.fullmatch(word)), bool(OPENS.fullmatch(word))
        if word in is_open:
            closes = is_open[word] or (word == "'" and before.endswith(("s", "S")))
            opens = not closes
            is_open[word] = opens
        result.append("" if glued or closes else " ")
        glued = opens
    return result


def found_words(document: Natural) -> tuple[int, int, int]:
    """Return how many words there are, how many nerlite splits the text into, and how many are the same."""
    gold = {place for sentence in document.places for place in sentence}
    own = set(split_words(document.text).offsets)
    return len(gold), len(own), len(gold & own)


Entities = set[tuple[int, int, str]]


def score(documents: Sequence[Natural], find: Callable[[Sequence[Natural]], Iterable[Entities]]) -> Score:
    """Score the entities that are found in documents by their extent in the text, and label."""
    found = list(find(documents))
    return Score(sum(len(document.entities) for document in documents), sum(map(len, found)),
                 sum(len(document.entities & each) for document, each in zip(documents, found, strict=True)))


def main() -> None:
    """Print the share of words that are split as given, and both scores."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--part", default="valid")
    options.add_argument("--model", type=Path, default=MODEL)
    chosen = options.parse_args()
    documents = read(chosen.part)
    gold, own, same = map(sum, zip(*map(found_words, documents), strict=True))
    print(f"words: {gold} given, {own} split, {same} the same: {200 * same / (gold + own):.2f} F1")
    tagger = nerlite.load(chosen.model)
    given, split = score(documents, by_words(tagger)), score(documents, by_text(tagger))
    print(f"given words: {given}\nits own:     {split}\nlost:        {given.fb1 - split.fb1:.2f}")


def read(part: str) -> list[Natural]:
    """Return the documents of CoNLL-2003's "train", "valid" or "test"."""
    with (DATA / "conll2003" / f"{part}.txt").open(encoding="utf-8") as lines:
        return [natural(document) for document in read_tagged(lines, part)]


def by_text(tagger: nerlite.Tagger) -> Callable[[Sequence[Natural]], Iterable[Entities]]:
    """Return a function that finds entities in documents' text."""
    def find(documents: Sequence[Natural]) -> Iterable[Entities]:
        for document in tagger.pipe(document.text for document in documents):
            yield {(entity.start, entity.end, entity.label) for entity in document.entities}

    return find


def by_words(tagger: nerlite.Tagger) -> Callable[[Sequence[Natural]], Iterable[Entities]]:
    """Return a function that finds entities in documents' words as they are given."""
    def find(documents: Sequence[Natural]) -> Iterable[Entities]:
        places = [[place for sentence in document.places for place in sentence] for document in documents]
        words = [[document.text[start:end] for start, end in each]
                 for document, each in zip(documents, places, strict=True)]
        for own, tags in zip(places, tagger.tag(words), strict=True):
            yield {(own[start][0], own[stop - 1][1], label) for start, stop, label in to_spans(tags)}

    return find


if __name__ == "__main__":
    main()
