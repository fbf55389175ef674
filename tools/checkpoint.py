"""Read the weights of a Hugging Face checkpoint: safetensors by NumPy alone, pytorch_model.bin by torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from nerlite.errors import ModelError
from nerlite.files import open_file, read_file

# Bytes of a JSON file: those of a tokenizer.json of a million pieces.
MOST_BYTES = 1 << 25
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4"}


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file's object; `ModelError` where there is none."""
    content = read_file(path, MOST_BYTES)
    try:
        data = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: expected an object, got {data!r:.80}")
    return data


def read_weights(directory: Path) -> dict[str, np.ndarray]:
    """Return every tensor of a checkpoint by its name; bfloat16 comes as float32, other types as they are.

    Reads model.safetensors, or the shards that model.safetensors.index.json names, or pytorch_model.bin.
    """
    single, index, pickled = (directory / name for name in
                              ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"))
    if single.is_file():
        return _read_safetensors(single)
    if index.is_file():
        return _read_shards(index)
    if pickled.is_file():
        return _read_pickled(pickled)
    raise ModelError(f"{directory}: expected {single.name}, {index.name} or {pickled.name}; there is none of them")


def _read_shards(index: Path) -> dict[str, np.ndarray]:
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(shard, str) and Path(shard).name == shard
                                               for shard in shards.values()):
        raise ModelError(f"{index}: weight_map: expected tensor names with the file beside it that holds each")
    if missing := sorted(set(shards.values()) - {path.name for path in index.parent.iterdir() if path.is_file()}):
        raise ModelError(f"{index}: weight_map: expected files beside it, there is no {', '.join(missing):.200}")
    weights: dict[str, np.ndarray] = {}
    for shard in sorted(set(shards.values())):
        weights |= _read_safetensors(index.parent / shard)
    if missing := [name for name in shards if name not in weights]:
        raise ModelError(f"{index}: no file holds {', '.join(missing)}")
    return weights


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    with open_file(path) as file:
        try:
            entries = deserialize(file.read())  # type: ignore[no-untyped-call]
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path}: not a readable safetensors file: {error}") from None
    weights = {}
    for name, entry in entries:
        if entry["dtype"] not in _DTYPES:
            raise ModelError(f"{path}: {name}: expected float32, float16 or bfloat16, got {entry['dtype']}")
        array = np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":  # the upper half of a float32
            array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
        weights[name] = array
    return weights


def _read_pickled(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        raise ModelError(f"{path}: reading a .bin file needs torch; install it or save the checkpoint as "
                         "safetensors") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: (tensor.float() if tensor.is_floating_point() else tensor).numpy()
                for name, tensor in state.items()}
    except Exception as error:  # unpickling raises whatever the bytes lead to
        raise ModelError(f"{path}: not a readable torch state: {str(error).splitlines()[0]:.200}") from None
