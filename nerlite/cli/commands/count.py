"""nerlite count: the distinct names of a corpus, and how often each is there."""

from __future__ import annotations

import argparse
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from nerlite.cli import options as common
from nerlite.cli.console import Input, Output
from nerlite.cli.documents import documents_of, records_of
from nerlite.cli.inputs import expanded
from nerlite.document import Entity
from nerlite.io.base import select
from nerlite.io.csv import line_of
from nerlite.io.table import printable

_EDGES = re.compile(r"^[^\w(]+|(?:['’]s?|[^\w.)]+)$")


class Name(NamedTuple):
    """A name with how often it is there, and the other forms that were counted with it, most frequent first."""

    label: str
    text: str
    n: int
    others: list[str]


class Names:
    """Names by label; forms are one name where they differ in case, white space, Unicode's compatibility forms, a
    possessive ending or marks at their edges alone.
    """

    def __init__(self) -> None:
        self._forms: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, entities: Iterable[Entity]) -> None:
        """Count entities."""
        for entity in entities:
            form = " ".join(entity.text.split())
            self._forms[entity.label, _EDGES.sub("", unicodedata.normalize("NFKC", form)).casefold()][form] += 1

    def most_common(self, least: int = 1) -> list[Name]:
        """Return the names that are there at least so often, the most frequent first, then by label and text."""
        names = []
        for (label, _), forms in self._forms.items():
            if forms.total() >= least:
                first, *others = sorted(forms, key=lambda form: (-forms[form], form))
                names.append(Name(label, first, forms.total(), others))
        return sorted(names, key=lambda name: (-name.n, name.label, name.text))


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser(
        "count", parents=[common.of_model(), common.of_input(), common.of_texts(), common.of_entities()],
        help=about,
        description="Print the distinct names of all files with their counts. Forms count as one name where they "
        "differ in case, white space, a possessive ending or marks at their edges alone; the most frequent is shown.")
    parser.add_argument("--output", choices=("table", "csv"), default="table",
                        help="table: count, label, name (the default); csv: the other forms too")
    parser.add_argument("--least", type=common.positive_integer, default=1, metavar="N",
                        help="leave out names that are there less often")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag what the files hold, count, and print once all is counted."""
    files = expanded(options.files)
    common.check_places(options, files)
    common.choose_workers(options, files)
    tagger = common.load(options)
    labels, names = common.labels_of(options.label, tagger), Names()
    failures = common.failures_of(options)
    failures.begin(files)
    read_options = common.read_options(options)._replace(fail=failures.fail)
    with common.workers_of(options, tagger) as workers, Input(files, options.encoding) as streams:
        records = records_of(files, options.input_format, read_options, streams)
        for document, _ in documents_of(tagger, records, streams, workers):
            names.add(select(document, labels, options.min_score).entities)
    counted = names.most_common(options.least)
    with Output() as output:
        if options.output == "csv":
            output.write(line_of(["label", "name", "count", "other_forms"], ","))
            for name in counted:
                output.write(line_of([name.label, name.text, str(name.n), "; ".join(name.others)], ","))
        else:
            widths = [max((len(str(name[i])) for name in counted), default=0) for i in (2, 0)]
            for name in counted:
                output.write(f"{name.n:>{widths[0]}}  {name.label:<{widths[1]}}  {printable(name.text)}\n")
    failures.report()
    return 0
