"""Files of a model directory, read so that each is whole, and of the model that config.json is of."""

from __future__ import annotations

import io
import os
import stat

from nerlite.errors import ModelError

# Importing pathlib would be a thirtieth of the time from a process's start to its first entities.
AnyPath = str | os.PathLike[str]


def open_file(path: AnyPath) -> io.BufferedReader:
    """Open a file for reading; `ModelError` where it is none (a pipe or a device may never end) or cannot be read."""
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe that nobody writes to is not waited for

    try:
        file = open(path, "rb", opener=opener)  # noqa: SIM115
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; a model directory holds config.json, model.safetensors and "
                         "tokenizer.json") from None
    except OSError as error:
        raise ModelError(f"{path}: not readable: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ModelError(f"{path}: expected a file, got a pipe, a device or a socket")
    return file


def read_file(path: AnyPath, most: int) -> bytes:
    """Return a file's bytes; `ModelError` where `open_file` raises it, and for a file of more than `most` bytes."""
    with open_file(path) as file:
        try:
            data = file.read(most + 1)
        except OSError as error:
            raise ModelError(f"{path}: not readable: {error.strerror}") from None
    if len(data) > most:
        raise ModelError(f"{path}: expected at most {most:,} bytes, got more")
    return data


def check_checksum(path: AnyPath, key: str, expected: str, found: str) -> None:
    """Raise `ModelError` where a file is not the one that config.json was written with; key: of its `checksums`."""
    if found != expected:
        raise ModelError(f"{path}: expected the file whose checksum is {expected} (config.json: checksums.{key}), got "
                         f"one with {found}: it is another model's, or was changed; without the key checksums in "
                         "config.json it is not checked")
