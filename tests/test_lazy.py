"""Attributes that are computed once."""

import threading

from nerlite.lazy import Lazy


def test_an_attribute_is_computed_once_and_kept_by_its_object():
    class Counted:
        calls = 0

        @Lazy
        def value(self):
            """What it is."""
            self.calls += 1
            return [self.calls]

    first, second = Counted(), Counted()
    assert first.value is first.value
    assert (first.calls, second.calls) == (1, 0)
    assert second.value == [1]
    assert Counted.value.__doc__ == "What it is."


def test_no_object_waits_for_another():
    """As a forked process would for ever, if another thread was about to compute when it was forked."""
    computing, may_end = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, waits):
            self.waits = waits

        @Lazy
        def value(self):
            if self.waits:
                computing.set()
                may_end.wait(20)
            return self.waits

    slow = Slow(True)
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    assert computing.wait(20)
    found = []
    other = threading.Thread(target=lambda: found.append(Slow(False).value))
    other.start()
    other.join(5)
    assert found == [False]
    may_end.set()
    thread.join()
    other.join()
