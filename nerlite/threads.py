"""How many cores this process may use, and the threads that work on them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return how many cores this process may use: its affinity, a container's quota, OMP_NUM_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(wanted)) if wanted.isdecimal() and int(wanted) else cores


Tasks = SimpleQueue[Callable[[], Any] | None]


class Workers:
    """Threads that sleep until there is work; they start at the first, and anew in a process that was forked.

    `concurrent.futures` would do, but takes several milliseconds to import and some more microseconds a call.
    """

    def __init__(self, n: int) -> None:
        """n: how many threads work together, the calling one among them."""
        self.n = n
        self._tasks: dict[int, Tasks] = {}  # of each process, since a forked one has none of these threads

    def __del__(self) -> None:
        """Let the threads go."""
        for tasks in self._tasks.values():
            for _ in range(self.n - 1):
                tasks.put(None)

    def _start(self) -> Tasks:
        """Return this process's tasks, with threads that wait for them."""
        process = os.getpid()
        if process not in self._tasks:
            tasks: Tasks = SimpleQueue()
            if self._tasks.setdefault(process, tasks) is tasks:  # the first, of several threads that come here at once
                for _ in range(self.n - 1):
                    Thread(target=_work, args=(tasks,), name="nerlite", daemon=True).start()
        return self._tasks[process]

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return function(item) of each item; where calls raise, raise what the first of them did."""
        items = list(items)
        results: list[Any] = [None] * len(items)
        errors: dict[int, Exception] = {}
        claimed, done = iter(range(len(items))), SimpleQueue[int]()

        def work() -> None:
            for i in claimed:  # a range's iterator gives each number to one thread alone
                try:
                    results[i] = function(items[i])
                except Exception as error:
                    errors[i] = error
                finally:
                    done.put(i)

        self.help(work, *[work] * min(self.n - 1, len(items) - 1))
        for _ in items:
            done.get()
        if errors:
            raise errors[min(errors)]
        return results

    def help(self, mine: Callable[[], Any], *others: Callable[[], Any]) -> None:
        """Call `mine` here while other threads call `others`; return once mine has, which can do without them."""
        if others:
            tasks = self._start()
            for other in others:
                tasks.put(other)
        mine()


def _work(tasks: Tasks) -> None:
    while task := tasks.get():
        with contextlib.suppress(Exception):  # who asked for help can do without, and meets the same error then
            task()
        del task  # it may hold the workers themselves, which would then never be let go
