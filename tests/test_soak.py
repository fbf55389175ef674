"""Some seconds of what `make soak` does for an hour."""

import ctypes
import random

import one_answer
import pytest
import soak

from nerlite.document import Document


def test_real_sentences_get_one_answer_in_every_way(tiny_model):
    texts = one_answer.real_sentences(30)
    done, wrong = one_answer.compare(texts, one_answer.ways(tiny_model))
    assert wrong == []
    assert done.pop("numpy") >= 1
    assert set(done.values()) == {len(texts)}
    assert {"batches by 1", "batches by 2", "batches by 5"} < set(done)


@pytest.mark.parametrize("change", [lambda said: [], lambda said: [(*each[:3], each[3] - 2e-4) for each in said],
                                    lambda said: [(*each[:2], "X", each[3]) for each in said]])
def test_another_answer_is_seen(change):
    said = {"a": [(0, 1, "PER", 0.5)], "b": []}
    ways = [one_answer.Way("right", lambda texts, rng: [said[text] for text in texts]),
            one_answer.Way("other", lambda texts, rng: [change(said[text]) for text in texts], one_answer.TOLERANCE)]
    _, wrong = one_answer.compare(["a", "b"], ways)
    assert len(wrong) == 1
    assert wrong[0].startswith("other: another answer to 'a': ")


def test_scores_are_compared_to_the_bit_where_nothing_else_is_said():
    assert one_answer.agree([(0, 1, "PER", 0.5)], [(0, 1, "PER", 0.5)], 0)
    assert not one_answer.agree([(0, 1, "PER", 0.5)], [(0, 1, "PER", 0.5 + 1e-9)], 0)


def test_batches_come_back_in_the_order_of_their_texts(tiny_model):
    texts = soak.some_texts(random.Random(0), 40)
    tagger = soak.nerlite.load(tiny_model, threads=1)
    assert one_answer._in_batches(tagger)(texts, random.Random(1)) == [soak.answer(tagger(text)) for text in texts]


def test_a_short_life_of_threads_and_processes(tiny_model):
    life = soak.Soak(tiny_model, threads=3, seed=1)
    grown = life.run(6)
    assert life.wrong == []
    assert life.done["documents"] > 30
    assert life.done["spawned"] >= 1
    assert grown < 30e6  # caches and allocators still fill


def test_memory_that_is_kept_is_seen(tiny_model, monkeypatch):
    if not soak.resident():
        pytest.skip("this system does not say how much memory there is")
    life, kept = soak.Soak(tiny_model, threads=1, seed=1), []
    tag = life.tagger.tag
    monkeypatch.setattr(life.tagger, "tag", lambda words: (kept.append(bytes(range(256)) * 4000), tag(words)))
    monkeypatch.setattr(life, "_spawn", lambda: None)
    assert life.run(5) > 5e6
    assert life.wrong == []


def test_memory_that_the_allocator_keeps_for_later_is_not_counted():
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        pytest.skip("an allocator that is not asked to give back")
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    before = soak.resident()
    parts = [libc.malloc(100_000) for _ in range(500)]
    for part in parts:
        ctypes.memset(part, 1, 100_000)
    assert soak.resident() - before > 40e6
    for part in parts[:-1]:  # the last is behind them all, so that they are not given back at once
        libc.free(part)
    assert soak.resident() - before < 5e6
    libc.free(parts[-1])


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
