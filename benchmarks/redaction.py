"""How much of the names in annotated text redaction hides: all of each, a part of it, or nothing.

    python benchmarks/redaction.py FILE...

FILE: CoNLL columns. A name counts as hidden where placeholders cover all of its words, whatever labels they have; the
last column says how many of the words that are in no name went with them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import nerlite
from nerlite.io.conll import read_tagged
from nerlite.tags import to_spans


def measure(tagger: nerlite.Tagger, file: Path) -> dict[str, Counter[str]]:
    """Return by label, and for "all": counts of names, whole and part of them hidden; and of words under "words"."""
    counts: dict[str, Counter[str]] = {"all": Counter(), "words": Counter()}
    with file.open(encoding="utf-8") as lines:
        documents = [[sentence for sentence in document if sentence.words]
                     for document in read_tagged((line.rstrip("\n") for line in lines), file.name)]
    texts = [[sentence.words for sentence in document] for document in documents]
    for document, tagged in zip(documents, tagger.documents_of(texts), strict=True):
        gold = [tag for sentence in document for tag in sentence.tags]
        hidden = [tag != "O" for tag in tagged.tags]
        for span in to_spans(gold):
            covered = hidden[span.start:span.stop]
            outcome = "whole" if all(covered) else "part" if any(covered) else "none"
            for key in ("all", span.label):
                counts.setdefault(key, Counter()).update(["names", outcome])
        counts["words"].update("lost" if was and tag == "O" else "kept" if tag == "O" else "name"
                               for was, tag in zip(hidden, gold, strict=True))
    return counts


def main() -> None:
    """Print a table of the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--model", help="default: the shipped one")
    options = parser.parse_args()
    tagger = nerlite.load(options.model)
    print("| file | names | hidden whole, % | in part, % | not at all, % | PER: whole, % | in part, % | "
          "other words lost, % |")
    print("| --- |" + " ---: |" * 7)
    for file in options.files:
        counts = measure(tagger, file)
        cells = [f"{counts['all']['names']:,}"]
        for key, outcomes in (("all", ("whole", "part", "none")), ("PER", ("whole", "part"))):
            of = counts.get(key, Counter())
            cells += [f"{100 * of[outcome] / max(1, of['names']):.1f}" for outcome in outcomes]
        words = counts["words"]
        cells.append(f"{100 * words['lost'] / max(1, words['lost'] + words['kept']):.1f}")
        print(f"| {file.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
