"""How right the entities are: FB1 by conlleval's rules and calibration, on CoNLL-2003 and on open sets.

    python benchmarks/accuracy.py [--model DIR …] [--spacy MODEL …] [--test]
    python benchmarks/accuracy.py --details [--model DIR] [--test]

Reads the sets from `NERLITE_DATA`, prints a Markdown table. A row says which words a model was given: those of the
set, by sentence or by document, or text that they were joined to (`natural_text.py`). Without `--test` the test part is
left out: models are chosen without it. `--details` prints other tables of one model: by label, by length, and how often
scores are right.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import nerlite
from nerlite.document import Document
from nerlite.evaluate import Report, evaluate
from nerlite.io.conll import Sentence, read_tagged, texts_of
from nerlite.tags import Span, from_spans, to_spans

DATA = Path(os.environ.get("NERLITE_DATA", Path(__file__).parents[2] / "shared" / "data"))
N_BINS = 10
ALL_LABELS, THREE_LABELS = ("LOC", "MISC", "ORG", "PER"), ("LOC", "ORG", "PER")

Documents = list[list[Sentence]]


class Part(NamedTuple):
    """A labelled set and how it is given to a tagger: labels that count, each word changed, by document or not."""

    name: str
    path: str
    labels: tuple[str, ...] = ALL_LABELS
    change: Callable[[str], str] = str
    by_document: bool = False
    handles: bool = False


def capitalised(word: str) -> str:
    """Return a word with a capital first."""
    return word[:1].upper() + word[1:]


def parts(*, test: bool) -> Iterator[Part]:
    """Yield the rows of the table."""
    for name in ("valid", *(["test"] if test else [])):
        path = f"conll2003/{name}.txt"
        yield Part(f"CoNLL {name}, by document", path, by_document=True)
        yield Part(f"CoNLL {name}, by sentence", path)
        for title, change in (("without capitals", str.lower), ("ALL CAPITALS", str.upper),
                              ("Every Word Capitalised", capitalised)):
            yield Part(f"CoNLL {name}, {title}", path, change=change)
    yield Part("UNER-EWT dev", "open/ewt.dev.conll", THREE_LABELS)
    yield Part("UNER-EWT dev, by document", "open/ewt.dev.conll", THREE_LABELS, by_document=True)
    yield Part("UNER-EWT dev, without capitals", "open/ewt.dev.conll", THREE_LABELS, change=str.lower)
    yield Part("Broad Twitter dev, without @handles", "open/btc.dev.conll", THREE_LABELS, handles=True)
    yield Part("Tweebank dev", "open/tweebank.dev.conll")


def read(part: Part) -> Documents:
    """Read a set; with handles "@" and the word after it are one word, which is no name."""
    with (DATA / part.path).open("rb") as file:
        documents = [list(document) for document in read_tagged(texts_of(file, part.path), part.path)]
    if part.handles:
        documents = [[without_handles(sentence) for sentence in document] for document in documents]
    return [[Sentence([part.change(word) for word in sentence.words],
                      from_spans((span for span in to_spans(sentence.tags) if span.label in part.labels),
                                 len(sentence.words), "IOB2")) for sentence in document] for document in documents]


def without_handles(sentence: Sentence) -> Sentence:
    """Make "@" and the word after it one word; drop the names that it was in."""
    owners: list[int] = []
    words: list[str] = []
    for i, word in enumerate(sentence.words):
        if i and sentence.words[i - 1] == "@" and words[-1] == "@":
            words[-1] += word
        else:
            words.append(word)
        owners.append(len(words) - 1)
    spans = [Span(owners[span.start], owners[span.stop - 1] + 1, span.label) for span in to_spans(sentence.tags)]
    kept = [span for i, span in enumerate(spans)
            if not any(word.startswith("@") for word in words[span.start:span.stop])
            and (not i or spans[i - 1].stop <= span.start)]
    return Sentence(words, from_spans(kept, len(words), "IOB2"))


# Texts, each its sentences' words → of each the spans of words that were found, with scores.
Tagging = Callable[[Sequence[Sequence[Sequence[str]]]], list[list[tuple[Span, float]]]]


def spans_of(document: Document) -> list[tuple[Span, float]]:
    """Return a document's entities as spans of words, with their scores."""
    starts = {start: i for i, (start, _) in enumerate(document.offsets)}
    ends = {end: i + 1 for i, (_, end) in enumerate(document.offsets)}
    return [(Span(starts[entity.start], ends[entity.end], entity.label), entity.score) for entity in document.entities]


