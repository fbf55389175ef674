"""A saved Spark NLP stage: its class and parameters, and its fields."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .archive import Folder, unpack
from .errors import ConversionError
from .graph import Graph
from .java_objects import JavaObject, parse
from .sequence_file import records
from .tensor_bundle import TensorBundle

MAX_METADATA_BYTES = 1 << 20
MAX_FIELD_BYTES = 16 << 20
MAX_RECORD_BYTES = 256 << 10


@dataclass(frozen=True)
class Stage:
    """class_name: without the package. defaults are the values that parameters have where params lacks them."""

    folder: Folder
    class_name: str
    uid: str
    params: dict[str, Any]
    defaults: dict[str, Any]

    @property
    def shown(self) -> str:
        """How messages name the stage."""
        return f"{self.folder.shown} ({self.class_name})"

    def param(self, name: str, kind: type, default: Any) -> Any:
        """Return a parameter of a type; default where the model says nothing."""
        value = self.params.get(name, self.defaults.get(name, default))
        if value is not default and type(value) is not kind:
            raise ConversionError(f"{self.shown}: {name}: expected {kind.__name__}, got {value!r:.80}")
        return value

    def strings(self, name: str) -> tuple[str, ...] | None:
        """Return a parameter that is a list of strings; None where the model says nothing."""
        value = self.param(name, list, None)
        return None if value is None else strings(value, f"{self.shown}: {name}")

    def field(self, name: str) -> Iterator[tuple[Any, str]]:
        """Yield each element of a field's arrays with the name of its file."""
        remaining = MAX_FIELD_BYTES
        for part in self.folder.parts(f"fields/{name}"):
            shown = f"{self.folder.shown}/{part}"
            data = self.folder.read(part, remaining)
            remaining -= len(data)
            for record in records(data, shown):
                if len(record) > MAX_RECORD_BYTES:
                    raise ConversionError(f"{shown}: expected records of at most {MAX_RECORD_BYTES:,} bytes")
                elements = parse(record, shown)
                if not isinstance(elements, list):
                    raise ConversionError(f"{shown}: expected records that are arrays")
                for element in elements:
                    yield element, shown

    def object_field(self, name: str) -> tuple[JavaObject, str]:
        """Return the one object of a field and the name of its file."""
        found = None
        for element, shown in self.field(name):
            if found is not None or not isinstance(element, JavaObject):
                raise ConversionError(f"{shown}: expected one object, got another element")
            found = element, shown
        if found is None:
            raise ConversionError(f"{self.folder.shown}/fields/{name}: expected one object, got none")
        return found

    def map_field(self, name: str, kind: type) -> dict[str, Any]:
        """Return a field that is a map from strings to values of a type."""
        pairs: dict[str, Any] = {}
        for element, shown in self.field(name):
            pair = element.fields if isinstance(element, JavaObject) else {}
            key, value = pair.get("_1"), pair.get("_2")
            if not isinstance(key, str) or type(value) is not kind or key in pairs:
                raise ConversionError(f"{shown}: expected pairs of a string, each once, and {kind.__name__}")
            pairs[key] = value
        return pairs

    def network(self, name: str, scratch: Path) -> tuple[Graph, TensorBundle]:
        """Return the TensorFlow graph and weights in the stage's zip of this name; scratch: a folder to unpack into."""
        into = Path(tempfile.mkdtemp(dir=scratch)) / "network"
        folder = unpack(self.folder.file(name), f"{self.folder.shown}/{name}", into)
        return Graph(folder), TensorBundle(folder)


def strings(value: Any, name: str) -> tuple[str, ...]:
    """Check that a value is a list of strings; name is for messages."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConversionError(f"{name}: expected a list of strings")
    return tuple(value)


def read_stage(folder: Folder) -> Stage:
    """Read a stage's metadata: one line of JSON."""
    part = folder.parts("metadata")[0]
    shown = f"{folder.shown}/{part}"
    try:
        data = json.loads(folder.read(part, MAX_METADATA_BYTES))
    except ConversionError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{shown}: not readable as JSON: {error}") from None
    expected = {"class": str, "uid": str, "paramMap": dict}
    if not isinstance(data, dict) or any(type(data.get(key)) is not kind for key, kind in expected.items()):
        raise ConversionError(f"{shown}: expected an object with class, uid and paramMap, as Spark saves a stage")
    defaults = data.get("defaultParamMap", {})
    return Stage(folder, data["class"].rpartition(".")[2], data["uid"], data["paramMap"],
                 defaults if isinstance(defaults, dict) else {})
