"""Tagged documents as Spark NLP's annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from nerlite.document import Document
from nerlite.sparknlp.java import float_to_string, utf16_length, utf16_positions
from nerlite.sparknlp.tagging import SparkDocument


class Annotation(TypedDict):
    """One annotation; begin, end: UTF-16 units of the text, end inclusive."""

    annotatorType: str
    begin: int
    end: int
    result: str
    metadata: dict[str, str]


def to_annotations(document: Document) -> dict[str, list[Annotation]]:
    """Return a document's annotations by column: document, token, ner and ner_chunk.

    They equal those of Spark NLP's LightPipeline.fullAnnotate for a document tagged by its rules: ner has no
    annotation for a word that it gives no tag, and there are confidences where include_confidence asks for them. Any
    other document gives a ner annotation a word, and its entities' scores as their confidence.
    """
    text = document.text
    offsets = utf16_positions(text, np.array(document.offsets, np.int64).reshape(-1, 2)).tolist()
    spans = utf16_positions(text, np.array([(entity.start, entity.end) for entity in document.entities],
                                           np.int64).reshape(-1, 2)).tolist()
    has_confidence, lower = True, False
    confidences: dict[int, dict[str, np.float32]] = {word: {} for word in range(len(document.words))}
    if isinstance(document, SparkDocument):
        has_confidence, lower = document.settings.include_confidence, not document.settings.case_sensitive
        confidences = document.confidences
    ner = []
    for word, scores in confidences.items():
        metadata = {"word": document.words[word].lower() if lower else document.words[word]}
        if has_confidence:
            metadata |= {key: float_to_string(score) for key, score in scores.items()}
        ner.append(_annotation("named_entity", offsets[word], document.tags[word], metadata | {"sentence": "0"}))
    ner_chunk = []
    for i, (span, entity) in enumerate(zip(spans, document.entities, strict=True)):
        metadata = {"entity": entity.label, "sentence": "0", "chunk": str(i)}
        if has_confidence:
            metadata["confidence"] = float_to_string(np.float32(entity.score))
        ner_chunk.append(_annotation("chunk", span, entity.text, metadata))
    return {
        "document": [_annotation("document", (0, utf16_length(text)), text, {})],
        "token": [_annotation("token", span, word, {"sentence": "0"})
                  for span, word in zip(offsets, document.words, strict=True)],
        "ner": ner,
        "ner_chunk": ner_chunk,
    }


def _annotation(kind: str, span: Sequence[int], result: str, metadata: dict[str, str]) -> Annotation:
    return {"annotatorType": kind, "begin": span[0], "end": span[1] - 1, "result": result, "metadata": metadata}
