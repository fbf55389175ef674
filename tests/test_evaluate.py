import random

import pytest

from nerlite.evaluate import Score, evaluate
from nerlite.tags import from_spans, to_spans

LABELS = ("LOC", "ORG", "PER")


def test_report_is_conllevals_to_the_letter():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "I-ORG", "O"], ["O", "B-MISC", "O"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["B-ORG", "B-ORG", "O"], ["O", "O", "B-LOC"]]
    # 10 words, 6 right tags; gold: PER LOC ORG MISC; found: PER ORG ORG ORG LOC; right: PER
    assert str(evaluate(gold, predicted)) == (
        "processed 10 tokens with 4 phrases; found: 5 phrases; correct: 1.\n"
        "accuracy:  60.00%; precision:  20.00%; recall:  25.00%; FB1:  22.22\n"
        "              LOC: precision:   0.00%; recall:   0.00%; FB1:   0.00  1\n"
        "             MISC: precision:   0.00%; recall:   0.00%; FB1:   0.00  0\n"
        "              ORG: precision:   0.00%; recall:   0.00%; FB1:   0.00  3\n"
        "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1")


def test_report_gives_its_numbers():
    report = evaluate([["I-PER", "O", "I-LOC"]], [["I-PER", "I-LOC", "O"]])
    assert report.overall == Score(n_phrases=2, n_found=2, n_correct=1)
    assert report.labels == {"LOC": Score(1, 1, 0), "PER": Score(1, 1, 1)}
    assert (report.n_words, report.n_correct_tags) == (3, 1)
    assert report.accuracy == pytest.approx(100 / 3)
    assert (report.overall.precision, report.overall.recall, report.overall.fb1) == (50, 50, 50)


def test_nothing_to_score():
    assert str(evaluate([], [])) == "processed 0 tokens with 0 phrases; found: 0 phrases; correct: 0."
    report = evaluate([["O", "O"]], [["O", "O"]])
    assert (report.overall.precision, report.overall.recall, report.overall.fb1) == (0, 0, 0)
    assert str(report).endswith("\naccuracy: 100.00%; precision:   0.00%; recall:   0.00%; FB1:   0.00")


def test_phrases_do_not_cross_sentences():
    assert evaluate([["I-PER"], ["I-PER"]], [["I-PER"], ["O"]]).overall == Score(2, 1, 1)


@pytest.mark.parametrize(("gold", "predicted", "message"), [
    ([["O"], ["O", "O"]], [["O"], ["O"]], r"sentence 2: .*\(2\), got 1"),
    ([["O"]], [["O"], ["O"]], r"sentence 2: .*\(0\), got 1"),
    ([["O"], ["O"]], [["O"]], r"sentence 2: .*\(1\), got 0"),
])
def test_unequal_lengths_are_refused(gold, predicted, message):
    with pytest.raises(ValueError, match=message):
        evaluate(gold, predicted)


def conlleval(gold, predicted):
    """conlleval's loop and its rules for B, I and O, word by word: a sentence's end is a word tagged O."""

    def parts(tag):
        prefix, _, label = tag.partition("-")
        return prefix, label

    def ends(previous, current):
        (prefix, label), (next_prefix, next_label) = parts(previous), parts(current)
        return (prefix != "O" and next_prefix in ("B", "O")) or (prefix != "O" and label != next_label)

    def starts(previous, current):
        (prefix, label), (next_prefix, next_label) = parts(previous), parts(current)
        if next_prefix == "B" or (prefix, next_prefix) == ("O", "I"):
            return True
        return next_prefix != "O" and label != next_label

    pairs = [pair for rows in zip(gold, predicted, strict=True) for pair in [*zip(*rows, strict=True), ("O", "O")]]
    counts = {label: [0, 0, 0] for label in LABELS}
    last_gold, last_predicted, in_correct = "O", "O", False
    for gold_tag, predicted_tag in pairs:
        if in_correct:
            gold_ends, predicted_ends = ends(last_gold, gold_tag), ends(last_predicted, predicted_tag)
            if gold_ends and predicted_ends:
                counts[parts(last_gold)[1]][2] += 1
            in_correct = not gold_ends and not predicted_ends and parts(gold_tag)[1] == parts(predicted_tag)[1]
        gold_starts, predicted_starts = starts(last_gold, gold_tag), starts(last_predicted, predicted_tag)
        if gold_starts:
            counts[parts(gold_tag)[1]][0] += 1
        if predicted_starts:
            counts[parts(predicted_tag)[1]][1] += 1
        if gold_starts and predicted_starts and parts(gold_tag)[1] == parts(predicted_tag)[1]:
            in_correct = True
        last_gold, last_predicted = gold_tag, predicted_tag
    return {label: Score(*numbers) for label, numbers in counts.items() if numbers[0] or numbers[1]}


def random_sentences(rng, n_sentences):
    """Any B, I and O in any order, well-formed or not; the second version changes a few tags of the first."""
    tags = ["O", "O", *(f"{prefix}-{label}" for prefix in "BI" for label in LABELS[:rng.randint(1, 3)])]
    gold = [[rng.choice(tags) for _ in range(rng.randint(1, 8))] for _ in range(n_sentences)]
    return gold, [[tag if rng.random() < 0.7 else rng.choice(tags) for tag in row] for row in gold]


@pytest.mark.parametrize("seed", range(20))
def test_counts_are_conllevals_for_any_sequence_of_b_i_o(seed):
    gold, predicted = random_sentences(random.Random(seed), 60)
    report = evaluate(gold, predicted)
    assert report.labels == conlleval(gold, predicted)
    assert report.overall.n_correct == sum(score.n_correct for score in report.labels.values()) > 0


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES"])
def test_counts_do_not_depend_on_the_scheme(scheme):
    gold, predicted = random_sentences(random.Random(99), 300)
    rewritten = [[from_spans(to_spans(row), len(row), scheme) for row in rows] for rows in (gold, predicted)]
    assert evaluate(*rewritten).labels == conlleval(gold, predicted)
