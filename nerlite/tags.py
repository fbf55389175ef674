"""Tag schemes: tags ↔ labelled spans, the tags of a scheme, and which may follow which.

A tag is "O" or PREFIX-LABEL. IOB2: B- opens every span, I- goes on. IOB1: I- does both, B- only where a span of the
same label touches the one before. BIOES: B- I* E-, or S- for a single word; BILOU and BMES are the same by other
letters, and read, not written.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Span(NamedTuple):
    """A labelled run of words; indices of words, stop exclusive."""

    start: int
    stop: int
    label: str


def split_tag(tag: str) -> tuple[str, str]:
    """Return a tag's prefix and label: "B-PER" → ("B", "PER"), "O" → ("O", "")."""
    prefix, _, label = tag.partition("-")
    return prefix, label


@functools.lru_cache(maxsize=4096)
def is_boundary(previous: str, tag: str) -> bool:
    """Whether a span (or a stretch of O) ends between two neighbouring tags.

    This reading needs no well-formed tags: a stray I- opens a span, a change of label starts a new one.
    Source: startOfChunk and endOfChunk of the CoNLL shared tasks' conlleval script.
    """
    (prefix, label), (next_prefix, next_label) = split_tag(previous), split_tag(tag)
    return label != next_label or prefix in "ESLU" or next_prefix in "BSU" or (prefix == "O") != (next_prefix == "O")


def to_spans(tags: Sequence[str]) -> list[Span]:
    """Return the spans of one sequence of tags of any scheme, read as `is_boundary` says."""
    spans, start = [], 0
    for i, tag in enumerate(tags):
        if tag == "O":
            start = i + 1
        elif i + 1 == len(tags) or is_boundary(tag, tags[i + 1]):
            spans.append(Span(start, i + 1, split_tag(tag)[1]))
            start = i + 1
    return spans


def from_spans(spans: Iterable[Span], n_words: int, scheme: str) -> list[str]:
    """Return n_words tags of a scheme for spans that are in order and do not overlap."""
    tags = ["O"] * n_words
    previous = Span(0, 0, "")
    for span in spans:
        inside = ["I"] * (span.stop - span.start)
        if scheme == "IOB2" or (scheme == "IOB1" and span.start == previous.stop and span.label == previous.label):
            inside[0] = "B"
        elif scheme == "BIOES":
            inside[0], inside[-1] = ("B", "E") if len(inside) > 1 else ("S", "S")
        tags[span.start:span.stop] = [f"{prefix}-{span.label}" for prefix in inside]
        previous = span
    return tags


def tag_names(labels: Sequence[str], scheme: str) -> tuple[str, ...]:
    """Return every tag of a scheme over the labels, "O" first."""
    prefixes = "BIES" if scheme == "BIOES" else "BI"
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in prefixes))


def boundaries(tags: Sequence[str]) -> np.ndarray:
    """Return `is_boundary` of every pair of tags: a boolean array [from, to] (n_tags, n_tags)."""
    prefixes, labels = _parts(tags)
    outside = prefixes == "O"
    return (labels[:, None] != labels) | _among(prefixes, "ES")[:, None] | _among(prefixes, "BS") | (
        outside[:, None] != outside)


def allowed_transitions(tags: Sequence[str], scheme: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which tags may begin, follow one another and end in a well-formed sequence.

    Boolean arrays start (n_tags,), transitions[from, to] (n_tags, n_tags) and end (n_tags,).
    """
    prefixes, labels = _parts([*tags, "O"])  # what lies before and behind a sequence
    same = labels[:, None] == labels
    if scheme == "BIOES":
        follows = np.where(_among(prefixes, "BI")[:, None], same & _among(prefixes, "IE"), _among(prefixes, "OBS"))
    else:  # all but what goes on with a label where there is none
        follows = same | (prefixes != {"IOB1": "B", "IOB2": "I"}[scheme])
    return follows[-1, :-1], follows[:-1, :-1], follows[:-1, -1]


def _parts(tags: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the tags' prefixes, and a number for each one's label: (n_tags,) each."""
    numbers: dict[str, int] = {}
    parts = [split_tag(tag) for tag in tags]
    return (np.array([prefix for prefix, _ in parts], object),
            np.array([numbers.setdefault(label, len(numbers)) for _, label in parts], np.int64))


def _among(prefixes: np.ndarray, some: str) -> np.ndarray:
    return np.array([prefix in some for prefix in prefixes], bool)
