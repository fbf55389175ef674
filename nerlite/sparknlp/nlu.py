"""Tagged texts as the data frames of NLU, Spark NLP's companion.

Source: NLU 3.2, extractor_configs_open_source.py and col_substitution_OS.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from nerlite.document import Document
from nerlite.frames import TextTagger
from nerlite.sparknlp.annotations import Annotation, to_annotations

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "token": ["token", "token_begin", "token_end", "ner_iob", "ner_iob_confidence"],
    "chunk": ["entities", "entities_begin", "entities_end", "entities_class", "entities_confidence"],
}
_COLUMNS["document"] = _COLUMNS["token"] + _COLUMNS["chunk"]


def predict(tagger: TextTagger, texts: str | Iterable[str],
            output_level: Literal["token", "chunk", "document"] = "chunk", *, positions: bool = False) -> pd.DataFrame:
    """Tag texts and return a data frame with the columns of NLU's predict, the text's number as its index.

    output_level: a row a token (columns token, ner_iob, ner_iob_confidence), a row a chunk (entities, entities_class,
    entities_confidence), or a row a document (lists of all of these); and document, the text, in each.
    positions: whether token_begin, token_end, entities_begin and entities_end are there too, in UTF-16 units, end
    inclusive. Confidences are numbers, missing where the model gives none. ImportError without pandas.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("predict needs pandas, which is not installed: pip install pandas") from None
    if output_level not in _COLUMNS:
        raise ValueError(f"output_level: expected 'token', 'chunk' or 'document', got {output_level!r}")
    names = [name for name in _COLUMNS[output_level] if positions or not name.endswith(("_begin", "_end"))]
    rows: list[dict[str, Any]] = []
    index: list[int] = []
    for number, document in enumerate(tagger.pipe([texts] if isinstance(texts, str) else texts)):
        if not isinstance(document, Document):
            raise TypeError("texts: expected str, got a (text, context) pair")
        columns = to_annotations(document)
        by_level = {"token": _token_rows(columns), "chunk": _chunk_rows(columns)}
        if output_level == "document":
            found: list[dict[str, Any]] = [{name: [row[name] for row in by_level[level]]
                                            for level in by_level for name in _COLUMNS[level]}]
        else:
            found = by_level[output_level]
        rows.extend({"document": document.text, **row} for row in found)
        index.extend([number] * len(found))
    return pd.DataFrame(rows, pd.Index(index, dtype="int64", name="origin_index"), ["document", *names])


def _token_rows(columns: dict[str, list[Annotation]]) -> list[dict[str, Any]]:
    tags = {tag["begin"]: tag for tag in columns["ner"]}
    rows = []
    for token in columns["token"]:
        tag = tags.get(token["begin"])
        rows.append({"token": token["result"], "token_begin": token["begin"], "token_end": token["end"],
                     "ner_iob": tag["result"] if tag else "O", "ner_iob_confidence": _confidence(tag)})
    return rows


def _chunk_rows(columns: dict[str, list[Annotation]]) -> list[dict[str, Any]]:
    return [{"entities": chunk["result"], "entities_begin": chunk["begin"], "entities_end": chunk["end"],
             "entities_class": chunk["metadata"]["entity"], "entities_confidence": _confidence(chunk)}
            for chunk in columns["ner_chunk"]]


def _confidence(annotation: Annotation | None) -> float | None:
    """Return an annotation's confidence, that of its own tag where each tag has one."""
    if annotation is None:
        return None
    metadata = annotation["metadata"]
    score = metadata.get("confidence", metadata.get(annotation["result"]))
    return None if score is None else float(score)
