"""What the shipped int8 model says on this CPU, to be held against what it says on another: `make arm` does.

Command: python tests/bits.py [FILE]

FILE: a text, or a CoNLL-2003 file, whose first 300 sentences are taken; default: examples/eighty_days.txt. Printed are,
a line a text, a checksum of the bits of all that the network makes of it, and the entities. (Scores' last digits depend
on the C library's exp and log.)
"""

from __future__ import annotations

import itertools
import sys
import zlib
from pathlib import Path

import nerlite

ROOT = Path(__file__).parent.parent


def texts_in(path: Path) -> list[str]:
    """Paragraphs of a text, or the sentences of a CoNLL file."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    if "-DOCSTART-" in blocks[0]:
        sentences = (" ".join(line.split()[0] for line in block.splitlines() if line) for block in blocks[1:])
        return list(itertools.islice((each for each in sentences if each and each != "-DOCSTART-"), 300))
    return [block for block in blocks if block.strip()]


def main() -> None:
    """Print what there is to compare."""
    tagger = nerlite.load(threads=1, backend="native")
    network = tagger._network
    emissions, sums = network.emissions, list[int]()

    def watched(*arguments: object) -> object:
        made = emissions(*arguments)
        sums.append(zlib.crc32(made.tobytes()))
        return made

    network.emissions = watched
    for text in texts_in(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "examples" / "eighty_days.txt"):
        sums.clear()
        entities = [f"{e.start}-{e.end} {e.label}" for e in tagger(text).entities]
        sys.stdout.write(f"{' '.join(f'{each:08x}' for each in sums)}: {'; '.join(entities)}\n")


if __name__ == "__main__":
    main()
