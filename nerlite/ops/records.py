"""What kernels work on: records of named arrays, numbers and other records, each declared once.

A record's class says what its fields are; all else comes from that: how much memory they take (`allocate`), the
check of what is given, the 64-bit words by which machine code finds it, what a kernel sees (`nerlite.kernels.read`).

    class Rows(Record):
        numbers = array(np.uint8, "n", "d")
        scales = array(np.float32, "n")

A kernel takes one record, whose fields may be others. In memory it has a word for each field: a whole number, a
float64, the address of a NumPy array object, of another record's words, or of a list of such behind their number. A
record that is kept has the address of an array's numbers instead, and behind it a word for each length: that takes
longer to make, and fewer of the cache's lines to read.
"""

from __future__ import annotations

import itertools
import math
import struct
from array import array as memory_of
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

# Bytes: of a line of the caches, and of what Linux maps at once where it can.
ALIGNMENT, HUGE_PAGE = 64, 2 << 20
_WORD, _DOUBLE = struct.Struct("q"), struct.Struct("d")


class Array(NamedTuple):
    """A field that is a C-contiguous array; its lengths are names, which stand for one length each, or numbers."""

    dtype: np.dtype[Any]
    shape: tuple[str | int, ...]


class Number(NamedTuple):
    """A field that is a number: int, or float, which is a float64."""

    kind: type


class Part(NamedTuple):
    """A field that is another record."""

    record: type[Record]


class Parts(NamedTuple):
    """A field that is a list of other records."""

    record: type[Record]


def array(dtype: Any, *shape: str | int) -> Any:
    """Declare an array."""
    return Array(np.dtype(dtype), shape)


def number(kind: type) -> Any:
    """Declare a number."""
    return Number(kind)


def part(record: type[Record]) -> Any:
    """Declare another record."""
    return Part(record)


def parts(record: type[Record]) -> Any:
    """Declare a list of other records."""
    return Parts(record)


class Record:
    """Named arrays, numbers and other records, and the words by which a kernel finds them."""

    fields: ClassVar[dict[str, Array | Number | Part | Parts]] = {}
    kept: ClassVar[bool] = False  # whether it lives for many calls
    address: int  # of its words

    def __init_subclass__(cls, *, kept: bool = False) -> None:
        """Take the fields out of the class's declarations."""
        cls.fields = {name: field for name, field in vars(cls).items()
                      if isinstance(field, (Array, Number, Part, Parts))}
        cls.kept = kept
        if not kept:
            cls.__init__ = _initializer(cls.fields)  # type: ignore[method-assign]

    def __init__(self, **values: Any) -> None:
        """Take every field's value; TypeError for one that is absent, unknown or not as declared."""
        if wrong := values.keys() ^ self.fields.keys():
            raise TypeError(f"{type(self).__name__}: missing or unknown: {', '.join(sorted(wrong))}")
        words: list[int] = []
        lengths: dict[str, int] = {}
        for name, field in self.fields.items():
            setattr(self, name, value := values[name])
            if isinstance(field, Array):
                shape = [lengths.setdefault(length, n) if isinstance(length, str) else length
                         for length, n in zip(field.shape, value.shape, strict=False)]
                fits = (value.dtype, [*value.shape], value.ndim) == (field.dtype, shape, len(field.shape))
                if not fits or not value.flags.c_contiguous:
                    raise self.refusal(values)
                words += value.ctypes.data, *value.shape
            elif isinstance(field, Number):
                words.append(int(value) if field.kind is int else _bits_of(value))
            else:
                several = [value] if isinstance(field, Part) else value
                if {type(each) for each in several} - {field.record}:
                    raise self.refusal(values)
                words.append(value.address if isinstance(field, Part) else self._address_of(name, value))
        self._words = memory_of("q", words)
        self.address = self._words.buffer_info()[0]

    def _address_of(self, name: str, several: list[Record]) -> int:
        """Return where a field's list is from now on: its number, and the addresses of the records in it."""
        addresses = memory_of("q", [len(several), *(each.address for each in several)])
        setattr(self, f"_{name}", addresses)
        return addresses.buffer_info()[0]

    @classmethod
    def place(cls, name: str) -> int:
        """Return which word is a field's, or its first."""
        before = itertools.takewhile(lambda each: each != name, cls.fields)
        fields = [cls.fields[each] for each in before]
        return sum(1 + len(field.shape) if cls.kept and isinstance(field, Array) else 1 for field in fields)

    def refusal(self, values: dict[str, Any]) -> TypeError:
        """Return the error that says what each field is declared as, and what came."""
        seen = {name: f"{values[name].dtype} {values[name].shape}, strides {values[name].strides}"
                if isinstance(values[name], np.ndarray) else type(values[name]).__name__ for name in self.fields}
        return TypeError("\n".join([f"{type(self).__name__}:", *(
            f"{name}: expected {_declared(field)}, got {seen[name]}" for name, field in self.fields.items())]))

    def with_(self, **values: Any) -> Self:
        """Return a record with some other values."""
        return type(self)(**{name: getattr(self, name) for name in self.fields} | values)

    @classmethod
    def allocate(cls, **lengths: Any) -> Self:
        """Return a record whose arrays have these lengths, not yet filled.

        lengths: of each name in the declarations; of a part by its field's name, if it has others; of a list of parts
        a list of those. A number's value goes by its name.
        """
        return cls.allocate_each([lengths])[0]

    @classmethod
    def allocate_each(cls, each: Sequence[dict[str, Any]]) -> list[Self]:
        """Return several records, as `allocate`, whose arrays lie in one stretch of memory."""
        arrays = iter(side_by_side([kind for lengths in each for kind in cls._kinds(lengths)]))
        return [cls._filled(lengths, arrays) for lengths in each]

    @classmethod
    def _kinds(cls, lengths: dict[str, Any]) -> Iterator[tuple[tuple[int, ...], Any]]:
        for name, field in cls.fields.items():
            if isinstance(field, Array):
                yield tuple(lengths[each] if isinstance(each, str) else each for each in field.shape), field.dtype
            elif isinstance(field, Part):
                yield from field.record._kinds(lengths.get(name, lengths))
            elif isinstance(field, Parts):
                for each in lengths[name]:
                    yield from field.record._kinds(each)

    @classmethod
    def _filled(cls, lengths: dict[str, Any], arrays: Iterator[np.ndarray]) -> Self:
        values: dict[str, Any] = {}
        for name, field in cls.fields.items():
            if isinstance(field, Array):
                values[name] = next(arrays)
            elif isinstance(field, Part):
                values[name] = field.record._filled(lengths.get(name, lengths), arrays)
            elif isinstance(field, Parts):
                values[name] = [field.record._filled(each, arrays) for each in lengths[name]]
            else:
                values[name] = lengths[name]
        return cls(**values)

    @classmethod
    def empty(cls) -> Self:
        """Return a record of nothing: all its lengths and numbers are 0."""
        values: dict[str, Any] = {}
        for name, field in cls.fields.items():
            if isinstance(field, Array):
                values[name] = np.empty([0 if isinstance(each, str) else each for each in field.shape], field.dtype)
            elif isinstance(field, Part):
                values[name] = field.record.empty()
            else:
                values[name] = [] if isinstance(field, Parts) else 0
        return cls(**values)


