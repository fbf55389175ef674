"""Parse the Java serialization streams in a saved model's fields. Nothing is instantiated: the result is plain data.

There is a parser for Python, javaobj-py3, but it cannot read strings with the syllables U+D000 to U+D7A3, which
Korean and multilingual vocabularies hold.

Source: Java Object Serialization Specification, chapter 6, "Object Serialization Stream Protocol".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .errors import ConversionError

MAX_DEPTH = 60  # Spark NLP's deepest records, those of the tokenizer's rules, have about 20
MAX_ANCESTORS = 8

_MAGIC = b"\xac\xed\0\5"
_NULL, _REFERENCE, _CLASS_DESCRIPTION, _OBJECT, _STRING, _ARRAY, _CLASS, _BLOCK, _END = range(0x70, 0x79)
_FIRST_HANDLE = 0x7E0000
_HAS_WRITE_METHOD, _SERIALIZABLE = 1, 2
_PRIMITIVES = {"B": "b", "C": "H", "D": "d", "F": "f", "I": "i", "J": "q", "S": "h", "Z": "?"}
_BOXES = {f"java.lang.{name}" for name in
          ("Boolean", "Byte", "Character", "Double", "Float", "Integer", "Long", "Short")}
_SCALA_LIST = "scala.collection.immutable.List$SerializationProxy"
_SCALA_LIST_END = "scala.collection.immutable.ListSerializeEnd$"


@dataclass(eq=False)
class JavaObject:
    """An object by its class's name: its fields, and what its class's own writeObject added."""

    class_name: str
    fields: dict[str, Any] = field(default_factory=dict)
    extras: list[Any] = field(default_factory=list)


class _ClassDescription(NamedTuple):
    name: str
    flags: int
    fields: list[tuple[str, str]]  # type code, name
    ancestors: list[_ClassDescription]  # the root first


class _MalformedError(Exception):
    """What is wrong, without the file's name."""


def parse(data: bytes, name: str) -> Any:
    """Return the one object of a stream; name is for messages.

    Strings, numbers, null and arrays become str, int, float, bool, None and list; so do boxed numbers and Scala's
    immutable lists; a char is a str of one UTF-16 unit; anything else is a `JavaObject`.
    """
    if not data.startswith(_MAGIC):
        raise ConversionError(f"{name}: expected a Java serialization stream, got {data[:4]!r}")
    parser = _Parser(data)
    try:
        value = parser.content(0)
        if parser.position != len(data):
            raise _MalformedError("expected its end")
    except (_MalformedError, struct.error, IndexError, UnicodeDecodeError) as error:
        what = error if isinstance(error, _MalformedError) else "ends too early, or holds bytes that are no text"
        raise ConversionError(f"{name}: Java stream, byte {min(parser.position, len(data))}: {what}") from None
    return value


def text(data: bytes) -> str:
    """Decode Java's modified UTF-8: U+0000 in two bytes, and each half of a surrogate pair in three."""
    halves = data.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


