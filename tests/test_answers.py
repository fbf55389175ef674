"""Kernels prove themselves when they are loaded; those that do not are not used."""

import numpy as np
import pytest

from nerlite import backends
from nerlite.backends import load_ops
from nerlite.ops import answers, numpy_ops


def test_the_reference_answers_what_is_expected_and_so_does_each_backend(ops):
    for each in (numpy_ops, ops):
        assert answers.answers(each) == pytest.approx(answers.EXPECTED, abs=1e-4)
        assert answers.wrong(each) == []


class Wrong:
    """The operations, of which one gives a number that is not quite right, or none."""

    def __init__(self, ops, name, change):
        self.ops, self.name, self.change = ops, name, change

    def __getattr__(self, name):
        if name != self.name:
            return getattr(self.ops, name)
        if name == "viterbi":
            return lambda *arguments: self.change(self.ops.viterbi(*arguments))
        return lambda *arguments: lambda *more: self.change(getattr(self.ops, name)(*arguments)(*more))


def one_off(answer):
    answer[-1] += 1
    return answer


@pytest.mark.parametrize(("name", "part"), [("EncoderLayers", "encoder"), ("Head", "head"), ("viterbi", "viterbi")])
@pytest.mark.parametrize("change", [one_off, lambda answer: answer * np.float32("nan"), np.zeros_like])
def test_a_wrong_number_is_found(name, part, change):
    assert answers.wrong(Wrong(numpy_ops, name, change)) == [part]


def test_kernels_that_compute_otherwise_are_not_used(monkeypatch):
    if load_ops("auto").name != "native":
        pytest.skip("no library fits this machine")
    monkeypatch.setattr(backends, "wrong", lambda ops: ["encoder", "head"])
    with pytest.raises(ImportError, match=r"computes otherwise than it should on this CPU: encoder, head$"):
        load_ops("native")
    with pytest.warns(RuntimeWarning, match="no kernels are ready for this CPU: .* computes otherwise"):
        assert load_ops("auto").name in ("numba", "numpy")
