"""What readers give and writers take: a text with where it came from; and the lines that text formats are read by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from nerlite.document import Document, OffsetUnit
from nerlite.errors import InputError, Place


class Rows(NamedTuple):
    """A sentence's rows in a CoNLL file.

    line: that of the first row; columns: each row's; word: which of them is the word; separator: what parts them.
    """

    line: int
    columns: list[list[str]]
    word: int = 0
    separator: str = " "

    @property
    def words(self) -> list[str]:
        """The words."""
        return [columns[self.word] for columns in self.columns]


class ConllDocument(NamedTuple):
    """A document of a CoNLL file: the columns of its -DOCSTART- line, if the file has such lines, and its sentences."""

    start: list[str] | None
    sentences: list[Rows]


class Record(NamedTuple):
    """A text to be tagged, the words of its sentences where it is split already, or None where there is nothing to tag.

    row: the columns that came with it; json: the object that it came from as it stands, on one line;
    conll: its part of a CoNLL file.
    """

    text: str | list[list[str]] | None
    where: Place
    row: Mapping[str, Any] | None = None
    json: str | None = None
    conll: ConllDocument | None = None


def _raise(error: InputError) -> None:
    raise error


class ReadOptions(NamedTuple):
    """How files are read, beyond what their format says.

    whole: plain text: a file is one text; text_key: where an object has its text; by: what of a CoNLL file is tagged
    together, "document" or "sentence"; word_column: which of its columns is the word, from 1, None: the first that is
    no id; text_column: which of a table's has its texts; say: takes what a user should know of how a file was
    understood; fail: takes what is wrong with a part of a file, and returns where that part is to be left out.
    """

    whole: bool = False
    text_key: str = "text"
    by: str = "document"
    word_column: int | None = None
    text_column: str = "text"
    say: Callable[[str], None] = lambda note: None
    fail: Callable[[InputError], None] = _raise

    def check_column(self, columns: Sequence[str], where: Place) -> None:
        """Raise `InputError` where a table's columns are without that of its texts."""
        if self.text_column not in columns:
            raise InputError(f"no column {self.text_column!r}; --text-column names the one with the texts; there are "
                             f"{', '.join(map(repr, columns)):.500}", where)


class WriteOptions(NamedTuple):
    """How answers are written: the key of the entities, and what their offsets count."""

    entities_key: str = "entities"
    offset_unit: OffsetUnit = "codepoint"

    def check_free(self, kind: str, row: Collection[str], where: Place, *others: str) -> None:
        """Raise `InputError` where a row has the key, or column, of the entities, or another that is written to."""
        for key in (self.entities_key, *others):
            if key in row:
                raise InputError(f"{kind} {key!r}: there already, and the answer is written there; --entities-key "
                                 f"names another {kind} for the entities", where)


class Writer:
    """One output of a format: here of one whose documents have nothing before and after them."""

    def __init__(self, write: Callable[[Document, Record, WriteOptions], str], options: WriteOptions) -> None:
        self._write, self._options = write, options

    def head(self) -> str:
        """Return what comes before the first document."""
        return ""

    def state(self) -> Any:
        """Return what a writer of a later run has to know of the documents that were written, as a value of JSON."""

    def go_on(self, state: Any) -> None:
        """Go on behind the documents of an earlier run, in which `state` gave this."""

    def write(self, document: Document, record: Record) -> str:
        """Return what is written of a document that was tagged."""
        return self._write(document, record, self._options)

    def tail(self) -> str:
        """Return what comes after the last document."""
        return ""


def decode(data: bytes, name: str, number: int = 1, offset: int = 0) -> str:
    """Return UTF-8 text, without the byte order mark a file may begin with.

    number, offset: the line and the byte of the file at which data begins, for `InputError`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = number + data.count(b"\n", 0, error.start)
        raise InputError(f"not UTF-8: byte 0x{data[error.start]:02x} at offset {offset + error.start} of the file "
                         f"({error.reason}); --encoding names another encoding", Place(name, line)) from None
    return text if offset else text.removeprefix("\ufeff")


def decoded_lines(stream: Iterable[bytes], name: str, fail: Callable[[InputError], None] = _raise
                  ) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line of a binary UTF-8 stream; fail: as in `ReadOptions`."""
    offset = 0
    for number, data in enumerate(stream, 1):
        try:
            yield number, decode(data, name, number, offset)
        except InputError as error:
            fail(error)
        offset += len(data)


def read_lines(stream: Iterable[bytes], name: str, fail: Callable[[InputError], None] = _raise
               ) -> Iterator[tuple[int, str]]:
    r"""Yield the lines as `decoded_lines` does, without their "\n" or "\r\n"."""
    for number, line in decoded_lines(stream, name, fail):
        yield number, line.removesuffix("\n").removesuffix("\r")


def select(document: Document, labels: Sequence[str], min_score: float) -> Document:
    """Return the document with only the entities of the labels (all, if none is given) that score enough."""
    return document.only(entity for entity in document.entities
                         if (not labels or entity.label in labels) and entity.score >= min_score)


def entity_dicts(document: Document, unit: OffsetUnit) -> list[dict[str, Any]]:
    """Return the entities as they are written: fields by name, scores of four places."""
    return [entity.to_dict() | {"score": round(float(entity.score), 4)} for entity in document.entities_in(unit)]
