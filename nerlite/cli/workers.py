"""Processes that tag batches of texts, in order; they share the memory of one model where the system can fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import nerlite
from nerlite.document import Document

Batch = TypeVar("Batch")

# Batches that are on their way for each process: one that it works on, and one that waits for it.
BATCHES_EACH = 2

_tagger: nerlite.Tagger


class Workers:
    """Processes with a tagger each, which works with one thread."""

    def __init__(self, tagger: nerlite.Tagger, n: int) -> None:
        """Start the processes: before there are threads here, which a fork does without."""
        method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
        self._n = n
        self._pool = ProcessPoolExecutor(n, multiprocessing.get_context(method), _start, (tagger,))
        self._pool.submit(int).result()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=exception[0] is None, cancel_futures=True)

    def map(self, function: Callable[[nerlite.Tagger, Any], list[Document]],
            batches: Iterator[tuple[Batch, Any]], waits: Callable[[], bool]) -> Iterator[tuple[Batch, list[Document]]]:
        """Yield each batch with its documents, in order.

        function: of a process's tagger and what goes with a batch; waits: whether the next batch may take for ever to
        come, so that all that is on its way is waited for first.
        """
        running: deque[tuple[Batch, Future[list[Document]]]] = deque()
        for batch, texts in batches:
            running.append((batch, self._pool.submit(_call, function, texts)))
            while len(running) >= BATCHES_EACH * self._n or (running and waits()):
                yield self._result(running)
        while running:
            yield self._result(running)

    def _result(self, running: deque[tuple[Batch, Future[list[Document]]]]) -> tuple[Batch, list[Document]]:
        batch, future = running.popleft()
        try:
            return batch, future.result()
        except BrokenProcessPool:
            raise OSError("--workers: a process was ended from outside, as where memory runs out") from None


def _start(tagger: nerlite.Tagger) -> None:
    """Make a new process ready: interrupts are for the one that started it, and it ends with that."""
    global _tagger
    _tagger = tagger
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(function: Callable[[nerlite.Tagger, Any], list[Document]], texts: Any) -> list[Document]:
    return function(_tagger, texts)
