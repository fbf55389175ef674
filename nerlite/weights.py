"""The tensors of a model directory: which a config asks for, reading, checking and writing them."""

from __future__ import annotations

import contextlib
import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from nerlite.config import Config
from nerlite.errors import ModelError
from nerlite.files import AnyPath, open_file
from nerlite.shapes import N_SHAPES

Shape = tuple[int, ...]
# An int8 matrix has no larger numbers, so that four of them times 0..127 add up in AVX2's int16.
INT8_LIMIT = 63
# Bytes of a header: a thousand layers need half as many.
MOST_HEADER = 1 << 22
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

    def matrix(name: str, n_rows: int, n_columns: int, dtype: str, *, by_row: bool = False) -> None:
        tensors[name] = (n_rows, n_columns), dtype
        if dtype == "int8":
            tensors[f"{name}.scale"] = (n_rows if by_row else n_columns,), "float32"

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = tensors[f"{name}.bias"] = (hidden,), body

    def linear(name: str, d_in: int, d_out: int, dtype: str) -> None:
        matrix(f"{name}.weight", d_in, d_out, dtype)
        tensors[f"{name}.bias"] = (d_out,), body if dtype == "int8" else dtype

    def bilstm(name: str, d_in: int, size: int, dtype: str, peepholes: bool = False) -> None:
        for direction in ("forward", "backward"):
            matrix(f"{name}.{direction}.w_ih", d_in, 4 * size, dtype)
            matrix(f"{name}.{direction}.w_hh", size, 4 * size, dtype)
            tensors[f"{name}.{direction}.bias"] = (4 * size,), head
            if peepholes:
                tensors[f"{name}.{direction}.peepholes"] = (3, size), head

    matrix("encoder.word_embeddings", encoder.vocab_size, hidden, config.dtype, by_row=True)
    matrix("encoder.position_embeddings", encoder.max_position_embeddings, hidden, config.dtype, by_row=True)
    if config.shapes:
        tensors["encoder.shape_embeddings"] = (N_SHAPES, hidden), body
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


class FileTensors(Mapping[str, np.ndarray]):
    """A safetensors file's tensors, each read into an array of its own when it is asked for.

    So they take memory only while something uses them, as one that a layer repacks does not, and nothing that becomes
    of the file changes those that are in use. The library would open the file anew by its path, and map it.
    """

    def __init__(self, path: AnyPath, *, summed: bool = True) -> None:
        """Read the header; `ModelError` where the file is not a whole safetensors file.

        summed: whether `checksum` will be asked for, so that tensors are summed up while they are read.
        """
        self._path, self._summed, self._sums = path, summed, dict[str, int]()
        self._file = open_file(path)
        try:
            self._header = self._read_header()
            self._entries: dict[str, dict[str, Any]] = json.loads(self._header)
            self._entries.pop("__metadata__", None)
            self._order = sorted(self._entries, key=lambda name: self._entries[name]["data_offsets"])
            self._check_layout()
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OSError) as error:
            raise ModelError(f"{path}: not a readable safetensors file: {error}") from None

    def _read_header(self) -> bytes:
        size = int.from_bytes(self._file.read(8), "little")
        if size > MOST_HEADER:
            raise ValueError(f"a header of {size:,} bytes, expected at most {MOST_HEADER:,}")
        return self._file.read(size)

    def _check_layout(self) -> None:
        """Raise ValueError unless the tensors lie one after another from the header to the file's end."""
        end = 0
        for name in self._order:
            dtype, shape, (start, stop) = (self._entries[name][key] for key in ("dtype", "shape", "data_offsets"))
            if not all(type(number) is int and number >= 0 for number in (*shape, start, stop)):
                raise ValueError(f"{name}: expected a shape and offsets, got {self._entries[name]!r:.200}")
            size = math.prod(shape) * _DTYPES[dtype].itemsize if dtype in _DTYPES else stop - start
            if (start, stop) != (end, start + size):
                raise ValueError(f"{name}: expected {size:,} bytes at {end:,}, got {start:,} to {stop:,}")
            end = stop
        expected, found = 8 + len(self._header) + end, os.fstat(self._file.fileno()).st_size
        if found != expected:
            raise ValueError(f"expected {expected:,} bytes, got {found:,}")

    def __del__(self) -> None:
        """Close the file."""
        if hasattr(self, "_file"):
            self._file.close()

    def __getitem__(self, name: str) -> np.ndarray:
        entry = self._entries[name]
        array = np.empty(entry["shape"], _DTYPES[entry["dtype"]])
        data = array.reshape(-1).view(np.uint8).data
        try:
            self._file.seek(8 + len(self._header) + entry["data_offsets"][0])
            n_read = self._file.readinto(data)
        except OSError as error:
            raise ModelError(f"{self._path}: {name}: not readable: {error.strerror}") from None
        if n_read < len(data):
            raise ModelError(f"{self._path}: {name}: expected {len(data):,} bytes, got {n_read:,}: the file was cut "
                             "while it was read")
        if self._summed:
            self._sums[name] = zlib.crc32(data)
        array.flags.writeable = False
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def types(self) -> dict[str, tuple[Shape, str]]:
        """Return name → (shape, dtype), a dtype that models do not use as the file spells it."""
        return {name: (tuple(entry["shape"]), _DTYPES[entry["dtype"]].name if entry["dtype"] in _DTYPES
                       else entry["dtype"]) for name, entry in self._entries.items()}

    def checksum(self) -> str:
        """Return the CRC-32 of the header and of each tensor's CRC-32, in four bytes, low one first, in their order.

        So that it costs no reading of its own, as long as each tensor was asked for before.
        """
        self._summed = True
        for name in self._order:
            if name not in self._sums:
                self[name]
        sums = np.array([self._sums[name] for name in self._order], "<u4")
        return f"{zlib.crc32(sums.data, zlib.crc32(self._header)):08x}"


def read_tensors(config: Config, path: AnyPath) -> FileTensors:
    """Return the file's tensors, to be read; `ModelError` where they are not as the config asks for."""
    tensors = FileTensors(path, summed=config.checksums is not None)
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


def float_tensors(tensors: Tensors) -> dict[str, np.ndarray]:
    """Return stored tensors as float32, those that are quantized multiplied by their scales: `stored_as`'s inverse."""
    floats: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if not name.endswith(".scale"):
            floats[name] = np.asarray(tensor, np.float32)
            if tensor.dtype == np.int8:
                scale = tensors[f"{name}.scale"]
                floats[name] *= scale[:, None] if name.endswith("_embeddings") else scale
    return floats
