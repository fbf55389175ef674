"""Spark NLP's NerDLModel and NerConverter after the network: scores → tags, confidences and chunks.

Source: Spark NLP 3.2, TensorflowNer.scala, NerDatasetEncoder.scala, Tagged.scala and NerTagsEncoding.scala.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from itertools import chain
from typing import Any

import numpy as np

from nerlite.config import SparkNLPConfig
from nerlite.document import Document, Entity
from nerlite.sparknlp.pieces import Inputs
from nerlite.tags import Span

# A tag of the model's config that begins so names a column that Spark NLP's graph has to spare.
UNUSED = "<unused"
_FOUR_PLACES = Decimal("0.0001")


class SparkDocument(Document):
    """A text tagged by Spark NLP's rules.

    entities: Spark NLP's chunks; an entity's score is the mean confidence of its words' tags.
    given_tags: what `tags` returns, as Spark NLP gives them, well-formed or not, and "O" for a word that it leaves
    without one.
    confidences: for each word that has a tag of its own, in order, its index → {"confidence": score}, or with
    include_all_confidence_scores {tag: score} for every tag; float32 of four places.
    settings: those of the model.
    """

    given_tags: list[str]
    confidences: dict[int, dict[str, np.float32]]
    settings: SparkNLPConfig

    def __init__(self, text: str, bounds: array[int], entities: list[Entity], truncated_at: int | None = None, *,
                 given_tags: list[str], confidences: dict[int, dict[str, np.float32]], settings: SparkNLPConfig
                 ) -> None:
        super().__init__(text, bounds, entities, truncated_at)
        vars(self).update(given_tags=given_tags, confidences=confidences, settings=settings)

    @property
    def tags(self) -> list[str]:
        """The tag of each word."""
        return self.given_tags

    def only(self, entities: Iterable[Entity]) -> SparkDocument:
        """Return the document with some of its own entities, and "O" for the words of the others."""
        kept, tags = list(entities), list(self.given_tags)
        wanted = set(kept)
        dropped = [(each.start, each.end) for each in self.entities if each not in wanted]
        i = 0
        for word, (start, end) in enumerate(self.offsets):
            while i < len(dropped) and dropped[i][1] <= start:
                i += 1
            if i < len(dropped) and dropped[i][0] < end:
                tags[word] = "O"
        return SparkDocument(self.text, self.bounds, kept, self.truncated_at, given_tags=tags,
                             confidences=self.confidences, settings=self.settings)

    def _values(self) -> tuple[Any, ...]:
        return *super()._values(), self.given_tags, self.confidences, self.settings


def tag_document(inputs: Inputs, scores: np.ndarray, best: np.ndarray, tags: Sequence[str], settings: SparkNLPConfig
                 ) -> SparkDocument:
    """Return the tagged text.

    scores: (n_entries, n_tags) from the network; best: (n_entries,) the tags that it decodes, as columns of scores;
    tags: the config's, one a column.
    """
    names = ["O" if tag.startswith(UNUSED) else tag for tag in tags]
    used = [(column, tag) for column, tag in enumerate(tags) if not tag.startswith(UNUSED)]
    found = ["O"] * len(inputs.words)
    confidences: dict[int, dict[str, np.float32]] = {}
    starts = np.flatnonzero(inputs.is_word_start)
    for word, tag, row in zip(inputs.word_ids[starts].tolist(), best[starts].tolist(),
                              softmax(scores[starts]).tolist(), strict=True):
        found[word] = names[tag]
        confidences[word] = ({name: _rounded(row[column]) for column, name in used}
                             if settings.include_all_confidence_scores else {"confidence": _rounded(max(row))})
    spans = chunks(found)
    if settings.white_list is not None:
        spans = [span for span in spans if span.label in settings.white_list]
    entities = []
    for start, stop, label in spans:
        begin, end = inputs.offsets[start][0], inputs.offsets[stop - 1][1]
        own = [_own_score(confidences[word], found[word]) for word in range(start, stop)]
        mean = reduce(np.add, own) / np.float32(len(own))
        entities.append(Entity(inputs.text[begin:end], label, begin, end, float(mean)))
    return SparkDocument(inputs.text, array("q", chain.from_iterable(inputs.offsets)), entities, inputs.truncated_at,
                         given_tags=found, confidences=confidences, settings=settings)


def chunks(tags: Sequence[str]) -> list[Span]:
    """Return NerConverter's reading of a sequence of tags.

    Only B- and O end a chunk, so within it a change of label goes unnoticed: the first one holds. Any other tag opens
    a chunk where none is open; a tag of one character never does.
    """
    spans: list[Span] = []
    start, label = 0, None
    for i, tag in enumerate([*tags, "O"]):
        if label is not None and (tag == "O" or tag.startswith("B-")):
            spans.append(Span(start, i, label))
            label = None
        if label is None and tag != "O" and len(tag) > 1:
            start, label = i, tag[2:]
    return spans


def softmax(scores: np.ndarray) -> np.ndarray:
    """scores: (n, n_tags) → probabilities (n, n_tags) float64; 0 where a score is too large, or all are too small."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        exponentials = np.exp(scores.astype(np.float64))
        probabilities: np.ndarray = exponentials / reduce(np.add, exponentials.T)[:, None]  # summed as a loop would
    return np.nan_to_num(probabilities, copy=False, nan=0.0)


def _rounded(probability: float) -> np.float32:
    """Round to four places, halves up, as the shortest decimal that stands for the number."""
    return np.float32(Decimal(repr(probability)).quantize(_FOUR_PLACES, ROUND_HALF_UP))


def _own_score(scores: dict[str, np.float32], tag: str) -> np.float32:
    return scores["confidence"] if "confidence" in scores else scores[tag]
