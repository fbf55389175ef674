"""The operations of `nerlite.ops.numpy_ops` by compiled kernels: same names, same signatures, same results.

Kernels take preallocated C-contiguous arrays and numbers, allocate nothing and raise nothing; here and in the modules
beside this one is what packs weights for them, allocates and calls them. It does not matter who compiled them: numba
when they are first called, or `tools/build_kernels.py` ahead of time.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nerlite.ops.arguments import BestSpans, CrfWork, Viterbi
from nerlite.ops.encoder import EncoderLayers
from nerlite.ops.head import CharLayers, Head
from nerlite.ops.kept import Kept
from nerlite.ops.library import Kernels

# Work of a CRF for so many rows is kept.
KEPT_ROWS = 1 << 14


class CompiledOps:
    """The operations, by kernels that were compiled for a level of CPU."""

    def __init__(self, name: str, kernels: Kernels) -> None:
        """name: of the backend."""
        self.name, self.level, self._kernels, self._kept = name, kernels.level, kernels, Kept()
        self.CharLayers = partial(CharLayers, kernels)
        self.EncoderLayers = partial(EncoderLayers, kernels)
        self.Head = partial(Head, kernels)

    def viterbi(self, emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
                end: np.ndarray) -> np.ndarray:
        """Return the best tag sequence of each sequence; on a tie the lowest tag; as the reference."""
        crf = self._crf(emissions, offsets, start, transitions, end)
        self._kernels.viterbi(crf)
        self._keep(crf.work)
        path: np.ndarray = crf.path
        return path

    def best_spans(self, emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
                   end: np.ndarray, labels: np.ndarray, boundaries: np.ndarray, outside: int
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the best tags, the spans that they make, and these spans' log-probabilities; as the reference."""
        crf, n = self._crf(emissions, offsets, start, transitions, end), len(emissions)
        best = BestSpans(crf=crf, labels=labels, boundaries=boundaries, outside=outside,
                         spans=np.empty((n, 4), np.int64), log_probabilities=np.empty(n))
        self._kernels.best_spans(best)
        n_spans = int(crf.work.n_spans[0])
        self._keep(crf.work)
        return crf.path, best.spans[:n_spans], best.log_probabilities[:n_spans]

    def _keep(self, work: CrfWork) -> None:
        if len(work.came_from) <= KEPT_ROWS:
            self._kept.give(work)

    def _crf(self, emissions: np.ndarray, offsets: np.ndarray, start: np.ndarray, transitions: np.ndarray,
             end: np.ndarray) -> Viterbi:
        n, n_tags = emissions.shape
        work: CrfWork | None = self._kept.take()
        if not work or work.came_from.shape[0] < n or work.came_from.shape[1] != n_tags:
            work = CrfWork.allocate(n=n, n_tags=n_tags)
        return Viterbi(emissions=emissions, offsets=offsets, start=start, transitions=transitions, end=end,
                       path=np.empty(n, np.int64), work=work)
