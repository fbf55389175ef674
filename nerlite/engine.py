"""Texts → documents: the steps of the diagram, a function each, in the order in which a text goes through them.

    text → rows, and windows over them → passes of windows → emissions → parts → decoded parts → document

A row is what gets a tag. A window is what the network sees at once, a part what the decoder does; windows are run, and
parts decoded, as soon as there are enough of them, so that memory does not grow with a text.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from nerlite.batch import Input, concatenated, in_runs, make_batch, offsets_of
from nerlite.document import Document
from nerlite.network.model import Network
from nerlite.pieces import Window
from nerlite.rules import Readable, Rules
from nerlite.threads import Workers

Text = TypeVar("Text")

# One pass of the network takes about so many pieces: enough for full matrix products, few enough for the caches.
PIECES_PER_PASS = 512
# Passes that are made ready at once for each thread.
PASSES_PER_THREAD = 32
# Rows that are decoded together: their emissions are all that is kept of them until then.
ROWS_DECODED_TOGETHER = 1 << 14
# More shares than threads, so that those who are done early find another, the last ones small: all end together. Where
# there are fewer than two texts for each, the network takes them all at once.
SHARE_SIZES = (4, 3, 2, 1)


class Engine:
    """A network, the rules around it, and the threads that work on both. Threads may share it."""

    def __init__(self, rules: Rules, network: Network, n_tags: int, workers: Workers) -> None:
        """n_tags: how many numbers the network gives a row."""
        self.rules, self.network = rules, network
        self._no_rows, self._workers = np.empty((0, n_tags), np.float32), workers

    def documents(self, texts: Sequence[Text], read: Callable[[Text], Readable]) -> list[Document]:
        """Tag texts together; read: the rules' way to their rows. The answers do not depend on the company."""
        shares = self._shares(texts)
        if len(shares) == 1:
            return self._tag(texts, read, self._workers)
        tagged = self._workers.map(lambda share: self._tag(share, read, None), shares)
        return [document for documents in tagged for document in documents]

    def _shares(self, texts: Sequence[Any]) -> list[Sequence[Any]]:
        """Share texts out to threads; a single share, where the texts are few or one of them is long."""
        sizes = SHARE_SIZES * self._workers.n
        if self._workers.n == 1 or len(texts) < 2 * len(sizes):
            return [texts]
        lengths = [len(text) for text in texts]
        if max(lengths) * self._workers.n > sum(lengths):
            return [texts]
        ends, parts = np.cumsum(lengths), np.cumsum(sorted(sizes, reverse=True))
        seams: list[int] = np.searchsorted(ends, ends[-1] * parts[:-1] / parts[-1]).tolist()
        return [texts[start:stop] for start, stop in itertools.pairwise([0, *seams, len(texts)])]

    def _tag(self, texts: Sequence[Text], read: Callable[[Text], Readable], workers: Workers | None) -> list[Document]:
        """Take texts through all steps; workers: threads that may take a share of the network's work."""
        rows = [Rows(read(text)) for text in texts]
        # Where the network reads nothing, a part may be complete already.
        complete = [part for each in rows if not each.text.windows for part in each.parts_with(self._no_rows)]
        passes = _passes(rows)
        while ready := list(itertools.islice(passes, PASSES_PER_THREAD * self._workers.n)):
            for view, emissions in zip(itertools.chain.from_iterable(ready), self._emissions(ready, workers),
                                       strict=True):
                complete += view.rows.parts_with(emissions)
            if sum(len(part.emissions) for part in complete) >= ROWS_DECODED_TOGETHER:
                self._decode(complete)
                complete = []
        self._decode(complete)
        return [self.rules.document(each.text, each.decoded) for each in rows]

    def _emissions(self, passes: list[list[View]], workers: Workers | None) -> Iterable[np.ndarray]:
        """Run the network, once a pass; return for each window the emissions of the rows that it answers for."""
        if workers is None or len(passes) < max(2, workers.n):
            results = [self._run(views, workers) for views in passes]
        else:
            results = workers.map(self._run, passes)
        return itertools.chain.from_iterable(results)

    def _run(self, views: list[View], workers: Workers | None = None) -> list[np.ndarray]:
        """Return what each window of one pass answers, (n_rows, n_tags)."""
        together = make_batch([view.input for view in views])
        emissions = self.network.emissions(together, workers)
        begins = [first - view.window.start for first, view in zip(together.word_offsets.tolist(), views, strict=False)]
        return [emissions[begin + view.window.keep_start:begin + view.window.keep_stop]
                for begin, view in zip(begins, views, strict=True)]

    def _decode(self, parts: list[Part]) -> None:
        """Decode parts together, and give each text what was made of its own."""
        if parts:
            emissions = [part.emissions for part in parts]
            results = self.rules.decode([(part.rows.text, part.window) for part in parts], concatenated(emissions),
                                        offsets_of(map(len, emissions)))
            for part, result in zip(parts, results, strict=True):
                part.rows.decoded.append(result)


class Rows:
    """A text's rows while their emissions come in, in order; decoded: what was made of its parts so far."""

    def __init__(self, text: Readable) -> None:
        """text: what the rules read."""
        self.text = text
        self.decoded: list[Any] = []
        self._held: list[np.ndarray] = []
        self._parts, self._n_parts, self._first, self._stop = text.parts, 0, 0, 0

    def parts_with(self, emissions: np.ndarray) -> list[Part]:
        """Take the emissions of the next rows; return the parts that now have all of theirs.

        Parts overlap: rows are held until no part to come begins before them.
        """
        self._held.append(emissions)
        self._stop += len(emissions)
        parts = []
        while self._n_parts < len(self._parts) and self._parts[self._n_parts].stop <= self._stop:
            window = self._parts[self._n_parts]
            self._n_parts += 1
            held = concatenated(self._held)[window.start - self._first:]
            self._held, self._first = [held], window.start
            parts.append(Part(self, window, held[:window.stop - window.start]))
        return parts


class View(NamedTuple):
    """A window over a text's rows, and what the network reads there."""

    rows: Rows
    window: Window
    input: Input


class Part(NamedTuple):
    """Rows of a text that are decoded together, window, and their emissions, (n_rows, n_tags)."""

    rows: Rows
    window: Window
    emissions: np.ndarray


def _passes(rows: Iterable[Rows]) -> Iterator[list[View]]:
    """Yield the windows that go through the network together: neighbours, of as many texts as it takes."""
    views = (View(each, *pair) for each in rows for pair in zip(each.text.windows, each.text.sequences, strict=True))
    return in_runs(views, lambda view: len(view.input.piece_ids), PIECES_PER_PASS)
