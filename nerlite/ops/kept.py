"""What threads keep from one call to the next."""

from __future__ import annotations

import threading
from typing import Any


class Kept:
    """What a thread keeps from one call to the next: a call takes it, and gives it back when it has returned.

    A call that ends otherwise leaves it to those who may still work in it, and the next one makes its own.
    """

    def __init__(self) -> None:
        self._mine = threading.local()

    def take(self) -> Any:
        """Return what this thread has, or None; until something is given back it has nothing."""
        return self._mine.__dict__.pop("kept", None)

    def give(self, kept: Any) -> None:
        """Keep it for this thread's next call."""
        self._mine.kept = kept
