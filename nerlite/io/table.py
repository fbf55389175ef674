"""A table for reading: where each text came from and how it begins, then a line an entity."""

from __future__ import annotations

import shutil

from nerlite.document import Document
from nerlite.io.base import Record, WriteOptions


def write(document: Document, record: Record, options: WriteOptions) -> str:
    """Return a document for reading, its first line within the terminal's width.

    Line breaks and control characters come out as spaces and question marks, so that no text disturbs a terminal.
    """
    width, where = shutil.get_terminal_size().columns, printable(str(record.where))
    start = printable(document.text[:width])
    room = max(20, width - len(where) - 2)
    lines = [f"{where}  {start if len(start) <= room and len(document.text) <= width else start[:room - 1] + '…'}"]
    entities = document.entities_in(options.offset_unit)
    label_width = max((len(entity.label) for entity in entities), default=0)
    offset_width = len(f"{entities[-1].start}–{entities[-1].end}") if entities else 0
    for entity in entities:
        offsets = f"{entity.start}–{entity.end}"
        lines.append(f"  {entity.score:.2f}  {entity.label:<{label_width}}  {offsets:>{offset_width}}  "
                     f"{printable(entity.text)}")
    if document.truncated_at is not None:
        lines.append(f"  the model read only the first {document.truncated_at} characters")
    return "\n".join(lines) + "\n"


def printable(text: str) -> str:
    """Return a text on one line, with question marks for what cannot be printed."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