def side_by_side(kinds: Sequence[tuple[tuple[int, ...], Any]]) -> list[np.ndarray]:
    """Return arrays of these shapes and types, not yet filled, in one stretch of memory, each on a line of its own.

    No vector of theirs then lies across two lines, and each takes one access. For a stretch so large that NumPy asks
    Linux for huge pages it begins with one: a pass over all weights then takes few entries of the CPU's table of
    pages, and leaves those of other code there.
    """
    sizes = [-(-math.prod(shape) * np.dtype(kind).itemsize // ALIGNMENT) * ALIGNMENT for shape, kind in kinds]
    boundary = HUGE_PAGE if sum(sizes) >= 2 * HUGE_PAGE else ALIGNMENT
    memory = np.empty(sum(sizes) + boundary, np.uint8)
    stops = np.cumsum(sizes) + -memory.ctypes.data % boundary
    return [memory[stop - size:][:math.prod(shape) * np.dtype(kind).itemsize].view(kind).reshape(shape)
            for stop, size, (shape, kind) in zip(stops.tolist(), sizes, kinds, strict=True)]


def _declared(field: Array | Number | Part | Parts) -> str:
    if isinstance(field, Array):
        return f"{field.dtype} ({', '.join(map(str, field.shape))})"
    return field.kind.__name__ if isinstance(field, Number) else field.record.__name__


def _bits_of(value: float) -> int:
    """Return a float64 as the whole number of the same bits."""
    bits: int = _WORD.unpack(_DOUBLE.pack(value))[0]
    return bits


def _initializer(fields: dict[str, Array | Number | Part | Parts]) -> Any:
    """Return the `__init__` of a record that lives for a call, which does what `Record`'s own does in half the time.

    Its code is made here, as `dataclasses` makes theirs.
    """
    scope: dict[str, Any] = {"memory_of": memory_of, "bits_of": _bits_of}
    checks, words, first = ["True"], [], dict[str, str]()
    for name, field in fields.items():
        scope[f"{name}_"] = field[0]
        if isinstance(field, Array):
            checks += [f"{name}.dtype == {name}_", f"{name}.ndim == {len(field.shape)}", f"{name}.flags.c_contiguous"]
            for axis, length in enumerate(field.shape):
                place = f"{name}.shape[{axis}]"
                other = first.setdefault(length, place) if isinstance(length, str) else str(length)
                checks += [f"{place} == {other}"] if place != other else []
            words.append(f"id({name})")
        elif isinstance(field, Number):
            words.append(f"int({name})" if field.kind is int else f"bits_of({name})")
        elif isinstance(field, Part):
            checks.append(f"type({name}) is {name}_")
            words.append(f"{name}.address")
        else:
            checks.append(f"not {{type(each) for each in {name}}} - {{{name}_}}")
            words.append(f"self._address_of({name!r}, {name})")
    exec("\n    ".join([
        f"def __init__(self, *, {', '.join(fields)}):",
        f"if not ({' and '.join(checks)}):", "    raise self.refusal(locals())",
        *(f"self.{name} = {name}" for name in fields),
        f"self._words = memory_of('q', [{', '.join(words)}])", "self.address = self._words.buffer_info()[0]",
    ]), scope)
    return scope["__init__"]
