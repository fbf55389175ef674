"""Compressed files, opened by their suffix."""

from __future__ import annotations

import os
import zlib
from typing import IO, Any, cast

from nerlite.errors import InputError, Place

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
# What reading a file raises that is damaged or something else; all of them with a message.
_DAMAGE: tuple[type[Exception], ...] = (EOFError, zlib.error)


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
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            raise InputError("reading .zst takes a package: pip install 'nerlite[zstd]'", Place(file)) from None
    return zstd.ZstdFile(raw)


def is_damage(error: Exception) -> bool:
    """Whether reading failed by what the file holds."""
    return isinstance(error, _DAMAGE) or type(error).__name__ in ("LZMAError", "ZstdError")
