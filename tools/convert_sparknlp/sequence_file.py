"""Read the frame of a Hadoop SequenceFile as Spark's saveAsObjectFile writes it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .errors import ConversionError

# Version 6; key and value class, each with its length before it; not compressed, not in blocks; no metadata.
HEADER = (b"SEQ\6" b"\x21org.apache.hadoop.io.NullWritable" b"\x22org.apache.hadoop.io.BytesWritable"
          b"\0" b"\0" b"\0\0\0\0")
SYNC_BYTES = 16


def records(data: bytes, name: str) -> Iterator[bytes]:
    """Yield the value of each record of a whole file; name is for messages.

    A record is: its length, the length of its key (0, for NullWritable has no bytes), then the value, which is
    its own length and so many bytes; lengths are int32, big-endian. A length of -1 announces a sync mark.
    Source: Hadoop's SequenceFile, BytesWritable.
    """
    if not data.startswith(HEADER):
        raise ConversionError(f"{name}: expected an uncompressed SequenceFile of bytes, version 6, "
                              f"got {data[:4]!r} and other classes, settings or an older version")
    start = len(HEADER)
    sync = data[start:start + SYNC_BYTES]
    position = start + SYNC_BYTES
    if len(sync) < SYNC_BYTES:
        raise ConversionError(f"{name}: ends within its header")
    while position < len(data):
        if data[position:position + 4] == b"\xff\xff\xff\xff":
            if data[position + 4:position + 4 + SYNC_BYTES] != sync:
                raise ConversionError(f"{name}: a wrong sync mark at byte {position}")
            position += 4 + SYNC_BYTES
            continue
        if position + 12 > len(data):
            raise ConversionError(f"{name}: ends within a record, at byte {position}")
        length, key_length, value_length = struct.unpack_from(">iii", data, position)
        end = position + 8 + length
        if key_length != 0 or value_length != length - 4 or not position + 12 <= end <= len(data):
            raise ConversionError(f"{name}: a record with impossible lengths at byte {position}")
        yield data[position + 12:end]
        position = end
