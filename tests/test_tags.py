"""Tag schemes: round trips, conlleval's reading of ill-formed tags, and which transitions are well-formed."""

import itertools
import time

import pytest

from nerlite.tags import Span, allowed_transitions, boundaries, from_spans, is_boundary, tag_names, to_spans

SCHEMES = ["IOB1", "IOB2", "BIOES"]


def all_span_sets(n_words, labels="XY", start=0):
    """Every way to lay labelled spans on n_words words."""
    if start == n_words:
        yield []
        return
    for rest in all_span_sets(n_words, labels, start + 1):
        yield rest
    for stop in range(start + 1, n_words + 1):
        for rest in all_span_sets(n_words, labels, stop):
            for label in labels:
                yield [Span(start, stop, label), *rest]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_round_trip_and_well_formedness(scheme):
    names = tag_names("XY", scheme)
    start, transitions, end = allowed_transitions(names, scheme)
    well_formed = {tags for tags in itertools.product(range(len(names)), repeat=3)
                   if start[tags[0]] and end[tags[-1]] and all(transitions[a, b] for a, b in itertools.pairwise(tags))}
    written = set()
    for spans in all_span_sets(3):
        tags = from_spans(spans, 3, scheme)
        assert to_spans(tags) == spans
        written.add(tuple(names.index(tag) for tag in tags))
    assert written == well_formed


@pytest.mark.parametrize(("tags", "spans"), [
    ("I-X I-X", [Span(0, 2, "X")]),
    ("O I-X I-Y", [Span(1, 2, "X"), Span(2, 3, "Y")]),
    ("B-X I-Y", [Span(0, 1, "X"), Span(1, 2, "Y")]),
    ("B-X B-X", [Span(0, 1, "X"), Span(1, 2, "X")]),
    ("E-X I-X", [Span(0, 1, "X"), Span(1, 2, "X")]),
    ("B-X E-X E-X", [Span(0, 2, "X"), Span(2, 3, "X")]),
    ("B-A-B I-A-B", [Span(0, 2, "A-B")]),
    ("O I I O B", [Span(1, 3, ""), Span(4, 5, "")]),
    ("", []),
])
def test_ill_formed_tags_are_read_as_conlleval_does(tags, spans):
    assert to_spans(tags.split()) == spans


def test_the_table_of_boundaries_is_of_single_pairs():
    tags = [*tag_names("XY", "BIOES"), "B-A-B", "I", "-X", "ES-X", "<unused-5>", "geo"]
    assert boundaries(tags).tolist() == [[is_boundary(a, b) for b in tags] for a in tags]


def test_a_thousand_tags_are_tables_at_once():
    tags = tag_names([str(i) for i in range(250)], "BIOES")[:1000]
    started = time.process_time()
    for scheme in SCHEMES:
        assert allowed_transitions(tags, scheme)[1].shape == (1000, 1000)
    assert boundaries(tags).shape == (1000, 1000)
    assert time.process_time() - started < 2
