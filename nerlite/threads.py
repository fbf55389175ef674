"""How many cores this process may use, and the threads that work on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return how many cores this process may use: its affinity, a container's quota, OMP_NUM_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(wanted)) if wanted.isdigit() and int(wanted) else cores


class Workers:
    """Threads that sleep until there is work; they start at the first, and anew in a process that was forked."""

    def __init__(self, n: int) -> None:
        """n: how many threads work together, the calling one among them."""
        self.n = n
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def _ready_pool(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():
            self._pool, self._process = ThreadPoolExecutor(self.n), os.getpid()
        return self._pool

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return function(item) of each item."""
        items = list(items)
        if self.n == 1 or len(items) < 2:
            return [function(item) for item in items]
        return list(self._ready_pool().map(function, items))

    def help(self, mine: Callable[[], Any], *others: Callable[[], Any]) -> None:
        """Call `mine` here while other threads call `others`; return once mine has, which can do without them."""
        futures = [self._ready_pool().submit(other) for other in others]
        try:
            mine()
        finally:
            for future in futures:
                future.cancel()
