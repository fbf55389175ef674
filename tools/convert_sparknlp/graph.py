"""A TensorFlow graph: its nodes and functions by name, and their constants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from .archive import Folder
from .errors import ConversionError
from .protos import DT_FLOAT, DT_INT32, DT_STRING, decode

# Far above what models have; a hostile graph must stay within them too.
MAX_GRAPH_BYTES = 16 << 20
MAX_NODES = 100_000
MAX_NODE_BYTES = 1 << 20
MAX_NODE_PARTS = 10_000
MAX_NUMBERS = 16  # of a constant that is looked at: numbers and shapes, no weights


class Node:
    """One operation. inputs: the names of the nodes (or function arguments) it reads, without output numbers."""

    def __init__(self, data: bytes, name: str) -> None:
        if len(data) > MAX_NODE_BYTES:
            raise ConversionError(f"{name} of {len(data):,} bytes, expected at most {MAX_NODE_BYTES:,}")
        message = decode("NodeDef", data, name)
        if max(len(message.input), len(message.attr)) > MAX_NODE_PARTS:
            raise ConversionError(f"{name} has more than {MAX_NODE_PARTS:,} inputs or attributes")
        self.name: str = message.name
        self.op: str = message.op
        self.raw_inputs: list[str] = list(message.input)
        self.attributes: dict[str, Any] = {entry.key: entry.value for entry in message.attr}

    @cached_property
    def inputs(self) -> list[str]:
        """The inputs without output numbers and without those that only order execution."""
        return [name.partition(":")[0] for name in self.raw_inputs if not name.startswith("^")]

    def numbers(self) -> list[float]:
        """Return the flat float32 or int32 values of a small Const; [] for any other node."""
        tensor = self._constant((DT_FLOAT, DT_INT32))
        if tensor is None:
            return []
        n_packed = len(tensor.tensor_content) // 4
        if max(n_packed, len(tensor.float_val), len(tensor.int_val)) > MAX_NUMBERS:
            return []
        if n_packed:
            kind = "<f4" if tensor.dtype == DT_FLOAT else "<i4"
            return [float(number) for number in np.frombuffer(tensor.tensor_content, kind, n_packed)]
        return list(tensor.float_val or tensor.int_val)

    def strings(self) -> list[str]:
        """Return the flat values of a Const of strings; [] for any other node."""
        tensor = self._constant((DT_STRING,))
        return [value.decode("utf-8", "replace") for value in tensor.string_val] if tensor else []

    def _constant(self, dtypes: tuple[int, ...]) -> Any:
        tensor = self.attributes["value"].tensor if self.op == "Const" and "value" in self.attributes else None
        return tensor if tensor and tensor.dtype in dtypes else None


class Function:
    """A function of a graph's library: its argument names and its nodes."""

    def __init__(self, message: Any, name: str) -> None:
        self.arguments: list[str] = [argument.name for argument in message.signature.input_arg]
        self._message = message
        self._name = name

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes by name, parsed when first asked for."""
        return _nodes(self._message.node_def, self._name)


class Graph:
    """A GraphDef. name: how messages name its file."""

    def __init__(self, folder: Folder) -> None:
        file = "saved_model.pb"
        self.name = f"{folder.shown}/{file}"
        message = decode("GraphDef", folder.read(file, MAX_GRAPH_BYTES), self.name)
        self.nodes = _nodes(message.node, self.name)
        self.functions: dict[str, Function] = {}
        for data in _limited(message.library.function, self.name):
            function = decode("FunctionDef", data, f"{self.name}: a function")
            self.functions[function.signature.name] = Function(function, self.name)

    def called(self, nodes: Iterable[Node]) -> Iterator[Function]:
        """Yield every function that these nodes call, and those that the functions call, each once."""
        seen: set[str] = set()
        waiting = list(nodes)
        while waiting:
            for attribute in waiting.pop().attributes.values():
                name = attribute.func.name
                if name in self.functions and name not in seen:
                    seen.add(name)
                    waiting += self.functions[name].nodes.values()
                    yield self.functions[name]

    def node(self, name: str) -> Node:
        """Return a node; `ConversionError` where the graph lacks it."""
        if name not in self.nodes:
            raise ConversionError(f"{self.name}: no node {name!r}")
        return self.nodes[name]


def input_numbers(nodes: Mapping[str, Node], node: Node) -> list[float]:
    """Return the values of all constants that a node reads."""
    return [value for name in node.inputs if name in nodes for value in nodes[name].numbers()]


def _limited(items: Any, name: str) -> Any:
    if len(items) > MAX_NODES:
        raise ConversionError(f"{name}: expected at most {MAX_NODES:,} nodes and functions, got {len(items):,}")
    return items


def _nodes(items: Any, name: str) -> dict[str, Node]:
    nodes = (Node(data, f"{name}: a node") for data in _limited(items, name))
    return {node.name: node for node in nodes}
