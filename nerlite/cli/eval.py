"""nerlite eval: the score of a model on a CoNLL file."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.cli import options as common
from nerlite.cli.console import Input, display_name
from nerlite.cli.documents import check_files, documents_of
from nerlite.document import Document
from nerlite.evaluate import evaluate
from nerlite.io import conll
from nerlite.io.records import Record, read_lines


def add_to(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("eval", parents=[common.of_model(), common.of_conll()],
                                 help="score a model on a CoNLL file",
                                 description="Print the conlleval script's report on a file of gold tags.")
    parser.add_argument("file", metavar="FILE", help="CoNLL columns: the word first, its tag last")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag the file's words and print the report."""
    check_files([options.file])
    tagger, name = common.load(options), display_name(options.file)
    with Input([options.file]) as streams:
        rows = conll.read_rows(read_lines(streams.read(options.file), name), name, min_columns=2)
        records = conll.records(rows, name, options.by)
        gold, predicted = itertools.tee(_tags_by_sentence(documents_of(tagger, records, streams)))
        report = evaluate((tags for tags, _ in gold), (tags for _, tags in predicted))
    print(report)
    return 0


def _tags_by_sentence(tagged: Iterable[tuple[Document, Record]]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the gold and the predicted tags of each sentence of documents that came from CoNLL rows."""
    for document, record in tagged:
        assert record.conll is not None
        start = 0
        for _, rows in record.conll.sentences:
            yield [row[-1] for row in rows], document.tags[start:start + len(rows)]
            start += len(rows)
