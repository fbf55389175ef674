"""All kernels that are called from Python, compiled by numba when they first are."""

from __future__ import annotations

from typing import Any

from nerlite.kernels.crf import best_spans, viterbi
from nerlite.kernels.encoder import encode
from nerlite.kernels.head import char_layers, score
from nerlite.kernels.jit import LEVEL as LEVEL
from nerlite.kernels.jit import entry, kernel
from nerlite.kernels.linear import pack_int8
from nerlite.kernels.read import reader
from nerlite.ops.arguments import KERNELS


@kernel()
def _score(alone: Any) -> None:
    """Compute what a head does without an encoder, by this thread; alone: a `Score`."""
    score(alone.head, alone.work, alone.words, alone.vectors, alone.d, alone.everything, alone.counters, 0, 0, 1)


FUNCTIONS = {"encode": encode, "score": _score, "char_layers": char_layers, "pack_int8": pack_int8, "viterbi": viterbi,
             "best_spans": best_spans}


def entry_point(name: str) -> Any:
    """Return a kernel as a function of the address of its record's words."""
    function, read = FUNCTIONS[name], reader(KERNELS[name])

    def call(address: int) -> None:
        function(read(address))

    call.__name__ = call.__qualname__ = name  # by which the machine code is kept
    return call


ENTRIES = {name: entry(entry_point(name)) for name in KERNELS}
