"""Read a TensorFlow checkpoint (tensor bundle): variables.index and variables.data-00000-of-00001.

The index is a table in LevelDB's format that maps a tensor's name to its place in the data file.
Source: LevelDB's doc/table_format.md; tensorflow/core/util/tensor_bundle and lib/io/table.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence

import google_crc32c
import numpy as np

from .archive import Folder
from .errors import ConversionError
from .protos import DT_FLOAT, decode

# Far above what models have; a hostile index must stay within them too.
MAX_INDEX_BYTES = 4 << 20
MAX_ENTRIES = 20_000
MAX_KEY_BYTES = 1 << 12

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # compression type, masked CRC-32C


class TensorBundle:
    """The float32 tensors of a checkpoint by name. Reading one maps the file and checks the tensor's checksum."""

    def __init__(self, folder: Folder) -> None:
        index, data = "variables.index", "variables.data-00000-of-00001"
        self.name = f"{folder.shown}/{index}"
        entries = dict(table(folder.read(index, MAX_INDEX_BYTES), self.name))
        header = decode("BundleHeaderProto", entries.pop(b"", b""), self.name)
        if header.num_shards != 1 or header.endianness != 0:
            raise ConversionError(f"{self.name}: expected one little-endian data file, got {header.num_shards}, "
                                  f"endianness {header.endianness}")
        self._entries = {key.decode("utf-8", "replace"): decode("BundleEntryProto", value, f"{self.name}: {key!r}")
                         for key, value in entries.items()}
        path = folder.file(data)
        self._data_name = f"{folder.shown}/{data}"
        self._data = np.memmap(path, np.uint8, mode="r") if path.stat().st_size else np.zeros(0, np.uint8)
        needed = max((entry.offset + entry.size for entry in self._entries.values()), default=0)
        if needed > self._data.size:
            raise ConversionError(f"{self._data_name}: expected {needed:,} bytes, got {self._data.size:,}")

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def keys(self) -> list[str]:
        """Return the names in the index's order."""
        return list(self._entries)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return a tensor's shape; `ConversionError` where the checkpoint lacks it."""
        if key not in self._entries:
            raise ConversionError(f"{self.name}: no tensor {key!r}")
        shape = self._entries[key].shape
        sizes = tuple(int(dim.size) for dim in shape.dim)
        if shape.unknown_rank or min(sizes, default=0) < 0:
            raise ConversionError(f"{self.name}: {key!r}: expected a shape, got {sizes}")
        return sizes

    def tensor(self, key: str, shape: Sequence[int | None]) -> np.ndarray:
        """Return a float32 tensor as a read-only view of the mapped file.

        shape: the expected one, None for a size that may be any; `ConversionError` for another shape or type, or a
        wrong checksum.
        """
        found = self.shape(key)
        entry = self._entries[key]
        if entry.dtype != DT_FLOAT:
            raise ConversionError(f"{self.name}: {key!r}: expected float32, got TensorFlow's type {entry.dtype}")
        if len(found) != len(shape) or any(want not in (None, got) for want, got in zip(shape, found, strict=True)):
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise ConversionError(f"{self.name}: {key!r}: expected the shape ({wanted}), got {found}")
        if entry.size != 4 * math.prod(found) or entry.offset < 0 or entry.shard_id != 0 or entry.slices:
            raise ConversionError(f"{self.name}: {key!r}: {entry.size} bytes at {entry.offset}, in file "
                                  f"{entry.shard_id}, are no whole tensor of shape {found}")
        raw = np.asarray(self._data[entry.offset:entry.offset + entry.size])
        if _masked(google_crc32c.value(raw)) != entry.crc32c:
            raise ConversionError(f"{self._data_name}: {key!r}: the checksum differs: the file is damaged")
        return raw.view("<f4").reshape(found)


def table(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a whole table file in order; name is for messages.

    Keys must ascend and blocks follow each other, as they do in every table that was written; so what is read
    stays in proportion to the file.
    """
    try:
        *_, magic = struct.unpack("<40sQ", data[-_FOOTER_BYTES:])
        if magic != _MAGIC:
            raise ConversionError(f"{name}: expected a checkpoint index, got another file or a truncated one")
        footer = data[-_FOOTER_BYTES:]
        position = 0
        handle = []
        for _ in range(4):  # offset and size of the metaindex block and of the index block
            number, position = _varint(footer, position)
            handle.append(number)
        key, end, n_entries = b"", 0, 0
        for _, block in _block_entries(_block(data, handle[2], handle[3], name)):
            offset, position = _varint(block, 0)
            size, _ = _varint(block, position)
            if offset < end:
                raise ConversionError(f"{name}: blocks overlap at byte {offset}")
            end = offset + size + _TRAILER_BYTES
            for next_key, value in _block_entries(_block(data, offset, size, name)):
                n_entries += 1
                if n_entries > MAX_ENTRIES or len(next_key) > MAX_KEY_BYTES or (n_entries > 1 and next_key <= key):
                    raise ConversionError(f"{name}: too many keys, too long ones, or not in order, after {key[:80]!r}")
                key = next_key
                yield key, value
    except (struct.error, IndexError):
        raise ConversionError(f"{name}: truncated or damaged") from None


def _block(data: bytes, offset: int, size: int, name: str) -> bytes:
    end = offset + size
    if end + _TRAILER_BYTES > len(data):
        raise ConversionError(f"{name}: a block of {size} bytes at {offset} exceeds the file")
    compression, checksum = struct.unpack_from("<BI", data, end)
    if _masked(google_crc32c.value(data[offset:end + 1])) != checksum:
        raise ConversionError(f"{name}: the checksum of the block at byte {offset} differs: the file is damaged")
    if compression != 0:
        raise ConversionError(f"{name}: expected uncompressed blocks, got compression type {compression}")
    return data[offset:end]


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a block's keys and values; each key is stored without the part it shares with the one before."""
    (n_restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    end = len(block) - 4 - 4 * n_restarts
    if end < 0:
        raise IndexError
    key, position = b"", 0
    while position < end:
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        size, position = _varint(block, position)
        if shared > len(key) or position + own + size > end:
            raise IndexError
        key = key[:min(shared, MAX_KEY_BYTES)] + block[position:position + own]
        yield key, block[position + own:position + own + size]
        position += own + size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a variable-length number and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise IndexError


def _masked(checksum: int) -> int:
    """Return a CRC-32C as LevelDB and TensorFlow store it."""
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
