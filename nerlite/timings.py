"""Where the time of a run goes, by the steps of the diagram."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from nerlite.batch import Batch
from nerlite.pipeline import Tagger
from nerlite.threads import Workers

F = TypeVar("F", bound=Callable[..., Any])
Item = TypeVar("Item")

STAGES = ("loading", "reading", "splitting", "pieces", "characters", "encoder", "head", "decoding", "writing")


class Timings:
    """Seconds by stage: of every thread that works, so that two threads may spend two seconds in one.

    A stage within another counts for itself alone.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._lock, self._mine, self._start = threading.Lock(), threading.local(), time.perf_counter()

    def of(self, stage: str, function: F) -> F:
        """Return the function, its time counted for a stage."""
        def timed(*arguments: Any, **options: Any) -> Any:
            outer, self._mine.inner = getattr(self._mine, "inner", 0.0), 0.0
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent = time.perf_counter() - start
                with self._lock:
                    self._seconds[stage] += spent - self._mine.inner
                self._mine.inner = outer + spent

        return timed  # type: ignore[return-value]

    def each(self, stage: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items, the time that each takes to come counted for a stage."""
        following = self.of(stage, items.__next__)
        with contextlib.suppress(StopIteration):
            while True:
                yield following()

    def watch(self, tagger: Tagger) -> None:
        """Count a tagger's time from now on. Its answers stay the same; encoder and head work one after the other."""
        rules, network = tagger._rules, tagger._network
        pieces: Any = rules._pieces  # type: ignore[attr-defined]
        cut = "inputs" if hasattr(pieces, "inputs") else "encode"  # Spark NLP's rules cut a text at once
        for stage, owner, name in (("splitting", rules, "read"), ("pieces", pieces, cut), ("decoding", rules, "decode"),
                                   ("decoding", rules, "document")):
            setattr(owner, name, self.of(stage, getattr(owner, name)))
        encoder, head = self.of("encoder", network.encoder), self.of("head", network.head)
        characters_of = self.of("characters", network.chars) if network.chars else None

        def emissions(batch: Batch, workers: Workers | None = None) -> np.ndarray:
            vectors = encoder(batch.piece_ids, batch.positions, batch.piece_offsets, batch.first_pieces,
                              batch.word_offsets, workers)
            characters = characters_of(batch.words, batch.word_offsets) if characters_of else None
            scores: np.ndarray = head(characters, vectors, batch.word_offsets)
            return scores

        network.emissions = emissions  # type: ignore[method-assign]

    def __str__(self) -> str:
        total = sum(self._seconds.values())
        lines = [f"{stage:<12}{seconds:10.3f} s {100 * seconds / total if total else 0:5.1f}%"
                 for stage, seconds in self._seconds.items()]
        return "\n".join([*lines, f"{'all threads':<12}{total:10.3f} s",
                          f"{'run':<12}{time.perf_counter() - self._start:10.3f} s"])
