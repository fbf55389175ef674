"""Threads that work together, and what is remembered between texts."""

import gc
import os
import threading
import time
import weakref
from functools import partial
from queue import SimpleQueue

import pytest

import nerlite
from nerlite import memo, threads
from nerlite.memo import Memo
from nerlite.ops.encoder_scratch import Scratch
from nerlite.threads import Workers


@pytest.mark.parametrize("n", [1, 2, 4])
def test_map_keeps_order_and_raises_what_the_first_failing_call_raised(n):
    workers = Workers(n)
    assert workers.map(lambda x: x * x, range(100)) == [x * x for x in range(100)]
    assert workers.map(str, []) == []

    def fail(x):
        if x % 10 == 7:
            raise ValueError(x)
        return x

    with pytest.raises(ValueError, match=r"^7$"):
        workers.map(fail, range(50))
    assert workers.map(str, [1]) == ["1"]


def test_work_is_shared_and_those_who_need_help_do_not_wait_for_it():
    workers, both = Workers(2), threading.Barrier(2, timeout=10)
    workers.help(both.wait, both.wait)  # neither passes without the other
    late = threading.Event()
    start = time.perf_counter()
    workers.help(lambda: None, lambda: late.wait(10))
    assert time.perf_counter() - start < 5
    late.set()


def test_calls_that_a_busy_helper_comes_too_late_for_keep_little_memory():
    workers, begun, end = Workers(2), threading.Event(), threading.Event()
    workers.help(lambda: begun.wait(10), lambda: (begun.set(), end.wait(10)))
    kept = []
    for _ in range(100):
        memory = {1, 2, 3}
        kept.append(weakref.ref(memory))
        workers.help(lambda: None, partial(len, memory))
    del memory
    assert sum(each() is not None for each in kept) <= 2 * threads.MOST_WAITING
    end.set()
    assert workers.map(str, range(5)) == list("01234")


def test_calls_that_a_busy_helper_comes_too_late_for_share_their_memory(tiny_model, monkeypatch, backend):
    if backend == "numpy":
        pytest.skip("threads of this backend do not help each other")
    tagger, begun, end = nerlite.load(tiny_model, backend=backend, threads=2), threading.Event(), threading.Event()
    rooms = {}
    tagger._workers.help(lambda: begun.wait(10), lambda: (begun.set(), end.wait(10)))
    room_for = Scratch.room_for

    def note(self, n, mine):
        room = room_for(self, n, mine)
        rooms[id(room)] = room
        return room

    monkeypatch.setattr(Scratch, "room_for", note)
    tagger("EU rejects German call . " * 200)
    of_first = set(rooms)
    for n in (100, 200, 3, 150):
        tagger("EU rejects German call . " * n)
    assert set(rooms) == of_first and len(rooms) <= 2  # it may have grown once
    end.set()


def test_threads_end_with_their_workers():
    before = set(threading.enumerate())
    workers = Workers(3)
    workers.map(str, range(10))
    own = set(threading.enumerate()) - before
    assert len(own) == 2
    del workers
    for thread in own:
        thread.join(10)
        assert not thread.is_alive()


class Panic(BaseException):
    """What a tokenizer raises where it gives up."""


@pytest.mark.parametrize("error", [Panic, KeyError, MemoryError])
def test_what_a_helper_raises_reaches_the_caller_and_others_go_on(error):
    workers, caller = Workers(3), threading.get_ident()

    def fail(i):
        both.wait()
        if threading.get_ident() != caller:
            raise error(i)

    for _ in range(3):
        both = threading.Barrier(3, timeout=10)
        with pytest.raises(error):
            workers.map(fail, range(3))
    assert workers.map(str, range(10)) == [str(i) for i in range(10)]


def test_after_an_interrupt_no_other_call_begins():
    workers, caller, begun = Workers(2), threading.get_ident(), []

    def work(i):
        begun.append(i)
        both.wait()
        if threading.get_ident() == caller:
            raise KeyboardInterrupt
        time.sleep(0.05)

    both = threading.Barrier(2, timeout=10)
    with pytest.raises(KeyboardInterrupt):
        workers.map(work, range(100))
    time.sleep(0.1)
    assert len(begun) == 2


