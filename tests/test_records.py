"""Records, by which kernels get what they work on: checked, allocated and read as they are declared."""

import numpy as np
import pytest

from nerlite.ops.arguments import KERNELS
from nerlite.ops.records import Array, Part, Parts, Record, array, number, part, parts, side_by_side


class Inner(Record, kept=True):
    numbers = array("float32", "n", "d")
    scale = array("float32", "n")


class Outer(Record):
    ids = array("int64", "n")
    pairs = array("int64", "m", 2)
    inner = part(Inner)
    several = parts(Inner)
    count = number(int)
    factor = number(float)


def outer(**changed):
    inner = Inner.allocate(n=3, d=4)
    right = {"ids": np.arange(5), "pairs": np.zeros((2, 2), np.int64), "inner": inner, "several": [inner] * 2,
             "count": 7, "factor": 0.5}
    return Outer(**right | changed)


def all_records(record):
    """A record's class and those of its parts."""
    yield record
    for field in record.fields.values():
        if isinstance(field, (Part, Parts)):
            yield from all_records(field.record)


@pytest.mark.parametrize("changed", [
    {"ids": np.arange(5, dtype=np.int32)}, {"ids": np.zeros((5, 1), np.int64)}, {"ids": np.arange(10)[::2]},
    {"pairs": np.zeros((2, 3), np.int64)}, {"pairs": np.zeros((2, 2), np.int64).T[:, ::1].T[::-1]},
    {"inner": Inner.empty().numbers}, {"several": [Inner.empty(), None]}])
def test_a_record_takes_nothing_else_than_is_declared(changed):
    outer()
    with pytest.raises((TypeError, AttributeError)) as error:
        outer(**changed)
    if error.type is TypeError:
        assert all(f"{name}: expected " in str(error.value) for name in Outer.fields)
    with pytest.raises(TypeError, match="other"):
        outer(other=1)
    with pytest.raises(TypeError, match="missing"):
        Inner(numbers=np.zeros((3, 4), np.float32))
    with pytest.raises(TypeError, match="Inner"):  # one name is one length
        Inner(numbers=np.zeros((3, 4), np.float32), scale=np.zeros(4, np.float32))


def test_memory_of_several_records_is_one_stretch_each_array_on_a_line_of_its_own():
    records = Inner.allocate_each([{"n": n, "d": 5} for n in (1, 7, 0)])
    arrays = [array for each in records for array in (each.numbers, each.scale)]
    assert [array.shape for array in arrays] == [(1, 5), (1,), (7, 5), (7,), (0, 5), (0,)]
    assert all(array.ctypes.data % 64 == 0 for array in arrays if array.size)
    for i, each in enumerate(arrays):
        each[:] = i
    assert all((each == i).all() for i, each in enumerate(arrays))
    large, = side_by_side([((5 << 20,), np.uint8)])
    assert large.ctypes.data % (2 << 20) == 0


@pytest.mark.parametrize("name", KERNELS)
def test_every_record_can_be_empty_and_allocated(name):
    for record in {*all_records(KERNELS[name])}:
        assert isinstance(record.empty(), record)
        for place, (field, kind) in enumerate(record.fields.items()):
            assert record.place(field) == place if not record.kept else record.place(field) >= place
            assert not isinstance(kind, Array) or kind.dtype.kind in "fiub"


def test_kernels_see_what_records_hold():
    jit = pytest.importorskip("nerlite.kernels.jit", reason="numba is not installed")
    from nerlite.kernels.read import reader

    read = reader(Outer)

    @jit.kernel()
    def inner_sum(inner):
        total = 0.0
        for i in range(inner.numbers.shape[0]):
            for j in range(inner.numbers.shape[1]):
                total += inner.numbers[i, j] * inner.scale[i]
        return total

    @jit.entry
    def sums(address):
        record = read(address)
        record.pairs[1, 1] = record.count
        return inner_sum(record.inner) * record.factor + inner_sum(record.several[1]) + len(record.several) + (
            record.ids[2])

    two = Inner.allocate_each([{"n": 3, "d": 4}, {"n": 2, "d": 1}])
    for i, each in enumerate(two):
        each.numbers[:], each.scale[:] = i + 1, 2
    record = outer(inner=two[0], several=two)
    assert sums(record.address) == 24 * 0.5 + 8 + 2 + 2
    assert record.pairs[1, 1] == 7
