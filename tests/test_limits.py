"""Where entities may not begin or end, against enumeration, and what a model sees of breaks."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nerlite.backends import load_ops
from nerlite.config import BreaksConfig, CalibrationConfig
from nerlite.errors import ModelError
from nerlite.forms import can_bound
from nerlite.limits import FIRST, INNER, LAST, Limits, word_kinds
from nerlite.network.crf import CRF
from nerlite.pieces import PieceEncoder
from nerlite.pipeline import Tagger
from nerlite.rules import calibrated
from nerlite.tags import allowed_transitions, tag_names, to_spans
from nerlite.text import LINE, NONE, PARAGRAPH, SPACE, join_words, split_words

TAGS = tag_names(["LOC", "PER"], "BIOES")
BREAKS = BreaksConfig(line="!", paragraph="[SEP]")


@pytest.fixture(scope="module")
def with_breaks(write_model, tiny_config):
    """The directory of a tiny model that sees breaks; its vocabulary's "!" stands for a line break."""
    config = tiny_config._replace(tags=TAGS, scheme="BIOES", breaks=BREAKS)
    return write_model(**{key: getattr(config, key) for key in ("tags", "scheme", "breaks")})


def test_kinds_of_words():
    kinds = word_kinds(["Ada", "!", "", "B2", "-"], bytes([PARAGRAPH, NONE, SPACE, LINE, PARAGRAPH]))
    assert kinds.tolist() == [FIRST, INNER, FIRST | LAST | INNER, LAST, FIRST | LAST | INNER]
    kinds = word_kinds(["在", "London", "的", "·", "京", "é", "ж"], bytes([PARAGRAPH, *[NONE] * 6]))
    assert kinds.tolist() == [FIRST | LAST, FIRST | LAST, FIRST, INNER, LAST, FIRST, LAST]
    assert word_kinds(["ב", "Berlin", "في"], bytes([PARAGRAPH, NONE, NONE])).tolist() == [FIRST | LAST] * 3
    assert word_kinds(["See", "No.", "5", "or", "No.", "Ada"], bytes([PARAGRAPH, *[SPACE] * 5])).tolist() == [
        FIRST, INNER, 0, 0, 0, LAST]
    kinds = word_kinds(["A", "#", "B", "-", "C", ">", "D"], bytes([PARAGRAPH, LINE, NONE, LINE, SPACE, LINE, NONE]))
    assert kinds.tolist() == [FIRST | LAST, FIRST | INNER, LAST, FIRST | INNER, 0, INNER, LAST]
    assert word_kinds([], b"").tolist() == []


def test_what_remains_is_what_the_words_allow(tiny_config):
    """All taggings, one by one: those within the limits are all of the probability, and the best is one of them."""
    rng = np.random.default_rng(0)
    kinds = np.array([FIRST, LAST, FIRST | INNER, 0], np.uint8)
    emissions = rng.standard_normal((4, len(TAGS)), np.float32)
    config = tiny_config._replace(tags=TAGS, scheme="BIOES", decoder="viterbi")
    limited = Limits(TAGS)(emissions, kinds)
    decoded = CRF(load_ops("numpy"), {}, config).decode(limited, np.array([0, 4]))
    start, follows, end = allowed_transitions(TAGS, "BIOES")
    scores = {}
    for path in itertools.product(range(len(TAGS)), repeat=4):
        spans = to_spans([TAGS[i] for i in path])
        if (start[path[0]] and end[path[-1]] and all(follows[a, b] for a, b in itertools.pairwise(path))
                and not any(span.start < 2 < span.stop for span in spans)
                and not any(2 in (span.start, span.stop - 1) for span in spans)):
            scores[path] = float(sum(emissions[i, tag] for i, tag in enumerate(path)))
    best = max(scores, key=scores.__getitem__)
    assert [TAGS[i] for i in decoded.tags] == [TAGS[i] for i in best]
    total = sum(map(np.exp, scores.values()))
    for span, score in zip(decoded.spans[0], decoded.scores[0], strict=True):
        agreeing = sum(np.exp(value) for path, value in scores.items() if span in to_spans([TAGS[i] for i in path]))
        assert score == pytest.approx(agreeing / total, abs=1e-5)


def test_no_limits_leave_the_bits():
    emissions = np.random.default_rng(1).standard_normal((3, len(TAGS)), np.float32)
    assert Limits(TAGS)(emissions, np.zeros(3, np.uint8)).tobytes() == emissions.tobytes()


def test_a_break_has_a_piece_of_its_own(with_breaks):
    encoder = PieceEncoder(with_breaks / "tokenizer.json", 20, breaks=BREAKS)
    plain = PieceEncoder(with_breaks / "tokenizer.json", 20)
    words, breaks = ["the", "john", "in", "the"], bytes([PARAGRAPH, SPACE, LINE, PARAGRAPH])
    ids, offsets, leads = encoder.encode(words, breaks)
    the, john, inside, _ = plain.encode(words).ids
    assert list(ids) == [encoder.sep_id, the, john, encoder.line_id, inside, encoder.sep_id, the]
    assert (list(offsets), list(leads)) == ([0, 2, 3, 5, 7], [1, 0, 1, 1])
    assert list(plain.encode(words, breaks).ids) == [the, john, inside, the]


def test_a_piece_that_the_vocabulary_lacks_is_named(with_breaks):
    with pytest.raises(ModelError, match=r"the vocabulary lacks \[none\]"):
        PieceEncoder(with_breaks / "tokenizer.json", 20, breaks=BreaksConfig("[none]", "[SEP]"))


