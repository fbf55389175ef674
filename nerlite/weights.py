"""The tensors of a model directory: which a config asks for, reading them mapped, checking and writing them."""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nerlite.config import AnyPath, Config, ModelError

Shape = tuple[int, ...]
# An int8 matrix has no larger numbers, so that four of them times 0..127 add up in AVX2's int16.
INT8_LIMIT = 63
# Bytes of a tensor that is mapped by itself.
LARGE = 1 << 16
Tensors = Mapping[str, np.ndarray]

_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I8": np.dtype("i1")}


def expected_tensors(config: Config) -> dict[str, tuple[Shape, str]]:
    """Return name → (shape, dtype) of every tensor that a model of this config has.

    Matrices are (d_in, d_out), so that code reads x @ w + b. Query, key and value are one matrix,
    LSTM input and recurrent biases one vector, and BERT's type-0 embedding is part of the positions.

    dtype "float32" and "float16" store everything so. "int8" stores the encoder's matrices as int8 with a
    float32 scale an output channel, and its two embedding tables as int8 with a float32 scale a row
    (`NAME.scale`, value = int8 * scale); its vectors stay float32. Of the head the context network's matrices are int8
    too, the rest, small and sensitive, float16.
    """
    encoder, hidden, inner = config.encoder, config.encoder.hidden_size, config.encoder.intermediate_size
    tensors: dict[str, tuple[Shape, str]] = {}
    body = head = config.dtype
    if config.dtype == "int8":
        body, head = "float32", "float16"

    def embedding(name: str, n_rows: int) -> None:
        tensors[name] = (n_rows, hidden), config.dtype
        if config.dtype == "int8":
            tensors[f"{name}.scale"] = (n_rows,), "float32"

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = tensors[f"{name}.bias"] = (hidden,), body

    def linear(name: str, d_in: int, d_out: int, dtype: str) -> None:
        tensors[f"{name}.weight"] = (d_in, d_out), dtype
        if dtype == "int8":
            tensors[f"{name}.weight.scale"] = (d_out,), "float32"
        tensors[f"{name}.bias"] = (d_out,), body if dtype == "int8" else dtype

    def bilstm(name: str, d_in: int, size: int, dtype: str, peepholes: bool = False) -> None:
        for direction in ("forward", "backward"):
            for matrix, n_rows in (("w_ih", d_in), ("w_hh", size)):
                tensors[f"{name}.{direction}.{matrix}"] = (n_rows, 4 * size), dtype
                if dtype == "int8":
                    tensors[f"{name}.{direction}.{matrix}.scale"] = (4 * size,), "float32"
            tensors[f"{name}.{direction}.bias"] = (4 * size,), head
            if peepholes:
                tensors[f"{name}.{direction}.peepholes"] = (3, size), head

    embedding("encoder.word_embeddings", encoder.vocab_size)
    embedding("encoder.position_embeddings", encoder.max_position_embeddings)
    norm("encoder.embedding_norm")
    for i in range(encoder.num_hidden_layers):
        layer = f"encoder.layers.{i}"
        linear(f"{layer}.qkv", hidden, 3 * hidden, config.dtype)
        linear(f"{layer}.attention_out", hidden, hidden, config.dtype)
        norm(f"{layer}.attention_norm")
        linear(f"{layer}.ffn_in", hidden, inner, config.dtype)
        linear(f"{layer}.ffn_out", inner, hidden, config.dtype)
        norm(f"{layer}.ffn_norm")
    if chars := config.chars:
        n_ids = len(chars.alphabet) + 1
        if chars.cnn:
            tensors["chars.cnn.embeddings"] = (n_ids, chars.cnn.embedding_size), head
            linear("chars.cnn.conv", 3 * chars.cnn.embedding_size, chars.cnn.num_filters, head)
        if chars.lstm:
            tensors["chars.lstm.embeddings"] = (n_ids, chars.lstm.embedding_size), head
            bilstm("chars.lstm", chars.lstm.embedding_size, chars.lstm.hidden_size, head)
    if context := config.context:
        linear("context.dense", config.features_size, context.dense_size, config.dtype)
        for i in range(context.num_layers):
            d_in = 2 * context.lstm_hidden_size if i else context.dense_size
            bilstm(f"context.layers.{i}", d_in, context.lstm_hidden_size, config.dtype, context.cell == "peephole")
    if n_tags := len(config.tags):
        linear("emissions", config.emission_input_size, n_tags, head)
        if config.decoder == "crf":
            tensors["crf.transitions"] = (n_tags, n_tags), "float32"
            if config.crf_boundaries:
                tensors["crf.start_transitions"] = tensors["crf.end_transitions"] = (n_tags,), "float32"
    return tensors


