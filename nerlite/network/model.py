"""The whole network: the one place where its layers are wired."""

from __future__ import annotations

from functools import partial

import numpy as np

from nerlite.batch import Batch
from nerlite.config import Config
from nerlite.network.chars import CharFeatures
from nerlite.network.context import Context
from nerlite.network.crf import CRF
from nerlite.network.encoder import Encoder
from nerlite.network.parameters import linear_parameters
from nerlite.ops import Ops
from nerlite.threads import Once, Workers
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
        # A thread that helps the encoder computes them first; where there is none, that is left for later.
        characters = Once(partial(self.chars, batch.words, batch.word_offsets)) if self.chars else None
        vectors = self.encoder(batch.piece_ids, batch.positions, batch.piece_offsets, batch.first_pieces,
                               batch.word_offsets, workers, characters.begin if characters else None)
        return self.head(characters.result() if characters else None, vectors, batch.word_offsets)

    def head(self, characters: np.ndarray | None, vectors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return emissions, (n_words, n_tags).

        characters: (n_words, feature_size), if the model has them; vectors: (n_words, hidden); offsets: (n_seqs + 1,).
        """
        x = vectors if characters is None else np.concatenate([characters, vectors], axis=1)  # (n_words, features)
        if self.context:
            x = self.context(x, offsets)  # (n_words, 2 * lstm_hidden)
        scores: np.ndarray = self._emit(x, offsets)
        return scores
