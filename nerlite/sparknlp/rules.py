"""Spark NLP's rules as a tagger uses them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerlite.config import Config, SparkNLPConfig
from nerlite.files import ModelDirectory
from nerlite.network.crf import CRF
from nerlite.pieces import Window
from nerlite.sparknlp.pieces import Inputs, SparkPieceEncoder
from nerlite.sparknlp.tagging import SparkDocument, tag_document
from nerlite.sparknlp.tokenizer import split
from nerlite.text import Words


class SparkRules:
    """Spark NLP's Tokenizer, DistilBertEmbeddings, NerDLModel and NerConverter, one document at a time."""

    def __init__(self, directory: ModelDirectory, config: Config, settings: SparkNLPConfig, crf: CRF, *,
                 windows: bool) -> None:
        """Read the tokenizer in the directory; windows: read all of a long text, not only what Spark NLP would."""
        self._pieces = SparkPieceEncoder(directory.file("tokenizer.json"), config.window, settings,
                                         config.encoder.vocab_size, config.checksums and config.checksums.tokenizer)
        self._tags, self._settings, self._crf, self._windows = config.tags, settings, crf, windows

    def read(self, text: str) -> Inputs:
        """Split a text and make the network's inputs of it."""
        return self._pieces.inputs(text, *split(text), windows=self._windows)

    def read_words(self, words: Words) -> Inputs:
        """Make the network's inputs of a text that is already split."""
        return self._pieces.inputs(words.text, words[:], words.offsets, windows=self._windows)

    def decode(self, parts: Sequence[tuple[Inputs, Window]], emissions: np.ndarray, offsets: np.ndarray
               ) -> list[SparkDocument]:
        """Decode each text, which is one part, as one sequence of tags."""
        best = self._crf.tags(emissions, offsets)
        return [tag_document(inputs, emissions[start:stop], best[start:stop], self._tags, self._settings)
                for (inputs, _), start, stop in zip(parts, offsets[:-1], offsets[1:], strict=True)]

    def document(self, text: Inputs, decoded: Sequence[SparkDocument]) -> SparkDocument:
        """Return the one part's document."""
        return decoded[0]