def check_tensors(config: Config, found: Mapping[str, tuple[Shape, str]], path: AnyPath) -> None:
    """Raise one `ModelError` that names every missing, unexpected, misshapen and mistyped tensor."""
    expected = expected_tensors(config)
    problems = [f"missing {name} {shape} {dtype}" for name, (shape, dtype) in expected.items() if name not in found]
    problems += [f"unexpected {name}" for name in sorted(found) if name not in expected]
    for name, (shape, dtype) in found.items():
        if name in expected and (shape, dtype) != expected[name]:
            problems.append(f"{name}: expected {' '.join(map(str, expected[name]))}, got {shape} {dtype}")
    if problems:
        raise ModelError(f"{path}: {len(problems)} tensors differ from what config.json asks for:\n  "
                         + "\n  ".join(problems))


class MappedTensors(Mapping[str, np.ndarray]):
    """A safetensors file's tensors as read-only arrays, cut out of a mapping of the file.

    Large ones are mapped by themselves whenever they are asked for, so that they take memory only while something uses
    them: one that a layer repacks is gone once it has.
    """

    def __init__(self, path: AnyPath) -> None:
        """Read the header; `ModelError` where the file is not a whole safetensors file."""
        if not os.path.isfile(path):
            raise ModelError(f"{path}: no such file")
        try:
            with safe_open(path, framework="np"):
                pass  # the library checks the header; its own tensors would be copies
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path}: not a readable safetensors file: {error}") from None
        self._path = path
        with open(path, "rb") as file:
            self._whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            size = int.from_bytes(file.read(8), "little")
            self._entries: dict[str, dict[str, Any]] = json.loads(file.read(size))
        self._entries.pop("__metadata__", None)
        self._start = 8 + size

    def __getitem__(self, name: str) -> np.ndarray:
        entry = self._entries[name]
        start, stop = (self._start + offset for offset in entry["data_offsets"])
        if start == stop:
            return np.empty(entry["shape"], _DTYPES[entry["dtype"]])
        mapped, lead = self._whole, start
        if stop - start >= LARGE:
            lead = start % mmap.ALLOCATIONGRANULARITY
            with open(self._path, "rb", buffering=0) as file:
                mapped = mmap.mmap(file.fileno(), stop - start + lead, access=mmap.ACCESS_READ, offset=start - lead)
        return np.frombuffer(mapped, _DTYPES[entry["dtype"]], math.prod(entry["shape"]), lead).reshape(entry["shape"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def types(self) -> dict[str, tuple[Shape, str]]:
        """Return name → (shape, dtype), a dtype that models do not use as the file spells it."""
        return {name: (tuple(entry["shape"]), _DTYPES[entry["dtype"]].name if entry["dtype"] in _DTYPES
                       else entry["dtype"]) for name, entry in self._entries.items()}


def read_tensors(config: Config, path: AnyPath) -> Tensors:
    """Return the file's tensors, mapped; `ModelError` where they are not as the config asks for."""
    tensors = MappedTensors(path)
    check_tensors(config, tensors.types(), path)
    return tensors


def write_tensors(config: Config, tensors: Tensors, path: AnyPath) -> None:
    """Check the tensors against the config, then write them, in one step for a reader: all or nothing."""
    check_tensors(config, {name: (tensor.shape, tensor.dtype.name) for name, tensor in tensors.items()}, path)
    partial = f"{os.fspath(path)}.partial"
    try:
        save_file({name: np.ascontiguousarray(tensors[name]) for name in expected_tensors(config)}, partial)
        os.replace(partial, path)
    except SafetensorError as error:  # the library's name for what the system refuses
        raise OSError(f"{path}: {error}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):  # it has become the file
            os.remove(partial)


def quantize(weight: np.ndarray, axis: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (int8 weight up to ±limit, float32 scales): symmetric, one scale an index of the kept axis.

    weight: (rows, columns); axis 0 scales each column (output channels), axis 1 each row (embeddings). Of several
    scales, the least of which cuts off the largest numbers, each gets the one with the least squared error.
    """
    top = np.maximum(np.abs(weight).max(axis=axis, keepdims=True), 1e-12).astype(np.float32) / np.float32(limit)
    best, least = top, np.full(top.shape, np.inf, np.float32)
    for share in np.linspace(0.7, 1, 16, dtype=np.float32):
        scale = top * share
        error = np.square(np.clip(np.rint(weight / scale), -limit, limit) * scale - weight).sum(axis, keepdims=True)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    return np.clip(np.rint(weight / best), -limit, limit).astype(np.int8), best.reshape(-1)


def stored_as(config: Config, tensors: Tensors) -> dict[str, np.ndarray]:
    """Return float32 tensors in the types that config.dtype asks for, quantized where it says int8."""
    stored: dict[str, np.ndarray] = {}
    for name, (_, dtype) in expected_tensors(config).items():
        if dtype == "int8":
            axis, limit = (1, 127) if name.endswith("_embeddings") else (0, INT8_LIMIT)
            stored[name], stored[f"{name}.scale"] = quantize(np.asarray(tensors[name], np.float32), axis, limit)
        elif name not in stored:
            stored[name] = np.asarray(tensors[name], dtype)
    return stored
