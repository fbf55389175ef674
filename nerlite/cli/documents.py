"""From files to tagged documents, as commands do it: a batch at a time, each as soon as it is there."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import nerlite
from nerlite.batch import in_runs
from nerlite.cli.console import Input, display_name
from nerlite.document import Document
from nerlite.errors import InputError
from nerlite.io import format_named, format_of
from nerlite.io.base import ReadOptions, Record

if TYPE_CHECKING:
    from nerlite.cli.workers import Workers

# What is tagged together: so many texts, or fewer that have about so many characters.
BATCH_SIZE, BATCH_CHARACTERS = 32, 100_000


def records_of(files: Sequence[str], form: str, options: ReadOptions, streams: Input) -> Iterator[Record]:
    """Yield the texts of all files; form: their format's name, or "auto" for what each one's suffix stands for."""
    for file in files:
        try:
            reader = format_named(format_of(file) if form == "auto" else form)
            name = display_name(file)
            if hasattr(reader, "read_file"):  # of bytes that are no lines
                yield from reader.read_file(streams.whole(file), name, options)
            else:
                yield from reader.read(streams.read(file), name, options)
        except InputError as error:
            error.ends_file = True
            options.fail(error)


def documents_of(tagger: nerlite.Tagger, records: Iterable[Record], streams: Input, workers: Workers | None = None
                 ) -> Iterator[tuple[Document, Record]]:
    """Tag texts, a batch at a time: here or, if there are any, by other processes; in order."""
    batches = ((batch, [record.text for record in batch]) for batch in _batches(records, streams))
    here = ((batch, _tagged(tagger, texts)) for batch, texts in batches)
    for batch, documents in workers.map(_tagged, batches, lambda: streams.waits) if workers else here:
        for document, record in zip(documents, batch, strict=True):
            streams.tagged(len(document.bounds) // 2)
            yield document, record


def _tagged(tagger: nerlite.Tagger, texts: list[Any]) -> list[Document]:
    """Tag texts and texts that are words already; where there is nothing to tag nothing is found."""
    documents: list[Document] = []
    for kind, group in itertools.groupby(texts, key=type):
        if kind is str:
            documents += tagger.pipe(list(group), batch_size=BATCH_SIZE)
        elif kind is list:
            documents += tagger.documents_of(list(group))
        else:
            documents += [Document("", array("I"), []) for _ in group]
    return documents


def _batches(records: Iterable[Record], streams: Input) -> Iterator[list[Record]]:
    """Gather what is tagged together; a batch ends where the next line has yet to arrive."""
    def size(record: Record) -> int:
        parts = [record.text] if isinstance(record.text, str) else itertools.chain.from_iterable(record.text or ())
        return BATCH_CHARACTERS if streams.waits else sum(map(len, parts))

    return in_runs(records, size, BATCH_CHARACTERS, BATCH_SIZE)
