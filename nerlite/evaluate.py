"""Scores of predicted IOB tags, exactly as the CoNLL shared tasks' conlleval script computes and prints them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from nerlite.tags import Span, to_spans


@dataclass(frozen=True)
class Score:
    """How many phrases (spans) there are, how many were found, and how many of those are right in extent and label."""

    n_phrases: int
    n_found: int
    n_correct: int

    @property
    def precision(self) -> float:
        """Percent of the found phrases that are right; 0 if none was found."""
        return 100 * self.n_correct / self.n_found if self.n_found else 0.0

    @property
    def recall(self) -> float:
        """Percent of the phrases that were found; 0 if there are none."""
        return 100 * self.n_correct / self.n_phrases if self.n_phrases else 0.0

    @property
    def fb1(self) -> float:
        """Harmonic mean of precision and recall, in percent; 0 if both are."""
        precision, recall = self.precision, self.recall
        return 2 * precision * recall / (precision + recall) if self.n_correct else 0.0

    def __str__(self) -> str:
        return f"precision: {self.precision:6.2f}%; recall: {self.recall:6.2f}%; FB1: {self.fb1:6.2f}"


@dataclass(frozen=True)
class Report:
    """Scores over all labels together and of each; str() gives conlleval's report, without its last line feed.

    n_correct_tags: the words whose predicted tag is the gold one to the letter.
    labels: sorted by label; those of the gold tags and those of the predicted ones.
    """

    n_words: int
    n_correct_tags: int
    overall: Score
    labels: Mapping[str, Score]

    @property
    def accuracy(self) -> float:
        """Percent of the words with the right tag; 0 if there are none."""
        return 100 * self.n_correct_tags / self.n_words if self.n_words else 0.0

    def __str__(self) -> str:
        overall = self.overall
        lines = [f"processed {self.n_words} tokens with {overall.n_phrases} phrases; "
                 f"found: {overall.n_found} phrases; correct: {overall.n_correct}."]
        if self.n_words:
            lines.append(f"accuracy: {self.accuracy:6.2f}%; {overall}")
        lines += [f"{label:>17}: {score}  {score.n_found}" for label, score in self.labels.items()]
        return "\n".join(lines)


def evaluate(gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> Report:
    """Compare predicted with gold tags, sentence by sentence; no phrase crosses a sentence's end.

    gold, predicted: one sequence of tags a sentence, as long in both, in the same or in different schemes (accuracy
    compares tags as they stand). ValueError names the sentence, counted from 1, where they differ in length.
    Source: conlleval of CoNLL-2000, version of 2004-01-26 (E. Tjong Kim Sang), whose numbers these are for IOB1 and
    IOB2. The script misreads BIOES where phrases touch; here they count as they would when rewritten in IOB2.
    """
    n_words = n_correct_tags = 0
    phrases, found, correct = Counter[str](), Counter[str](), Counter[str]()
    for number, (gold_tags, predicted_tags) in enumerate(zip_longest(gold, predicted, fillvalue=()), 1):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(f"sentence {number}: expected as many predicted as gold tags ({len(gold_tags)}), "
                             f"got {len(predicted_tags)}")
        gold_spans, predicted_spans = to_spans(gold_tags), to_spans(predicted_tags)
        n_words += len(gold_tags)
        n_correct_tags += sum(map(str.__eq__, gold_tags, predicted_tags))
        phrases += _by_label(gold_spans)
        found += _by_label(predicted_spans)
        correct += _by_label(set(gold_spans) & set(predicted_spans))
    labels = {label: Score(phrases[label], found[label], correct[label]) for label in sorted(phrases | found)}
    return Report(n_words, n_correct_tags, Score(phrases.total(), found.total(), correct.total()), labels)


def _by_label(spans: Iterable[Span]) -> Counter[str]:
    return Counter(span.label for span in spans)