def test_threads_that_could_not_start_are_started_later(monkeypatch):
    workers = Workers(3)

    class Refused(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threads, "Thread", Refused)
        for _ in range(3):
            assert workers.map(str, range(10)) == [str(i) for i in range(10)]
        assert workers._crews[os.getpid()].tasks.empty()
    together = threading.Barrier(3, timeout=10)
    workers.help(together.wait, together.wait, together.wait)
    assert [thread.is_alive() for thread in workers._crews[os.getpid()].threads] == [True, True]


def test_callers_that_come_at_once_share_one_set_of_threads(monkeypatch):
    workers, meeting, started = Workers(3), threading.Barrier(2, timeout=10), []

    def queue():  # both callers have found none when they make one
        meeting.wait()
        return SimpleQueue()

    def thread(**options):
        started.append(threading.Thread(**options))
        return started[-1]

    monkeypatch.setattr(threads, "SimpleQueue", queue)
    monkeypatch.setattr(threads, "Thread", thread)
    other = threading.Thread(target=workers.help, args=(int, int))
    other.start()
    workers.help(int, int)
    other.join()
    assert len(started) == 2


@pytest.fixture
def busy_tagger(tiny_model, backend):
    """A tagger whose second thread helps with short texts, and the times at which it left each of them."""
    if backend == "numpy":
        pytest.skip("threads of this backend do not help each other")
    tagger, left = nerlite.load(tiny_model, backend=backend, threads=2), []
    help_with = tagger._workers.help

    def help_and_note(mine, other):
        help_with(mine, lambda: (other(), left.append(time.perf_counter())))

    tagger._workers.help = help_and_note
    for _ in range(20):
        tagger("EU rejects German call.")
    while tagger._workers._crews[os.getpid()].tasks.qsize():
        time.sleep(0.001)
    return tagger, left


def test_who_helped_stays_awake_a_while_where_texts_come_soon_and_no_longer(busy_tagger):
    tagger, left = busy_tagger
    stayed = []
    for pause in [0] * 20 + [0.01] * 20:
        time.sleep(0.01)
        left.clear()
        for _ in range(5):
            time.sleep(pause)
            tagger("EU rejects German call.")
        returned = time.perf_counter()
        while len(left) < 5:
            time.sleep(0.001)
        stayed.append(left[-1] - returned)
    assert max(stayed[:20]) > 0.0005 > min(stayed[20:])


def test_who_helps_too_late_goes_on_to_the_next_text(busy_tagger):
    tagger, _ = busy_tagger
    help_with, late, waiting = tagger._workers.help, threading.Event(), []
    tagger._workers.help = lambda mine, other: help_with(mine, lambda: (late.wait(10), other()))
    for _ in range(5):
        tagger("EU rejects German call.")  # without help
    tagger._workers.help, tasks = help_with, tagger._workers._crews[os.getpid()].tasks
    assert tasks.qsize() >= 4
    late.set()
    for _ in range(1000):
        tagger("EU rejects German call.")
        waiting.append(tasks.qsize())
    assert min(waiting) <= 1


def test_threads_keep_nothing_of_the_work_they_did():
    class Owner:
        def __init__(self):
            self.workers, self.both = Workers(2), threading.Barrier(2, timeout=10)

        def work(self, _):
            self.both.wait()

    owner = Owner()
    own = weakref.ref(owner)
    owner.workers.map(owner.work, range(2))
    del owner
    deadline = time.monotonic() + 10
    while own() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert own() is None


def test_a_memo_computes_each_key_once_and_keeps_a_limited_number(monkeypatch):
    monkeypatch.setattr(memo, "LIMIT", 3)
    asked = []

    def compute(keys):
        asked.extend(keys)
        return [key.upper() for key in keys]

    remembered = Memo(compute, str)
    assert remembered(["a", "b", "a"]) == ["A", "B", "A"]
    assert remembered(["b", "c"]) == ["B", "C"]
    assert asked == ["a", "b", "c"]
    assert remembered(["d", "a"]) == ["D", "A"]  # forgets the others
    assert remembered(["b", "d"]) == ["B", "D"]
    assert asked == ["a", "b", "c", "d", "b"]
    long = "x" * (memo.LONGEST + 1)
    assert remembered([long]) == remembered([long]) == [long.upper()]
    assert asked[-2:] == [long, long]
    assert remembered([]) == []
