"""A document's words agree with each other, by the formula, in any company."""

import math

import numpy as np
import pytest

from nerlite.agreement import SMOOTHING, Agreement, Labels
from nerlite.pipeline import Tagger
from nerlite.tags import split_tag, tag_names

TAGS = tag_names(["LOC", "PER"], "BIOES")


def test_the_formula_word_by_word():
    rng = np.random.default_rng(0)
    forms = ["Biden", "met", "Biden", "of", "of", "Ada", "...", "...", "Biden"]
    emissions = rng.standard_normal((len(forms), len(TAGS)), np.float32) * 3
    emissions[0, 1] = 9  # a name there at least
    agreed = Agreement(Labels(TAGS))(emissions, forms)
    rows = [0, 2, 8]
    assert np.array_equal(np.delete(agreed, rows, 0), np.delete(emissions, rows, 0))

    def share(row, label):
        exps = [math.exp(score) for score in emissions[row].tolist()]
        return sum(value for value, tag in zip(exps, TAGS, strict=True) if split_tag(tag)[1] == label) / sum(exps)

    for row in rows:
        for column, tag in enumerate(TAGS):
            label, move = split_tag(tag)[1], 0.0
            if label:
                mean = sum(share(other, label) for other in rows) / len(rows)
                move = math.log((mean + SMOOTHING) / (share(row, label) + SMOOTHING))
            assert agreed[row, column] == pytest.approx(emissions[row, column] + move, abs=1e-4)


def test_words_that_agree_already_stay():
    emissions = np.tile(np.random.default_rng(1).standard_normal((1, len(TAGS)), np.float32), (3, 1))
    assert np.allclose(Agreement(Labels(TAGS))(emissions, ["Ada"] * 3), emissions, atol=1e-6)
    assert Agreement(Labels(TAGS))(emissions, ["Ada", "Bob", "Eve"]) is emissions


def test_words_that_are_no_name_anywhere_are_left_alone():
    emissions = np.random.default_rng(2).standard_normal((4, len(TAGS)), np.float32)
    emissions[:, TAGS.index("O")] = 4
    assert Agreement(Labels(TAGS))(emissions, ["said", "that", "said", "that"]) is emissions


def test_it_can_be_switched_off_and_needs_a_model_that_has_it(write_model):
    text = " ".join(["john in berlin, acme of the eu.", "the acme john went", "berlin"] * 3)
    plain, agreeing = write_model(), write_model(agreement=True)

    def found(path, **options):
        return [(each.label, each.start, each.end, each.score)
                for each in Tagger(str(path), backend="numpy", **options)(text).entities]

    assert found(plain) == found(plain, agreement=False) == found(agreeing, agreement=False) != found(agreeing)


def test_company_makes_no_difference(write_model):
    ner = Tagger(str(write_model(agreement=True)), backend="numpy", threads=2)
    texts = ["john in berlin, acme of the eu. acme john", "eu acme john berlin acme", "berlin"] * 30
    alone = [ner(text).entities for text in texts[:3]]
    assert [document.entities for document in ner.pipe(texts, batch_size=90)] == alone * 30
