"""How many small texts as people have them come out all right: lists, tables, markup, chat, mail, capitals and so on.

    python benchmarks/small_texts.py [--model MODEL] [--wrong]

`small_texts.jsonl` beside this has 400 of them, 50 of each kind, made up and annotated by somebody who knew neither the
training nor its lists. A text is right where exactly its entities are found. Half of them, dev, may be looked at when a
model is made; the other half, held, may not. --wrong prints those of dev that are not right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nerlite

TEXTS = Path(__file__).with_suffix(".jsonl")
PARTS = ("dev", "held")


def read_texts() -> list[dict[str, Any]]:
    """Return all texts: part, kind, text, and entities, each its text and label, in order."""
    with TEXTS.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="a model directory or name (default: the shipped one)")
    parser.add_argument("--wrong", action="store_true", help="print the texts of dev that are not right")
    options = parser.parse_args(arguments)
    ner = nerlite.load(options.model)
    texts = read_texts()
    counts, right = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for case, document in zip(texts, ner.pipe(case["text"] for case in texts), strict=True):
        found = [[entity.text, entity.label] for entity in document.entities]
        counts[case["kind"], case["part"]] += 1
        right[case["kind"], case["part"]] += found == case["entities"]
        if options.wrong and case["part"] == "dev" and found != case["entities"]:
            print(json.dumps({**case, "found": found}, ensure_ascii=False))
    kinds = dict.fromkeys(case["kind"] for case in texts)
    print("| texts all right | " + " | ".join(kinds) + " | all |\n" + "|---" * (2 + len(kinds)) + "|")
    for part in PARTS:
        rights = [right[kind, part] for kind in kinds]
        n = sum(counts[kind, part] for kind in kinds)
        print(f"| {part} | {' | '.join(map(str, rights))} | {sum(rights)} of {n} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
