"""Label Studio's tasks with predictions, to import: a JSON array, offsets in UTF-16 units as its editor counts them."""

from __future__ import annotations

import json

from nerlite.document import Document
from nerlite.io.base import Record, WriteOptions
from nerlite.io.base import Writer as BaseWriter


class Writer(BaseWriter):
    """Writes a task a document: the columns that it came with as its data, or its text, and a region an entity."""

    def __init__(self, title: str, options: WriteOptions) -> None:
        self._is_first = True

    def head(self) -> str:
        """Return the array's beginning."""
        return "["

    def state(self) -> bool:
        """Return whether there is no task yet."""
        return self._is_first

    def go_on(self, state: bool) -> None:
        """Go on with an earlier run's tasks."""
        self._is_first = state

    def write(self, document: Document, record: Record) -> str:
        """Return a document's task."""
        regions = [{"from_name": "label", "to_name": "text", "type": "labels", "score": round(entity.score, 4),
                    "value": {"start": entity.start, "end": entity.end, "text": entity.text, "labels": [entity.label]}}
                   for entity in document.entities_in("utf16")]
        mean = sum(entity.score for entity in document.entities) / len(regions) if regions else 0.0
        data = {**(record.row or {}), "text": document.text}
        task = {"data": data, "predictions": [{"model_version": "nerlite", "score": round(mean, 4), "result": regions}]}
        separator, self._is_first = "\n" if self._is_first else ",\n", False
        return separator + json.dumps(task, ensure_ascii=False, default=str)

    def tail(self) -> str:
        """Return the array's end."""
        return "\n]\n"
