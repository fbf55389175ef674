"""Names out of a text, with placeholders in their places, and back into what comes of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerlite.document import Document
    from nerlite.files import AnyPath

# A label and a number; no placeholder holds or overlaps another, whatever stands around it.
_PLACEHOLDER = re.compile(r"\[(\w+)_([1-9][0-9]*)\]")
# The label of what looks like a placeholder in a text itself: it gets one too, so that it comes back as it was.
_LITERAL = "TEXT"
# A map with a larger number was not written here.
_MOST_DIGITS = 12


class Placeholders:
    """What stands for which name: [PER_1] for the first person, [PER_2] for the second; the same name, the same number.

    One object for all texts that belong together, such as those of a file or of a conversation. A name is a label and
    exactly this spelling, since the placeholder is all that is left of it.
    names: placeholder → name; it tells everything that was hidden, so it is to be kept apart from the texts.
    Threads may share it.
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        """names: what an earlier object has in `names`, to go on from there; ValueError where it is no such mapping."""
        self.names: dict[str, str] = dict(names or {})
        self._placeholders: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()
        for number, (placeholder, name) in enumerate(self.names.items(), 1):
            match = _PLACEHOLDER.fullmatch(placeholder) if isinstance(placeholder, str) else None
            if match is None or len(match[2]) > _MOST_DIGITS or not isinstance(name, str) or not name:
                raise ValueError(f"names: entry {number}: expected a placeholder such as [PER_1] and a name")
            label = match[1]
            self._placeholders.setdefault((label, name), placeholder)
            self._last[label] = max(self._last.get(label, 0), int(match[2]))

    def __reduce__(self) -> tuple[type[Placeholders], tuple[dict[str, str]]]:
        return Placeholders, (self.names,)

    def redact(self, document: Document, labels: Collection[str] | None = None) -> str:
        """Return a document's text with a placeholder for each of its entities; `restore` gives the text again.

        labels: only entities of these; None for all. One that the model does not have (see `Tagger.labels`) hides
        nothing. ValueError where the model stopped reading before the text's end: the rest may hold any names.
        """
        if isinstance(labels, str):
            raise TypeError("labels: expected a list of labels, got a str")
        if document.truncated_at is not None:
            raise ValueError(f"the model read only the first {document.truncated_at:,} of {len(document.text):,} "
                             "characters, so names beyond them would stay; load it with window=True")
        if labels is not None:
            document = document.only(entity for entity in document.entities if entity.label in labels)
        return "".join(self.of(entity.label, text) if entity else self.escape(text)
                       for text, entity in document.stretches())

    def escape(self, text: str) -> str:
        """Return a text with a placeholder for what looks like one, so that `restore` gives the text again."""
        return _PLACEHOLDER.sub(lambda match: self.of(_LITERAL, match[0]), text)

    def of(self, label: str, name: str) -> str:
        """Return the placeholder of a name, which is not empty: a new one where it has none."""
        label = re.sub(r"\W+", "_", label) or "_"
        with self._lock:
            placeholder = self._placeholders.get((label, name))
            if placeholder is None:
                number = self._last[label] = self._last.get(label, 0) + 1
                placeholder = self._placeholders[label, name] = f"[{label}_{number}]"
                self.names[placeholder] = name
        return placeholder

    def restore(self, text: str) -> str:
        """Return a text with the names in their places; a placeholder that is not in `names` stays."""
        return _PLACEHOLDER.sub(lambda match: self.names.get(match[0], match[0]), text)

    def unknown(self, text: str) -> list[str]:
        """Return what looks like a placeholder in a text and is not in `names`, each once."""
        return list(dict.fromkeys(match[0] for match in _PLACEHOLDER.finditer(text) if match[0] not in self.names))

    def save(self, path: AnyPath) -> None:
        """Write `names` as JSON for `load`; only the file's owner may read it. A file there is replaced, at once."""
        folder = os.path.dirname(os.path.realpath(path))
        descriptor, temporary = tempfile.mkstemp(prefix=".nerlite-", dir=folder)  # of mode 600
        try:
            with open(descriptor, "w", encoding="ascii") as file:
                json.dump(dict(self.names), file, indent=0)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, os.path.realpath(path))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: AnyPath) -> Placeholders:
        """Read what `save` wrote; ValueError, which quotes nothing of the file, where it is something else."""
        try:
            with open(path, encoding="utf-8") as file:
                names = json.load(file)
            if not isinstance(names, dict):
                raise ValueError("expected a JSON object")
            return cls(names)
        except (ValueError, RecursionError) as error:
            reason = str(error) if type(error) is ValueError else "expected a JSON object"
            raise ValueError(f"{path}: not a map of placeholders: {reason}") from None
