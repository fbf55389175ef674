"""HTML: one page of all documents, for a browser; see `nerlite.page`."""

from __future__ import annotations

from nerlite.document import Document
from nerlite.io.records import InputError, Record, WriteOptions
from nerlite.page import Page


class Writer:
    """Writes a page."""

    def __init__(self, title: str, options: WriteOptions) -> None:
        """title: what the page is called."""
        self._page = Page(title)

    def head(self) -> str:
        """Return what comes before the first document."""
        return self._page.head()

    def skip(self, record: Record) -> None:
        """Refuse to go on with a page: its legend counts all documents."""
        raise InputError("--resume: a page cannot be gone on with")

    def write(self, document: Document, record: Record) -> str:
        """Return a document's part of the page."""
        return self._page.article(document, record.where)

    def tail(self) -> str:
        """Return what comes after the last document: the legend of all of them, and what filters and searches."""
        return self._page.tail()
