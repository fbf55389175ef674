"""CoNLL columns: a word a line, a blank line after each sentence.

Source: Tjong Kim Sang and De Meulder 2003, https://aclanthology.org/W03-0419.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nerlite.document import Document
from nerlite.errors import InputError, Place
from nerlite.io.base import ConllDocument, ReadOptions, Record, Rows, WriteOptions, read_lines

_TAG = re.compile(r"O|[BIESLUM]-.+")
# A comment's line: a hashtag is none, unless it names a value.
_COMMENT = re.compile(r"#(?:\s|$|[^=]*=)")
# A sentence's, as it is counted.
_NUMBER = re.compile("0|[1-9][0-9]*")
# What OntoNotes has around documents.
_FRAME = re.compile(r"#(?:begin document|end document)\b")
DEFAULTS = ReadOptions()


class Sentence(NamedTuple):
    """A sentence's words and their tags, as many of one as of the other."""

    words: list[str]
    tags: list[str]


def read(lines: Iterable[bytes], name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the words that are tagged together."""
    yield from records(read_rows(texts_of(lines, name, options), name, options), name, options.by)


def texts_of(lines: Iterable[bytes], name: str, options: ReadOptions = DEFAULTS) -> Iterator[str]:
    """Yield the lines as `read_rows` takes them; one that is left out ends a sentence."""
    expected = 1
    for number, line in read_lines(lines, name, options.fail):
        yield from [""] * (number - expected)
        yield line
        expected = number + 1


def records(documents: Iterable[ConllDocument], name: str, by: str) -> Iterator[Record]:
    """Yield the sentences of each document, or each sentence."""
    for document in documents:
        parts = [document]
        if by == "sentence":
            parts = [ConllDocument(None if i else document.start, [sentence])
                     for i, sentence in enumerate(document.sentences)]
        for part in parts:
            sentences = [sentence.words for sentence in part.sentences]
            yield Record(sentences, Place(name, part.sentences[0].line), conll=part)


def read_rows(lines: Iterable[str], name: str, options: ReadOptions = DEFAULTS, min_columns: int = 1
              ) -> Iterator[ConllDocument]:
    """Yield the documents of a file, all columns of every row.

    A line is one word: columns apart by tabs, or by spaces where the line has no tab, as many on every line. Comments
    stand before a sentence's first word and begin with #. A blank line ends a sentence, as OntoNotes' #begin document
    and #end document do, a -DOCSTART- line starts a document, and a file without such lines yields each sentence alone.
    name: the file's name. `InputError` names the file and line of a row with fewer than min_columns columns, without
    the column of its word, or with not as many as the first row has.
    """
    reader = _SentenceReader(name, options, min_columns)
    start: list[str] | None = None
    sentences: list[Rows] = []
    block: list[str] = []
    number = 0
    for number, line in enumerate(lines, 1):
        starts_document = line.startswith("-DOCSTART-") and line[10:11] in ("", " ", "\t")
        if line.strip() and not starts_document and not _FRAME.match(line):
            block.append(line)
            continue
        if rows := reader.sentence(block, number - len(block)):
            sentences.append(rows)
        block = []
        if sentences and (starts_document or start is None):
            yield ConllDocument(start, sentences)
            sentences = []
        start = line.split() if starts_document else start
    if rows := reader.sentence(block, number + 1 - len(block)):
        sentences.append(rows)
    if sentences:
        yield ConllDocument(start, sentences)


class _SentenceReader:
    """Lines of sentences → rows. The first sentence says how many columns there are and which is the word."""

    def __init__(self, name: str, options: ReadOptions, min_columns: int) -> None:
        self._name, self._options, self._min_columns, self._n_columns = name, options, min_columns, 0
        self._word = None if options.word_column is None else options.word_column - 1

    def sentence(self, block: list[str], number: int) -> Rows | None:
        """Return the rows of a sentence's lines, None where there are none; number: that of the first line."""
        try:
            return self._rows(block, number)
        except InputError as error:
            self._options.fail(error)
            return None

    def _rows(self, block: list[str], number: int) -> Rows | None:
        n_comments = self._n_comments(block)
        first, columns = number + n_comments, [_columns(line) for line in block[n_comments:]]
        if not columns:
            return None
        self._n_columns = self._n_columns or max(self._min_columns, len(columns[0]))
        for i, row in enumerate(columns):
            if len(row) != self._n_columns:
                raise InputError(f"expected {self._n_columns} columns, got {block[n_comments + i].strip()!r:.80}",
                                 Place(self._name, first + i))
        if self._word is None:
            self._word = self._first_word_column(columns)
        if self._word >= self._n_columns:
            raise InputError(f"expected the word in column {self._word + 1}, got {self._n_columns} columns",
                             Place(self._name, first))
        return Rows(first, columns, self._word, "\t" if any("\t" in line for line in block[n_comments:]) else " ")

    def _n_comments(self, block: list[str]) -> int:
        """Count a sentence's first lines that are comments: they look like one, and not like the sentence's rows."""
        rows = [_columns(line) for line in block if not _COMMENT.match(line)]
        n_columns = self._n_columns or (len(rows[0]) if rows else 0)
        are_tagged = bool(rows) and n_columns > 1 and all(_TAG.fullmatch(row[-1]) for row in rows)
        for i, line in enumerate(block):
            columns = _columns(line)
            if not _COMMENT.match(line) or (len(columns) == n_columns
                                            and (not are_tagged or _TAG.fullmatch(columns[-1]))):
                return i
        return len(block)

    def _first_word_column(self, columns: list[list[str]]) -> int:
        """Return which column is the word: the second where the first one counts words, from 1 or from 0.

        Between them CoNLL-U has words that are written as one (1-2) and words that are not written (1.1). Of three
        columns or more the first may also be the sentence's number, the same on all lines; of two the second is no
        word where it has tags alone.
        """
        n, ids = self._n_columns, [row[0] for row in columns if not re.fullmatch(r"\d+[-.]\d+", row[0])]
        from_1, from_0 = ([str(i) for i in range(first, first + len(ids))] for first in (1, 0))
        same = [ids[0]] * len(ids) if ids and _NUMBER.fullmatch(ids[0]) else None
        if n == 2 and all(_TAG.fullmatch(row[1]) for row in columns):
            return 0
        if n > 1 and len(ids) > (n < 4) and (ids == from_1 or (n > 2 and len(ids) > 1 and ids in (from_0, same))):
            self._options.say(f"{self._name}: the first column counts the {'sentences' if ids == same else 'words'}, "
                              "so the second is read as the word (--word-column 1 reads the first)")
            return 1
        if n > 1 and all(_TAG.fullmatch(row[0]) for row in columns) and any(row[0] != "O" for row in columns):
            self._options.say(f"{self._name}: the first column is read as the word, but looks like tags "
                              "(--word-column 2 reads the second)")
        return 0


def _columns(line: str) -> list[str]:
    if "\t" in line:
        return [column.strip(" ") for column in re.split("\t+", line.strip(" \t\r\n"))]
    return re.findall(r"[^ \r\n]+", line)


def tags_of(rows: Rows, name: str, column: int | None = None) -> list[str]:
    """Return a sentence's tags as they stand; column: from 1, None is the last.

    `InputError` names the line of one that is neither O nor a known prefix and a label.
    """
    tags = []
    for number, row in enumerate(rows.columns, rows.line):
        if column is not None and column > len(row):
            raise InputError(f"expected the tag in column {column}, got {len(row)} columns", Place(name, number))
        tag = row[-1 if column is None else column - 1]
        if not _TAG.fullmatch(tag):
            raise InputError(f"tag {tag!r:.80}: expected O or PREFIX-LABEL, the prefix one of B, I, E, S, L, U, M "
                             "(--tag-column says where the tags are)", Place(name, number))
        tags.append(tag)
    return tags


def read_tagged(lines: Iterable[str], name: str) -> Iterator[list[Sentence]]:
    """Yield the sentences of each document of a file, its last column as tags.

    The tags stay as they stand. Documents, name and errors are those of `read_rows` and `tags_of`.
    """
    for document in read_rows(lines, name, min_columns=2):
        yield [Sentence(rows.words, tags_of(rows, name)) for rows in document.sentences]


def write(document: Document, record: Record, options: WriteOptions) -> str:
    """Return a document's words, each with its tag; those of a CoNLL file keep their columns and document lines."""
    if record.conll is None:
        # A word that is hyphenated at a line's end has the line break in it.
        return _sentence(Rows(0, [["".join(word.split())] for word in document.words]), document.tags)
    start, sentences = record.conll
    lines, first = "", 0
    if start:
        n_columns = len(sentences[0].columns[0])
        if len(start) != n_columns > 1:  # as many as the rows have is what the conlleval script asks for
            start = [*start[:n_columns - 1], *["-X-"] * (n_columns - 1 - len(start)), "O"]
        lines = sentences[0].separator.join([*start[:n_columns], "O"]) + "\n\n"
    for rows in sentences:
        lines += _sentence(rows, document.tags[first:first + len(rows.columns)])
        first += len(rows.columns)
    return lines


def _sentence(rows: Rows, tags: Iterable[str]) -> str:
    """Return a sentence's rows, each with its tag as one column more, and the blank line that ends a sentence."""
    return "".join(rows.separator.join((*row, tag)) + "\n"
                   for row, tag in zip(rows.columns, tags, strict=True)) + "\n"
