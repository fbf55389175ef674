"""HTML: one page of all documents, for a browser; see `nerlite.page`."""

from __future__ import annotations

from nerlite.document import Document
from nerlite.io.records import Record
from nerlite.page import Page


class Writer:
    """Writes a page."""

    def __init__(self, title: str) -> None:
        """title: what the page is called."""
        self._page = Page(title)

    def head(self) -> str:
        """Return what comes before the first document."""
        return self._page.head()

    def write(self, document: Document, record: Record) -> str:
        """Return a document's part of the page."""
        return self._page.article(document, record.where)

    def tail(self) -> str:
        """Return what comes after the last document: the legend of all of them, and what filters and searches."""
        return self._page.tail()
