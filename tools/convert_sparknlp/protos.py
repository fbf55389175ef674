"""The protocol buffer messages of TensorFlow's graphs and checkpoints, as far as they are read here.

Google's protobuf parses them by the descriptors below: fields that are left out are skipped, and nodes and functions
are declared as bytes, so that each is parsed alone when it is asked for (a map is on the wire a list of entries).

Source: graph.proto, node_def.proto, function.proto, op_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto
and tensor_bundle.proto in tensorflow/core.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from .errors import ConversionError

# Message → fields as (name, number, type); "*" marks a repeated one.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "GraphDef": (("node", 1, "bytes*"), ("library", 2, "FunctionDefLibrary")),
    "FunctionDefLibrary": (("function", 1, "bytes*"),),
    "FunctionDef": (("signature", 1, "OpDef"), ("node_def", 3, "bytes*")),
    "OpDef": (("name", 1, "string"), ("input_arg", 2, "ArgDef*")),
    "ArgDef": (("name", 1, "string"),),
    "NodeDef": (("name", 1, "string"), ("op", 2, "string"), ("input", 3, "string*"), ("attr", 5, "AttrEntry*")),
    "AttrEntry": (("key", 1, "string"), ("value", 2, "AttrValue")),
    "AttrValue": (("list", 1, "ListValue"), ("s", 2, "bytes"), ("f", 4, "float"), ("b", 5, "bool"),
                  ("tensor", 8, "TensorProto"), ("func", 10, "NameAttrList")),
    "ListValue": (("i", 3, "int64*"),),
    "NameAttrList": (("name", 1, "string"),),
    "TensorProto": (("dtype", 1, "int32"), ("tensor_shape", 2, "TensorShapeProto"), ("tensor_content", 4, "bytes"),
                    ("float_val", 5, "float*"), ("int_val", 7, "int32*"), ("string_val", 8, "bytes*")),
    "TensorShapeProto": (("dim", 2, "Dim*"), ("unknown_rank", 3, "bool")),
    "Dim": (("size", 1, "int64"),),
    "BundleHeaderProto": (("num_shards", 1, "int32"), ("endianness", 2, "int32")),
    "BundleEntryProto": (("dtype", 1, "int32"), ("shape", 2, "TensorShapeProto"), ("shard_id", 3, "int32"),
                         ("offset", 4, "int64"), ("size", 5, "int64"), ("crc32c", 6, "fixed32"),
                         ("slices", 7, "bytes*")),
}
_PACKAGE = "nerlite.sparknlp"
DT_FLOAT, DT_INT32, DT_STRING = 1, 3, 7  # of types.proto


def _message_classes() -> dict[str, Any]:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="convert_sparknlp.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind in fields:
            kind, label = kind.removesuffix("*"), kinds.LABEL_REPEATED if kind[-1] == "*" else kinds.LABEL_OPTIONAL
            added = described.field.add(name=name, number=number, label=label)
            if kind in _MESSAGES:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                added.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {message: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{message}"))
            for message in _MESSAGES}


_CLASSES = _message_classes()


def decode(message: str, data: bytes, name: str) -> Any:
    """Parse the bytes of a message of the table above; name is for messages."""
    try:
        return _CLASSES[message].FromString(data)
    except (DecodeError, RecursionError) as error:
        raise ConversionError(f"{name}: not a {message}: {error}") from None


def new(message: str) -> Any:
    """Return an empty message of the table above."""
    return _CLASSES[message]()