def by_nerlite(ner: nerlite.Tagger) -> Tagging:
    """Return the shipped tagger's way to tag a document's sentences."""
    return lambda texts: [spans_of(document) for document in ner.documents_of(texts)]


class Tagged(NamedTuple):
    """A sentence, and the spans that were found in it, with scores."""

    sentence: Sentence
    found: list[tuple[Span, float]]


def tagged(part: Part, tagger: Tagging) -> list[Tagged]:
    """Tag a part's sentences."""
    documents = read(part)
    sentences = [sentence for document in documents for sentence in document]
    if part.by_document:
        whole = tagger([[sentence.words for sentence in document] for document in documents])
        found = [each for document, spans in zip(documents, whole, strict=True)
                 for each in by_sentence(document, spans)]
    else:
        found = tagger([[sentence.words] for sentence in sentences])
    return [Tagged(sentence, [(span, score) for span, score in spans if span.label in part.labels])
            for sentence, spans in zip(sentences, found, strict=True)]


def evaluation(sentences: Iterable[Tagged]) -> Report:
    """Compare what was found with what was annotated."""
    sentences = list(sentences)
    return evaluate([each.sentence.tags for each in sentences],
                    [from_spans((span for span, _ in each.found), len(each.sentence.words), "IOB2")
                     for each in sentences])


def scored(sentences: Iterable[Tagged]) -> list[tuple[float, bool]]:
    """Return the score of each span that was found, and whether it is right."""
    return [(score, span in to_spans(each.sentence.tags)) for each in sentences for span, score in each.found]


def measure(part: Part, tagger: Tagging) -> tuple[float, float]:
    """Return FB1 in percent, and the expected calibration error of the entities found."""
    sentences = tagged(part, tagger)
    return evaluation(sentences).overall.fb1, calibration_error(scored(sentences))


def by_sentence(document: Sequence[Sentence], spans: Iterable[tuple[Span, float]]) -> list[list[tuple[Span, float]]]:
    """Hand a document's spans out to its sentences; one that crosses an end is cut there, as conlleval reads it."""
    starts = np.cumsum([0] + [len(sentence.words) for sentence in document]).tolist()
    result: list[list[tuple[Span, float]]] = [[] for _ in document]
    for span, score in spans:
        for i, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
            if span.start < stop and span.stop > start:
                cut = Span(max(span.start, start) - start, min(span.stop, stop) - start, span.label)
                result[i].append((cut, score))
    return result


def calibration_error(right: Sequence[tuple[float, bool]]) -> float:
    """Return the mean distance of scores from the share that is right, over bins of scores, weighted by their size.

    Source: Guo et al. 2017.
    """
    if not right:
        return 0.0
    scores, correct = (np.array(column, float) for column in zip(*right, strict=True))
    bins = np.minimum((scores * N_BINS).astype(int), N_BINS - 1)
    return float(sum(abs(scores[bins == i].sum() - correct[bins == i].sum()) for i in range(N_BINS)) / len(scores))


LENGTHS = ((1, 5), (6, 15), (16, 30), (31, 1000))


