"""What tagging gives back, as people, other programs and web frameworks see it."""

import copy
import dataclasses
import json
import pickle
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nerlite.document import Document, Entity
from nerlite.text import split_words

TEXT = "José \U0001f600 met Bo\u0301 & Co in \U0001d4d5aris"


@pytest.fixture
def document() -> Document:
    names = [("José", "PER", 0.75), ("Bo\u0301 & Co", "ORG", 0.123456), ("\U0001d4d5aris", "LOC", 1.0)]
    return document_of(TEXT, names)


def document_of(text, names):
    entities = [Entity(name, label, text.index(name), text.index(name) + len(name), score)
                for name, label, score in names]
    return Document(text, split_words(text).bounds, entities)


def test_an_entity_is_a_value(document):
    entity = document.entities[0]
    assert entity == Entity("José", "PER", 0, 4, 0.75) == dataclasses.replace(entity)
    assert len({entity, copy.copy(entity), dataclasses.replace(entity, label="LOC")}) == 2
    assert pickle.loads(pickle.dumps(document.entities)) == copy.deepcopy(document.entities) == document.entities
    with pytest.raises(dataclasses.FrozenInstanceError):
        entity.label = "LOC"
    match entity:
        case Entity(text, "PER", start, end):
            assert (text, start, end) == ("José", 0, 4)
        case _:
            pytest.fail("an entity matches by its fields, in their order")


def test_documents_are_equal_where_all_is(document):
    again = document_of(TEXT, [(entity.text, entity.label, entity.score) for entity in document.entities])
    assert {document: 1}[again] == 1
    assert document != document.only(document.entities[:1])
    assert document != Document(TEXT, array("I"), document.entities)
    assert document != Document(TEXT, document.bounds, document.entities, truncated_at=3)
    assert document != TEXT
    assert pickle.loads(pickle.dumps(document)) == document == copy.copy(document)


def test_repr_is_for_reading(document):
    assert repr(document.entities[1]) == "Entity(text='Bo\u0301 & Co', label='ORG', start=11, end=19, score=0.1235)"
    assert repr(document) == (f"Document({TEXT!r}, 28 characters: PER 'José', ORG 'Bo\u0301 & Co', "
                              "LOC '\U0001d4d5aris')")
    assert repr(Document("", array("I"), [])) == "Document('', 0 characters: no entities)"
    names = ["Ann\x1b[31m"] * 1_000
    text = "\n".join(names)
    long = Document(text, array("I"), [Entity(name, "PER", 9 * i, 9 * i + 8, 1.0) for i, name in enumerate(names)])
    assert repr(long).isprintable()
    assert len(repr(long)) < 300
    assert repr(long).endswith("PER 'Ann\\x1b[31m', … 992 more)")


def test_what_serializers_see_is_to_dict(document):
    words = document.words
    assert document.to_dict() == dataclasses.asdict(document) == {
        "text": TEXT, "truncated_at": None, "entities": [
            {"text": "José", "label": "PER", "start": 0, "end": 4, "score": 0.75},
            {"text": "Bo\u0301 & Co", "label": "ORG", "start": 11, "end": 19, "score": 0.123456},
            {"text": "\U0001d4d5aris", "label": "LOC", "start": 23, "end": 28, "score": 1.0}]}
    assert words == document.words
    assert json.loads(json.dumps(document.entities, default=Entity.to_dict)) == document.to_dict()["entities"]


@given(st.text(st.characters()))
def test_json_reads_back(text):
    document = Document(text, array("I"), [Entity(text, "X", 0, len(text), 0.5)], truncated_at=len(text))
    line = document.to_json()
    assert json.loads(line.encode("utf-8")) == document.to_dict()
    assert len(line.splitlines()) <= 1 or any(mark in text for mark in "\x85\u2028\u2029")


@given(st.lists(st.tuples(st.text(max_size=3), st.text(min_size=1, max_size=3))), st.text(max_size=3))
def test_offsets_in_other_units_find_the_same_text(parts, rest):
    text, entities = "", []
    for before, name in parts:
        text += before
        entities.append(Entity(name, "X", len(text), len(text) + len(name), 0.5))
        text += name
    document = Document(text + rest, array("I"), entities, truncated_at=len(text))
    for unit, codec, width in (("utf16", "utf-16-le", 2), ("utf8", "utf-8", 1)):
        data = document.text.encode(codec, "surrogatepass")
        found = document.entities_in(unit)
        assert [data[width * each.start:width * each.end].decode(codec, "surrogatepass") for each in found] == [
            name for _, name in parts]
        assert [(each.text, each.label, each.score) for each in found] == [
            (each.text, each.label, each.score) for each in entities]
        answer = document.to_dict(unit)
        assert answer["entities"] == [each.to_dict() for each in found]
        assert data[:width * answer["truncated_at"]].decode(codec, "surrogatepass") == text
    assert document.entities_in("codepoint") == entities


def test_an_unknown_unit_is_refused(document):
    for text in (document, Document("ascii", array("I"), [])):
        with pytest.raises(ValueError, match=r"unit: expected 'codepoint', 'utf16' or 'utf8', got 'utf-16'"):
            text.to_json("utf-16")


def test_displacy_gets_its_dictionary(document):
    drawn = document.to_displacy()
    assert drawn["text"] == TEXT
    assert [(TEXT[ent["start"]:ent["end"]], ent["label"]) for ent in drawn["ents"]] == [
        (entity.text, entity.label) for entity in document.entities]
