"""nerlite eval: the score of a model on a CoNLL file."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from nerlite.cli import options as common
from nerlite.cli.console import Input, display_name
from nerlite.cli.documents import documents_of
from nerlite.cli.inputs import check_files
from nerlite.document import Document
from nerlite.evaluate import evaluate
from nerlite.io import conll
from nerlite.io.base import Record, Rows
from nerlite.tags import from_spans, split_tag, to_spans


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser("eval", parents=[common.of_model(), common.of_input()],
                                 help=about,
                                 description="Print the conlleval script's report on a file of gold tags.")
    parser.add_argument("file", metavar="FILE", help="CoNLL columns: the word first, its tag last")
    parser.add_argument("--tag-column", type=common.positive_integer, metavar="N",
                        help="the column of the gold tag (default: the last)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag the file's words and print the report."""
    check_files([options.file])
    tagger, name, read = common.load(options), display_name(options.file), common.read_options(options)
    with Input([options.file], options.encoding) as streams:
        rows = conll.read_rows(conll.texts_of(streams.read(options.file), name, read), name, read, 2)
        records = conll.records(rows, name, options.by)
        tagged = _tags_by_sentence(documents_of(tagger, records, streams), name, options.tag_column)
        gold, predicted = itertools.tee(tagged)
        report = evaluate((tags for tags, _ in gold), (tags for _, tags in predicted))
    print(report)
    if others := [label for label, score in report.labels.items() if score.n_phrases and label not in tagger.labels]:
        read.say(f"{name}: the model has no label {', '.join(others)}; it has {', '.join(tagger.labels)}")
    return 0


def _tags_by_sentence(tagged: Iterable[tuple[Document, Record]], name: str, column: int | None
                      ) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the gold and the predicted tags of each sentence of documents that came from CoNLL rows."""
    for document, record in tagged:
        assert record.conll is not None
        start = 0
        for rows in record.conll.sentences:
            yield _gold(rows, name, column), document.tags[start:start + len(rows.columns)]
            start += len(rows.columns)


def _gold(rows: Rows, name: str, column: int | None) -> list[str]:
    """Return gold tags; those of BIOES, BILOU and BMES in IOB2, as the predicted ones are."""
    tags = conll.tags_of(rows, name, column)
    if any(split_tag(tag)[0] in "ESLUM" for tag in tags):
        tags = from_spans(to_spans(tags), len(tags), "IOB2")
    return tags