def details(tagger: Tagging, *, test: bool) -> Iterator[str]:
    """Yield the lines of tables about one model: by label, by length, and how often scores are right."""
    news = f"CoNLL {'test' if test else 'valid'}, by document"
    wanted = (news, news.replace("document", "sentence"), "UNER-EWT dev", "Tweebank dev")
    sets = {part.name: tagged(part, tagger) for part in parts(test=test) if part.name in wanted}
    yield "| FB1 | all | " + " | ".join(ALL_LABELS) + " |"
    yield "|---" * (2 + len(ALL_LABELS)) + "|"
    for name, sentences in sets.items():
        result = evaluation(sentences)
        by_label = (f"{result.labels[label].fb1:.1f}" if label in result.labels else "" for label in ALL_LABELS)
        yield f"| {name} | {result.overall.fb1:.1f} | " + " | ".join(by_label) + " |"
    yield ""
    yield "| words of the sentence | " + " | ".join(sets) + " |"
    yield "|---" * (1 + len(sets)) + "|"
    for low, high in LENGTHS:
        of_length = [[each for each in sentences if low <= len(each.sentence.words) <= high]
                     for sentences in sets.values()]
        title = f"{low} to {high}" if high < LENGTHS[-1][1] else f"{low} and more"
        yield f"| {title} | " + " | ".join(f"{evaluation(each).overall.fb1:.1f}" for each in of_length) + " |"
    for name in (news, "UNER-EWT dev"):
        yield from ["", *reliability(name, scored(sets[name]))]


def reliability(name: str, right: Sequence[tuple[float, bool]]) -> Iterator[str]:
    """Yield a plot of how many names of a score are right: # up to that share, | where the scores themselves are."""
    width = 50
    yield f"    {name}: score, names, share that is right"
    for i in range(N_BINS):
        own = [(score, is_right) for score, is_right in right if min(int(score * N_BINS), N_BINS - 1) == i]
        if own:
            score, share = (sum(column) / len(own) for column in zip(*own, strict=True))
            bar = list(("#" * round(share * width)).ljust(width))
            bar[min(round(score * width), width - 1)] = "|"
            yield f"    {i / N_BINS:.1f} {len(own):5} {share:5.2f} {''.join(bar).rstrip()}"


# OntoNotes' labels, spaCy's, in CoNLL-2003's.
ONTONOTES = {"PERSON": "PER", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC", "ORG": "ORG", "NORP": "MISC", "EVENT": "MISC",
             "WORK_OF_ART": "MISC", "LANGUAGE": "MISC", "LAW": "MISC", "PRODUCT": "MISC"}
TRIMMED = {"the", "a", "an", "'s", "’s", "'"}


def by_spacy(name: str) -> Tagging:
    """Return a spaCy pipeline's way: the same words, labels folded, articles and possessives trimmed off."""
    import spacy
    from spacy.tokens import Doc

    pipeline = spacy.load(name)

    def spans(words: Sequence[str]) -> list[tuple[Span, float]]:
        found = []
        for entity in pipeline(Doc(pipeline.vocab, list(words))).ents:
            start, stop = entity.start, entity.end
            while start < stop and words[start].lower() in TRIMMED:
                start += 1
            while start < stop and words[stop - 1].lower() in TRIMMED:
                stop -= 1
            if start < stop and entity.label_ in ONTONOTES:
                found.append((Span(start, stop, ONTONOTES[entity.label_]), 1.0))
        return found

    return lambda texts: [spans([word for sentence in text for word in sentence]) for text in texts]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", action="append", help="a model directory or name (default: the shipped one)")
    parser.add_argument("--spacy", action="append", default=[], help="an installed spaCy pipeline")
    parser.add_argument("--test", action="store_true", help="with CoNLL-2003's test part")
    parser.add_argument("--details", action="store_true", help="by label and by length, and how often scores are right")
    options = parser.parse_args()
    if options.details:
        print(*details(by_nerlite(nerlite.load((options.model or [None])[0])), test=options.test), sep="\n")
        return
    taggers = {str(name or nerlite.load().config.name): by_nerlite(nerlite.load(name))
               for name in options.model or [None]}
    taggers |= {name: by_spacy(name) for name in options.spacy}
    print("| FB1 (calibration error) | " + " | ".join(taggers) + " |")
    print("|---|" + "---|" * len(taggers))
    for part in parts(test=options.test):
        cells = []
        for name, tagger in taggers.items():
            fb1, error = measure(part, tagger)
            cells.append(f"{fb1:.2f}" if name in options.spacy else f"{fb1:.2f} ({error:.3f})")
        print(f"| {part.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
