"""One answer: real sentences, tagged in every way that there is here; all ways have to agree.

The first way is the best there is, one sentence after another in one thread. The others are every lower level of CPU,
numba, and NumPy (which is slow: it takes one sentence of `NUMPY_SHARE`), and then the first one's way with batches of
all sizes, in any order, by several threads. Entities are the same everywhere, and their scores too: to the bit where
the same kernels compute, to 1e-4 where others do. `make soak` begins with it.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import nerlite
from nerlite.io import conll
from nerlite.ops.cpu import cpu_levels
from nerlite.ops.library import library_path

ROOT = Path(__file__).parent.parent
NUMPY_SHARE = 200
TOLERANCE = 1e-4
AT_ONCE = 200
Answer = list[tuple[int, int, str, float]]
Tag = Callable[[Sequence[str], random.Random], list[Answer]]


class Way(NamedTuple):
    """A way to tag texts: its name, what does it, how far scores may be off, and of how many texts it takes one."""

    name: str
    tag: Tag
    tolerance: float = 0
    share: int = 1


def answer(document: nerlite.Document) -> Answer:
    """What a document says."""
    return [(e.start, e.end, e.label, e.score) for e in document.entities]


def real_sentences(n: int) -> list[str]:
    """At most n sentences in any order: CoNLL-2003's in the data folder, paragraphs of examples/ where it is not."""
    folder = Path(os.environ.get("NERLITE_DATA", ROOT.parent / "shared" / "data")) / "conll2003"
    texts = [paragraph for file in sorted((ROOT / "examples").glob("*.txt"))
             for paragraph in file.read_text(encoding="utf-8").split("\n\n")]
    if folder.is_dir():
        texts = [" ".join(rows.words) for file in sorted(folder.glob("*.txt"))
                 for document in conll.read_rows(file.read_text(encoding="utf-8").splitlines(), file.name)
                 for rows in document.sentences]
    random.Random(0).shuffle(texts)
    return texts[:n]


def ways(model: Any) -> Iterator[Way]:
    """Yield the ways that there are here, the one that others are compared with first."""
    levels = [level.name for level in cpu_levels() if Path(library_path(level)).exists()]
    for name in levels:
        with mock.patch.dict(os.environ, NERLITE_CPU_LEVEL=name):
            yield Way(f"native {name}", _one_by_one(nerlite.load(model, backend="native", threads=1)))
    for name, share in (("numba", 1), ("numpy", NUMPY_SHARE)):
        try:
            tagger = nerlite.load(model, backend=name, threads=1)
        except ImportError:
            continue
        yield Way(name, _one_by_one(tagger), TOLERANCE if levels else 0, share)
    for threads in (1, 2, 5):
        yield Way(f"batches by {threads}", _in_batches(nerlite.load(model, threads=threads)))


def _one_by_one(tagger: nerlite.Tagger) -> Tag:
    return lambda texts, rng: [answer(tagger(text)) for text in texts]


def _in_batches(tagger: nerlite.Tagger) -> Tag:
    def tag(texts: Sequence[str], rng: random.Random) -> list[Answer]:
        order = rng.sample(range(len(texts)), len(texts))
        found = tagger.pipe([texts[i] for i in order], batch_size=rng.choice((1, 2, 7, 64, 256)))
        by_place = dict(zip(order, map(answer, found), strict=True))
        return [by_place[i] for i in range(len(texts))]

    return tag


def agree(one: Answer, other: Answer, tolerance: float) -> bool:
    """Whether two answers are the same."""
    return [each[:3] for each in one] == [each[:3] for each in other] and all(
        abs(a[3] - b[3]) <= tolerance for a, b in zip(one, other, strict=True))


def compare(texts: Sequence[str], ways: Iterable[Way], seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Tag texts in all ways; return how many each has tagged, and what was wrong."""
    rng, done, wrong = random.Random(seed), Counter[str](), list[str]()
    (_, first, _, _), *others = ways = list(ways)
    for start in range(0, len(texts), AT_ONCE):
        some = texts[start:start + AT_ONCE]
        expected = first(some, rng)
        done[ways[0].name] += len(some)
        for way in others:
            found = way.tag(some[::way.share], rng)
            wrong += [f"{way.name}: another answer to {text!r}: {theirs} instead of {ours}"
                      for text, ours, theirs in zip(some[::way.share], expected[::way.share], found, strict=True)
                      if not agree(ours, theirs, way.tolerance)]
            done[way.name] += len(found)
    return done, wrong
