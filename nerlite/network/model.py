"""The whole network: the one place where its layers are wired."""

from __future__ import annotations

import numpy as np

from nerlite.batch import Batch
from nerlite.config import Config
from nerlite.network.chars import CharFeatures
from nerlite.network.crf import CRF
from nerlite.network.parameters import encoder_parameters, head_parameters
from nerlite.ops import Ops
from nerlite.threads import Workers
from nerlite.weights import Tensors


class Network:
    """Pieces and words → emissions → tags. It holds weights only, so threads may share it."""

    def __init__(self, ops: Ops, tensors: Tensors, config: Config) -> None:
        self.encoder = ops.EncoderLayers(encoder_parameters(tensors, config.encoder))
        self.chars = CharFeatures(ops, tensors, config.chars) if config.chars else None
        self.head = ops.Head(head_parameters(tensors, config))
        self.crf = CRF(ops, tensors, config)

    def emissions(self, batch: Batch, workers: Workers | None = None) -> np.ndarray:
        """Return each word's score for each tag, (n_words, n_tags); workers: threads that may take a share."""
        characters = self.chars(batch.words, batch.word_offsets) if self.chars else None
        return self.encoder(batch.piece_ids, batch.positions, batch.piece_offsets, batch.first_pieces,
                            batch.word_offsets, workers, self.head, characters)
