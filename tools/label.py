"""Label plain text by models that agree: a set to train another model on.

    python tools/label.py MODEL MODEL... --text reuters21578.txt.gz 900000 --text abc.txt.gz 300000 --out silver.conll

Each line of a text is a document. The models read it whole, so that they know what a sentence alone does not say, and
each word gets a tag that training can rely on: a name where all models find the same one, surely enough; O where none
finds any; and the label OPEN where they differ, which a recipe maps to null: any tag, or none (tri-training's rule,
Zhou and Li 2005, with what is in doubt left open as in Greenberg et al. 2018).
"""

from __future__ import annotations

import argparse
import gzip
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import nerlite
from nerlite.errors import ModelError
from nerlite.tags import Span, from_spans, to_spans
from nerlite.text import split_words

OPEN = "OPEN"
ENDS, CLOSING = (".", "!", "?"), ('"', "'", "''", "”", "’", ")")
# A longer document is cut, so that a novel is many.
WORDS_A_DOCUMENT = 600
# What a name's least score by any model must be.
SURE = 0.5


def sentences_of(text: str) -> list[list[str]]:
    """Split a text into words, and them into sentences, which end with a stop and the marks that close it."""
    sentences: list[list[str]] = [[]]
    has_ended = False
    for word in split_words(text).read.forms:
        if has_ended and word not in CLOSING:
            sentences.append([])
            has_ended = False
        sentences[-1].append("".join(word.split()))
        has_ended = has_ended or word in ENDS
    return sentences


def documents_of(path: Path, n_words: int, rng: random.Random) -> Iterator[list[list[str]]]:
    """Yield documents of a text in random order, about n_words in all."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    rng.shuffle(lines)
    for line in lines:
        document: list[list[str]] = []
        size = 0
        for sentence in sentences_of(line):
            document.append(sentence)
            size += len(sentence)
            n_words -= len(sentence)
            if size >= WORDS_A_DOCUMENT or n_words <= 0:
                yield document
                document, size = [], 0
            if n_words <= 0:
                return
        if document:
            yield document


def agreed(found: Sequence[nerlite.Document]) -> list[str]:
    """Return one document's IOB2 tags by what each model found in it."""
    n_words = len(found[0].words)
    names = [dict(zip(to_spans(document.tags), (entity.score for entity in document.entities), strict=True))
             for document in found]
    sure = [span for span in names[0] if all(each.get(span, 0) >= SURE for each in names)]
    settled = [tag != "O" for tag in from_spans(sure, n_words, "IOB2")]
    doubted = {i for each in names for span in each for i in range(span.start, span.stop) if not settled[i]}
    spans = [*sure, *(Span(i, i + 1, OPEN) for i in doubted)]
    return from_spans(sorted(spans), n_words, "IOB2")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a model directory, or a shipped model's name")
    parser.add_argument("--text", nargs=2, action="append", required=True, metavar=("FILE", "WORDS"),
                        help="a gzipped text, a document a line, and about how many words of it to take")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the CoNLL file to write")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    try:
        taggers = [nerlite.load(model) for model in options.models]
        partial = options.out.with_name(f"{options.out.name}.partial")
        with partial.open("w", encoding="utf-8") as file:
            for path, n_words in options.text:
                for document in documents_of(Path(path), int(n_words), rng):
                    tags = iter(agreed([tagger.documents_of([document])[0] for tagger in taggers]))
                    file.write("-DOCSTART- O\n\n")
                    for sentence in document:
                        file.writelines(f"{word} {next(tags)}\n" for word in sentence)
                        file.write("\n")
        partial.replace(options.out)
    except (ModelError, OSError) as error:
        print(f"label: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
