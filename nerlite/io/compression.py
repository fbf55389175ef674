"""Compressed files, opened by their suffix."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import IO, Any, cast

from nerlite.errors import InputError, Place

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
# What reading a file raises that is damaged or something else; all of them with a message.
_Damage: tuple[type[Exception], ...] = (EOFError, zlib.error)


def inner_name(file: str) -> str:
    """Return a file's name without the suffix of its compression."""
    root, suffix = os.path.splitext(file)
    return root if suffix.lower() in SUFFIXES else file


def decompressed(raw: IO[bytes], file: str) -> IO[bytes]:
    """Return what is in an open file, decompressed where its name says that it is compressed."""
    suffix = os.path.splitext(file)[1].lower()
    if suffix == ".gz":
        import gzip

        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if suffix == ".bz2":
        import bz2

        return bz2.BZ2File(raw)
    if suffix == ".xz":
        import lzma

        return lzma.LZMAFile(raw)
    if suffix == ".zst":
        return cast(IO[bytes], _zstd(raw, file))
    return raw


def _zstd(raw: IO[bytes], file: str) -> Any:
    try:
        from compression import zstd  # of Python 3.14

        return zstd.ZstdFile(raw)
    except ImportError:
        pass
    try:
        import zstandard
    except ImportError:
        raise InputError("reading .zst takes a package: pip install 'nerlite[zstd]'", Place(file)) from None
    return _ZstdReader(raw, zstandard.ZstdDecompressor().decompressobj)


class _ZstdReader:
    """Frames one after another; unlike the package's own reader it sees where a file ends too early."""

    def __init__(self, raw: IO[bytes], new_frame: Callable[[], Any]) -> None:
        self._raw, self._new_frame, self._frame, self._left = raw, new_frame, None, b""

    _frame: Any

    def read1(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        while data := self._left or self._raw.read(size):
            self._frame = self._frame or self._new_frame()
            found: bytes = self._frame.decompress(data)
            self._left = b""
            if self._frame.eof:
                self._left, self._frame = self._frame.unused_data, None
            if found:
                return found
        if self._frame:
            raise EOFError("it ends too early")
        return b""


def is_damage(error: Exception) -> bool:
    """Whether reading failed by what the file holds."""
    return isinstance(error, _Damage) or type(error).__name__ in ("LZMAError", "ZstdError")
