"""Some seconds of what `make soak` does for an hour."""

import pytest
import soak

from nerlite.document import Document


def test_a_short_life_of_threads_and_processes(tiny_model):
    life = soak.Soak(tiny_model, threads=3, seed=1)
    grown = life.run(6)
    assert life.wrong == []
    assert life.done["documents"] > 30
    assert life.done["spawned"] >= 1
    assert grown < 30e6  # caches and allocators still fill


def test_memory_does_not_grow_with_the_number_of_different_words(tiny_model):
    tagger = soak.nerlite.load(tiny_model, threads=1)
    assert soak.growth_of_distinct_words(tagger, 60_000) < 10e6


def test_a_wrong_answer_is_seen(tiny_model, monkeypatch):
    life = soak.Soak(tiny_model, threads=1, seed=1)
    text = next(iter(life.expected))
    monkeypatch.setattr(life.tagger, "pipe", lambda texts: [Document(text, [], []) for _ in texts])
    life.expected = {text: [(0, 1, "PER", 0.5)]}
    life.run(20)
    assert any("another answer" in each or "a forked process ended with 2" in each for each in life.wrong)


@pytest.mark.parametrize("n", [0, 1, 5000])
def test_different_words_are_different(n):
    words = [word for batch in soak.distinct_words(n) for word in batch]
    assert len(words) == len(set(words)) == n
