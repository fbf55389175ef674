"""Threads that work together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import RLock, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Tasks that wait for each thread at most. What nobody has begun when its call returns is still taken up, which keeps
# helpers awake for the next text; but it holds its call's memory, and helpers may be at a long text meanwhile.
MOST_WAITING = 4

Tasks = SimpleQueue[Callable[[], Any] | None]


class _Crew:
    """The helping threads of one process, and what they wait for."""

    def __init__(self) -> None:
        self.tasks: Tasks = SimpleQueue()
        self.threads: list[Thread] = []
        self.starting = RLock()  # a signal's handler may come here meanwhile, in the same thread

    def fill(self, n: int) -> int:
        """Start threads until n are alive, or as many as the system allows; return how many are."""
        if sum(thread.is_alive() for thread in self.threads) < n:
            with self.starting, contextlib.suppress(RuntimeError):  # which says that no thread can be started
                self.threads = [thread for thread in self.threads if thread.is_alive()]
                while len(self.threads) < n:
                    thread = Thread(target=_work, args=(self.tasks,), name="nerlite", daemon=True)
                    thread.start()
                    self.threads.append(thread)
        return len(self.threads)


class Workers:
    """Threads that sleep until there is work; they start at the first, and anew in a process that was forked.

    `concurrent.futures` would do, but takes several milliseconds to import and some more microseconds a call.
    """

    def __init__(self, n: int) -> None:
        """n: how many threads work together, the calling one among them."""
        self.n = n
        self._crews: dict[int, _Crew] = {}  # of each process, since a forked one has none of these threads

    def __del__(self) -> None:
        """Let the threads go."""
        for crew in self._crews.values():
            crew.tasks.put(None)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return function(item) of each item; where calls raise, raise what the first of them did.

        After an error no other call begins. What is no `Exception`, such as an interrupt, is raised at once where it
        comes in the calling thread.
        """
        items = list(items)
        results: list[Any] = [None] * len(items)
        errors: list[BaseException | None] = [None] * len(items)
        claimed, done = iter(range(len(items))), SimpleQueue[int]()

        def work() -> None:
            for i in claimed:  # a range's iterator gives each number to one thread alone
                try:
                    results[i] = function(items[i])
                except BaseException as error:
                    errors[i] = error
                    for rest in claimed:
                        done.put(rest)
                    if not isinstance(error, Exception):
                        raise
                finally:
                    done.put(i)

        try:
            self.help(work, *[work] * min(self.n - 1, len(items) - 1))
            for _ in items:
                done.get()
        finally:
            for _ in claimed:  # there are some left where this thread was interrupted
                pass
        for error in errors:
            if error is not None:
                raise error
        return results

    def help(self, mine: Callable[[], Any], *others: Callable[[], Any]) -> None:
        """Call `mine` here while other threads call `others`; return once mine has, which can do without them."""
        if others:
            crew = self._crews.get(os.getpid()) or self._crews.setdefault(os.getpid(), _Crew())
            for other in others[:crew.fill(self.n - 1)]:
                if crew.tasks.qsize() < MOST_WAITING * self.n:
                    crew.tasks.put(other)
        mine()


def _work(tasks: Tasks) -> None:
    while task := tasks.get():
        with contextlib.suppress(BaseException):  # who asked for help can do without, or was told
            task()
        del task  # it may hold the workers themselves, which would then never be let go
    tasks.put(None)  # for the next thread
