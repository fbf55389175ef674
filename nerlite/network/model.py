"""The whole network: the one place where its layers are wired."""

from __future__ import annotations

import numpy as np

from nerlite.batch import Batch
from nerlite.config import Config
from nerlite.network.chars import CharFeatures
from nerlite.network.context import Context
from nerlite.network.crf import CRF
from nerlite.network.encoder import Encoder
from nerlite.network.parameters import linear_parameters
from nerlite.ops import Ops
from nerlite.threads import Workers
from nerlite.weights import Tensors


class Network:
    """Pieces and words → emissions → tags. It holds weights only, so threads may share it."""

    def __init__(self, ops: Ops, tensors: Tensors, config: Config) -> None:
        """Build the layers that the config names from the model's tensors, for the backend `ops`."""
        self.encoder = Encoder(ops, tensors, config.encoder)
        self.chars = CharFeatures(ops, tensors, config.chars) if config.chars else None
        self.context = Context(ops, tensors, config.context) if config.context else None
        self._emit = ops.Linear(linear_parameters(tensors, "emissions.weight", "emissions.bias"))
        self.crf = CRF(ops, tensors, config)

    def emissions(self, batch: Batch, workers: Workers | None = None) -> np.ndarray:
        """Return each word's score for each tag, (n_words, n_tags); workers: threads that may take a share."""
        vectors = self.encoder(batch.piece_ids, batch.positions, batch.piece_offsets,
                               batch.first_pieces, batch.word_offsets, workers)  # (n_words, hidden)
        return self.head(vectors, batch.words, batch.word_offsets)

    def head(self, vectors: np.ndarray, words: list[str], offsets: np.ndarray) -> np.ndarray:
        """vectors: (n_words, hidden); words: n_words strings; offsets: (n_seqs + 1,) → emissions (n_words, n_tags)."""
        x = vectors
        if self.chars:
            x = np.concatenate([self.chars(words, offsets), x], axis=1)  # (n_words, features)
        if self.context:
            x = self.context(x, offsets)  # (n_words, 2 * lstm_hidden)
        scores: np.ndarray = self._emit(x, offsets)
        return scores
