"""Documents with other names in the place of their own, so that what stands around a name says what it is."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nerlite.tags import Span
from nerlite.training.data import Sentence, Tags

# An acronym's capitals are its own; those of longer names are a heading's, which another name there would have too.
LONGEST_ACRONYM = 4

Name = tuple[str, ...]


def renamed(documents: Iterable[Sequence[Sentence]], names: Mapping[str, Sequence[list[str]]], tags: Tags,
            shares: Mapping[str, float], rng: random.Random) -> Iterator[list[Sentence]]:
    """Yield documents where some names are replaced by others of their label: each by one, wherever it stands.

    names: of each label; shares: label → how many of its names are replaced.
    """
    for document in documents:
        spans = [(sentence, span) for sentence in document for span in sentence.spans]
        different = dict.fromkeys((span.label, tuple(sentence.words[span.start:span.stop])) for sentence, span in spans)
        others = {(label, old): _in_case_of(old, rng.choice(names[label])) for label, old in different
                  if rng.random() < shares.get(label, 0)}
        yield [_with_names(sentence, others, tags) for sentence in document] if others else list(document)


def _in_case_of(old: Sequence[str], new: list[str]) -> list[str]:
    is_heading = len("".join(old)) > LONGEST_ACRONYM and all(word.isupper() for word in old)
    return [word.upper() for word in new] if is_heading else new


def _with_names(sentence: Sentence, others: Mapping[tuple[str, Name], list[str]], tags: Tags) -> Sentence:
    new = Sentence([], [], [])
    done = 0
    for span in sentence.spans:
        old = sentence.words[span.start:span.stop]
        name = others.get((span.label, tuple(old)), old)
        new.words.extend([*sentence.words[done:span.start], *name])
        new.allowed.extend([*sentence.allowed[done:span.start], *tags.of_name(len(name), span.label)])
        new.spans.append(Span(len(new.words) - len(name), len(new.words), span.label))
        done = span.stop
    new.words.extend(sentence.words[done:])
    new.allowed.extend(sentence.allowed[done:])
    return new