def test_breaks_ask_for_tags_that_say_where_an_entity_ends(write_model):
    with pytest.raises(ModelError, match="breaks: expected scheme BIOES"):
        write_model(breaks=BREAKS, tags=tag_names(["PER"], "IOB2"), scheme="IOB2")


@pytest.mark.parametrize("n_names", [3, 200])  # of one window, and of many
def test_no_entity_crosses_a_paragraph_or_begins_or_ends_with_a_mark(with_breaks, n_names):
    ner = Tagger(str(with_breaks), backend="numpy")
    text = "\n\n".join(["john in berlin, acme! the -- john\teu"] * n_names)
    entities = ner(text).entities
    assert entities
    for entity in entities:
        assert "\n\n" not in entity.text and "\t" not in entity.text
        assert entity.text[0].isalnum() and entity.text[-1].isalnum()


# Words, and what texts have between, around and within them.
HOSTILE = st.lists(st.sampled_from([
    "john", "Berlin", "acme", "eu", "the", "A.", "Jr.", "7", "é", "中", "Ｂ", " ", " ", " ", " ", "\n", "\n\n", "\t",
    "  ", "   ", "\f", "\u2029", "\xa0", "|", "<br>", "<b>", "</td>", "&nbsp;", "&quot;", "&uuml;", "\\n", "\\n\\n",
    "~", "\n> ", "\n# ", "-\n", "\u00ad", "\u200b", "\u200f", "\ufe0f", "\u0301", "\x1b[31m", "\x00", "😀", "²", "①",
    "1️⃣", "™", "'s", "''", "!", ".", "...", "_", "**", "-", "=?a?q?", "?=", "https://x.org/a", "a@b.org", "a.jpg",
    "VGhl" * 12])).map("".join)


@pytest.fixture(scope="module")
def limited(with_breaks, backend):
    """A model that sees breaks, by each backend."""
    return Tagger(str(with_breaks), backend=backend, threads=1)


def assert_within_limits(entities, words):
    """No entity crosses the end of a paragraph, overlaps another or is bounded by what is neither letter nor digit."""
    read = words.read
    starts = {start: i for i, start in enumerate(read.bounds[::2])}
    stops = {end: i + 1 for i, end in enumerate(read.bounds[1::2])}
    last = 0
    for entity in entities:
        start, stop = starts[entity.start], stops[entity.end]
        assert words.text[entity.start:entity.end] == entity.text
        assert last <= start < stop
        assert PARAGRAPH not in read.breaks[start + 1:stop]
        assert "" not in read.forms[start:stop]
        assert can_bound(read.forms[start]) and can_bound(read.forms[stop - 1])
        last = stop


@settings(max_examples=50)
@given(st.lists(HOSTILE | st.text() | st.text(st.characters(codec="ascii")), max_size=5))
def test_entities_are_within_the_limits_of_any_text(limited, texts):
    for text, document in zip(texts, limited.pipe(texts), strict=True):
        assert_within_limits(document.entities, split_words(text))
        assert len(document.tags) == len(document.words)


@settings(max_examples=50)
@given(st.lists(st.lists(HOSTILE, max_size=8), max_size=8))
def test_entities_are_within_the_limits_of_given_sentences(limited, sentences):
    document, = limited.documents_of([sentences])
    words = [word for sentence in sentences for word in sentence]
    assert document.words == words
    assert_within_limits(document.entities, join_words(words, itertools.accumulate(map(len, sentences))))


def test_what_the_encoder_sees_of_breaks_changes_the_answer(with_breaks, write_model):
    ner = Tagger(str(with_breaks), backend="numpy")
    blind = Tagger(str(write_model(tags=TAGS, scheme="BIOES")), backend="numpy")
    lines, prose = "the john in berlin\nof acme the eu\ner john", "the john in berlin of acme the eu er john"

    def found(ner, text):
        return [(entity.label, entity.start, entity.end, entity.score) for entity in ner(text).entities]

    assert found(ner, lines) != found(ner, prose)
    assert found(blind, lines) == found(blind, prose)


def test_sentences_of_a_text_part_its_entities(with_breaks):
    ner = Tagger(str(with_breaks), backend="numpy")
    sentences = [["john", "in", "berlin"], [], ["acme", "the", "john"]] * 40
    document, = ner.documents_of([sentences])
    assert document.words == [word for sentence in sentences for word in sentence]
    ends = {i * 3 for i in range(80)}
    assert document.entities
    for span in to_spans(document.tags):
        assert not any(span.start < end < span.stop for end in ends)
    with pytest.raises(TypeError, match="words: expected lists of str"):
        ner.documents_of([[["john"], "berlin"]])


def test_calibration_is_platts_and_keeps_the_order():
    assert calibrated(0.5, 2.0, 0.0) == pytest.approx(0.5)
    assert calibrated(0.9, 1.0, 0.0) == pytest.approx(0.9)
    assert calibrated(0.9, 0.5, 0.3) == pytest.approx(1 / (1 + np.exp(-(0.5 * np.log(9) + 0.3))))
    values = [calibrated(p, 0.7, -0.2) for p in (0.0, 1e-12, 0.2, 0.7, 1 - 1e-12, 1.0)]
    assert values == sorted(values) and values[0] > 0 and values[-1] < 1


def test_scores_are_calibrated_where_the_config_says_so(write_model):
    text = "john in berlin, acme of the eu"
    raw = Tagger(str(write_model()), backend="numpy")(text).entities
    slope, shift = 0.6, -0.3
    scored = Tagger(str(write_model(calibration=CalibrationConfig(slope, shift))), backend="numpy")(text).entities
    assert raw and [each.score for each in scored] == [calibrated(each.score, slope, shift) for each in raw]