class _Parser:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = len(_MAGIC)
        self.handles: list[Any] = []

    def content(self, depth: int) -> Any:
        """Read one item of the grammar's `content`."""
        self.check_depth(depth)
        code = self.number("B")
        if code == _NULL:
            return None
        if code == _REFERENCE:
            return self.reference()
        if code == _STRING:
            string = text(self.bytes(self.number("H")))
            self.handles.append(string)
            return string
        if code == _BLOCK:
            return self.bytes(self.number("B"))
        if code == _OBJECT:
            return self.object(depth)
        if code == _ARRAY:
            return self.array(depth)
        if code == _CLASS:
            value = JavaObject("java.lang.Class", {"name": self.class_description(depth).name})
            self.handles.append(value)
            return value
        raise _MalformedError(f"records of type 0x{code:02x} are not expected here")

    def object(self, depth: int) -> Any:
        description = self.class_description(depth)
        value = JavaObject(description.name)
        handle = len(self.handles)
        self.handles.append(value)
        for part in (*description.ancestors, description):
            if not part.flags & _SERIALIZABLE:
                raise _MalformedError(f"{part.name} is not in the serializable form")
            for code, name in part.fields:
                value.fields[name] = self.value(code, depth)
            if part.flags & _HAS_WRITE_METHOD:
                value.extras += self.until_end(depth)
        self.handles[handle] = plain = _plain(value)
        return plain

    def array(self, depth: int) -> list[Any]:
        name = self.class_description(depth).name
        code = name[1:2]
        value: list[Any] = []
        self.handles.append(value)
        size = self.number("i")
        if name[:1] != "[" or not 0 <= size <= len(self.data) - self.position:
            raise _MalformedError(f"an array of class {name!r} and length {size}")
        if code in _PRIMITIVES and code != "C":
            layout = struct.Struct(f">{size}{_PRIMITIVES[code]}")
            value += layout.unpack(self.bytes(layout.size))
        else:
            value += [self.value(code, depth) for _ in range(size)]
        return value

    def class_description(self, depth: int) -> _ClassDescription:
        self.check_depth(depth)
        code = self.number("B")
        if code == _REFERENCE:
            known = self.reference()
            if not isinstance(known, _ClassDescription):
                raise _MalformedError("expected a reference to a class")
            return known
        if code != _CLASS_DESCRIPTION:
            raise _MalformedError(f"expected a class, got a record of type 0x{code:02x}")
        name = text(self.bytes(self.number("H")))
        self.number("q")  # serialVersionUID
        handle = len(self.handles)
        self.handles.append(None)
        flags = self.number("B")
        fields = []
        for _ in range(self.number("H")):
            kind = chr(self.number("B"))
            fields.append((kind, text(self.bytes(self.number("H")))))
            if kind in "L[":
                self.content(depth + 1)  # the name of the field's class
            elif kind not in _PRIMITIVES:
                raise _MalformedError(f"a field of type {kind!r}")
        self.until_end(depth)
        ancestors: list[_ClassDescription] = []
        if self.data[self.position] == _NULL:
            self.position += 1
        else:
            parent = self.class_description(depth + 1)
            ancestors = [*parent.ancestors, parent]
        if len(ancestors) > MAX_ANCESTORS:
            raise _MalformedError(f"{name!r} has more than {MAX_ANCESTORS} superclasses")
        self.handles[handle] = description = _ClassDescription(name, flags, fields, ancestors)
        return description

    def until_end(self, depth: int) -> list[Any]:
        """Read what a writeObject method (or a class loader) added."""
        added = []
        while self.data[self.position] != _END:
            added.append(self.content(depth + 1))
        self.position += 1
        return added

    def value(self, code: str, depth: int) -> Any:
        if code in ("L", "["):
            return self.content(depth + 1)
        if code not in _PRIMITIVES:
            raise _MalformedError(f"a value of type {code!r}")
        value = self.number(_PRIMITIVES[code])
        return chr(value) if code == "C" else value

    def check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _MalformedError(f"nested deeper than {MAX_DEPTH} levels")

    def reference(self) -> Any:
        handle = self.number("i") - _FIRST_HANDLE
        if not 0 <= handle < len(self.handles):
            raise _MalformedError(f"a reference to record {handle}, which is not there")
        return self.handles[handle]

    def number(self, layout: str) -> Any:
        (value,) = struct.unpack_from(">" + layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return value

    def bytes(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            raise _MalformedError("ends too early")
        return self.data[start:self.position]


def _plain(value: JavaObject) -> Any:
    """Return the number in a box, the elements of a Scala list, or the object as it is."""
    if value.class_name in _BOXES:
        return value.fields.get("value")
    if value.class_name == _SCALA_LIST:
        if not value.extras or getattr(value.extras[-1], "class_name", None) != _SCALA_LIST_END:
            raise _MalformedError("a Scala list without its end")
        return value.extras[:-1]
    return value
