"""Tag schemes: tags ↔ labelled spans, the tags of a scheme, and which may follow which.

A tag is "O" or PREFIX-LABEL. IOB2: B- opens every span, I- goes on. IOB1: I- does both, B- only where a span of the
same label touches the one before. BIOES: B- I* E-, or S- for a single word.
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
    return label != next_label or prefix in "ES" or next_prefix in "BS" or (prefix == "O") != (next_prefix == "O")


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


def allowed_transitions(tags: Sequence[str], scheme: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which tags may begin, follow one another and end in a well-formed sequence.

    Boolean arrays start (n_tags,), transitions[from, to] (n_tags, n_tags) and end (n_tags,).
    """
    follows = {"IOB1": _follows_iob1, "IOB2": _follows_iob2, "BIOES": _follows_bioes}[scheme]
    start = np.array([follows("O", tag) for tag in tags], bool)
    transitions = np.array([[follows(previous, tag) for tag in tags] for previous in tags], bool)
    end = np.array([follows(tag, "O") for tag in tags], bool)
    return start, transitions.reshape(len(tags), len(tags)), end


def _follows_iob1(previous: str, tag: str) -> bool:
    (_, label), (next_prefix, next_label) = split_tag(previous), split_tag(tag)
    return next_prefix != "B" or label == next_label


def _follows_iob2(previous: str, tag: str) -> bool:
    (_, label), (next_prefix, next_label) = split_tag(previous), split_tag(tag)
    return next_prefix != "I" or label == next_label


def _follows_bioes(previous: str, tag: str) -> bool:
    (prefix, label), (next_prefix, next_label) = split_tag(previous), split_tag(tag)
    if prefix in "BI":
        return next_prefix in "IE" and label == next_label
    return next_prefix in "OBS"
