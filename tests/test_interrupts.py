"""What a call that fails, or is interrupted, leaves to the next: nothing; whatever line or allocation it ended at."""

import gc
import itertools
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest

from nerlite import memo, threads
from nerlite.batch import Input, make_batch
from nerlite.config import read_config
from nerlite.memo import Memo
from nerlite.network.model import Network
from nerlite.ops import encoder, encoder_scratch, head, kept
from nerlite.ops.parameters import (
    Embeddings,
    EncoderParameters,
    HeadParameters,
    LayerParameters,
    LinearParameters,
    Norm,
)
from nerlite.threads import Workers
from nerlite.weights import read_tensors

# What remembers from call to call: other modules only work for them.
REMEMBERING = [module.__file__ for module in (encoder, encoder_scratch, head, kept, memo, threads)]
ALLOCATORS = ("empty", "zeros", "arange", "concatenate", "array", "pad")


class Interrupted(BaseException):
    """What a signal's handler may raise."""


def raise_at_line(n):
    """Raise at the n-th line of what remembers that this thread comes to; return what ends that."""
    lines = itertools.count(1)

    def trace(frame, event, argument):
        if frame.f_code.co_filename not in REMEMBERING:
            return None
        if event == "line" and next(lines) == n:
            raise Interrupted
        return trace

    sys.settrace(trace)
    return lambda: sys.settrace(None)


def raise_at_allocation(n):
    """Let NumPy's n-th allocation fail; return what ends that."""
    patch, calls = pytest.MonkeyPatch(), itertools.count(1)

    def failing(allocate):
        def call(*arguments, **options):
            if next(calls) == n:
                raise MemoryError
            return allocate(*arguments, **options)

        return call

    for name in ALLOCATORS:
        patch.setattr(np, name, failing(getattr(np, name)))
    return patch.undo


def failures(begin, prepare, call):
    """Yield prepare()'s result after call(of it) failed: at its first line or allocation, its second, and so on.

    How many there are differs from call to call: helpers that come late on a busy machine find nothing to do.
    """
    n_failed = n_whole = 0
    for n in itertools.count(1):
        prepared = prepare()
        end = begin(n)
        try:
            call(prepared)
        except (Interrupted, MemoryError):
            end()
            n_failed, n_whole = n_failed + 1, 0
            yield prepared
        else:
            n_whole += 1
        finally:
            end()
        if n_whole == 5:
            break
    assert n_failed >= 5


def batch_of(lengths, words=("EU", "rejects", "German", "call")):
    """Sequences of so many pieces, each of them a word."""
    return make_batch([Input(range(1, n + 1), range(n), [words[i % 4] for i in range(n)]) for n in lengths])


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("begin", [raise_at_line, raise_at_allocation])
def test_after_any_failure_the_next_call_is_right(tiny_model, ops, begin, n_threads):
    if ops.name == "numpy":
        pytest.skip("this backend remembers nothing of its own")
    config = read_config(tiny_model / "config.json")
    tensors = read_tensors(config, tiny_model / "model.safetensors")
    short, long = batch_of([5]), batch_of([7, 36, 30], ("John", "of", "Acme", "in"))

    def begun():
        """A network that knows short sequences: its room, and its threads', is too small for the long ones."""
        network, workers = Network(ops, tensors, config), Workers(n_threads)
        network.emissions(short, workers)
        return partial(network.emissions, workers=workers)

    expected = [(batch, begun()(batch)) for batch in (long, short)]
    for emissions in failures(begin, begun, lambda emissions: emissions(long)):
        for batch, right in expected:
            np.testing.assert_array_equal(emissions(batch), right)


def test_who_helps_with_a_call_that_was_interrupted_disturbs_no_other(ops):
    if ops.name == "numpy":
        pytest.skip("threads of this backend do not help each other")
    rng = np.random.default_rng(0)

    def floats(*shape):
        return rng.standard_normal(shape, np.float32)

    def linear(d_in, d_out):
        return LinearParameters(floats(d_in, d_out), floats(d_out))

    norm = Norm(floats(32), floats(32))
    layer = LayerParameters(linear(32, 96), linear(32, 32), norm, linear(32, 64), linear(64, 32), norm)
    tables = Embeddings(floats(9, 32), np.ones(9, np.float32), floats(9, 32), np.ones(9, np.float32), floats(2, 32))
    encoder = ops.EncoderLayers(EncoderParameters(tables, norm, [layer] * 2, 2, 4, 1e-5))
    head = ops.Head(HeadParameters(False, linear(32, 32), [], False, linear(32, 5)))
    late, words = [], np.arange(5)

    def call(ids, workers, *head):
        return encoder(np.full(5, ids), words, np.array([0, 5]), words, np.array([0, 5]), workers, *head)

    class Leaving(Workers):
        """A caller that is interrupted once others were asked for help."""

        def help(self, mine, *others):
            late.extend(others)
            raise Interrupted

    class Meeting(Workers):
        """A caller that those come to who were asked for help with the call before."""

        def help(self, mine, *others):
            while late:
                late.pop()()
            mine()
            assert others

    for and_head in ((), (head, np.empty((5, 0), np.float32))):
        expected = call(1, None, *and_head)
        np.testing.assert_array_equal(call(1, Workers(2), *and_head), expected)
        with pytest.raises(Interrupted):
            call(2, Leaving(2), *and_head)
        assert late
        np.testing.assert_array_equal(call(1, Meeting(2), *and_head), expected)


def test_after_any_failure_a_memo_is_right():
    words = ["a", "b", "c", "a"]

    def remembered():
        upper = Memo(lambda keys: [key.upper() for key in keys], str)
        upper(["b"])
        return upper

    for upper in failures(raise_at_line, remembered, lambda upper: upper(words)):
        assert upper(words) == ["A", "B", "C", "A"]


def test_after_any_failure_workers_are_right():
    before = set(threading.enumerate())

    def used(workers):
        return workers.map(str, range(20))

    for workers in failures(raise_at_line, lambda: Workers(3), used):
        assert used(workers) == [str(i) for i in range(20)]
        both = threading.Barrier(3, timeout=10)
        workers.help(both.wait, both.wait, both.wait)  # none passes without the others
    del workers
    gc.collect()
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before
