"""What is said where numba compiles kernels while somebody waits."""

from __future__ import annotations

import functools
import sys
from typing import Any

from numba.core import event

from nerlite.environment import read
from nerlite.kernels.jit import LEVEL

TEXT = ("nerlite: numba compiles kernels for this CPU ({level}); that takes half a minute, and only once where it "
        "can keep them{folder}. Kernels that are built ahead of time spare it: see nerlite's README.\n")


class _Listener(event.Listener):  # type: ignore[misc]
    """Says once, when the first kernel is compiled and was not found on disk, what takes so long."""

    said = False

    def on_start(self, _: Any) -> None:
        if not self.said and sys.stderr is not None:
            self.said = True
            folder = read("NUMBA_CACHE_DIR")
            sys.stderr.write(TEXT.format(level=LEVEL.name, folder=folder and f" (in {folder})"))
            sys.stderr.flush()

    def on_end(self, _: Any) -> None:
        pass


@functools.cache
def announce() -> None:
    """From now on say so when numba compiles."""
    event.register("numba:compile", _Listener())
