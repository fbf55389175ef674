"""Small texts after public reports about taggers, each a kind of fault, by the shipped model: all are right."""

import json

import pytest

import nerlite


@pytest.fixture(scope="module")
def ner():
    return nerlite.load()


def test_reported_texts_come_out_as_a_person_marks_them(data, ner):
    lines = (data / "cases/texts.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = {}
    for case in map(json.loads, lines):
        found = [[entity.text, entity.label] for entity in ner(case["text"]).entities]
        if found != case["entities"]:
            wrong[case["text"]] = found
    assert not wrong
