"""Files of a model directory, opened so that all of them are of one model."""

from __future__ import annotations

import io
import os
import stat
from types import TracebackType

from nerlite.errors import ModelError

# Importing pathlib would be a thirtieth of the time from a process's start to its first entities.
AnyPath = str | os.PathLike[str]

# Names a directory without a right to list it; a pipe that nobody writes to is opened at once, not when somebody does.
_DIRECTORY, _AT_ONCE = (getattr(os, name, os.O_RDONLY) for name in ("O_PATH", "O_NONBLOCK"))


class ModelDirectory:
    """The directory that a path names now, by a descriptor where the system has them for directories.

    A link that is switched or a directory that gets another's name meanwhile brings in no files of another model.
    """

    def __init__(self, path: AnyPath) -> None:
        """path: through links, if it has any; they are followed once, here."""
        self._descriptor: int | None = None
        self.path = os.path.realpath(path)
        if os.open in os.supports_dir_fd:
            try:
                self._descriptor = os.open(self.path, _DIRECTORY | os.O_DIRECTORY)
            except OSError as error:
                raise ModelError(f"{path}: not a readable directory: {error.strerror}") from None

    def __enter__(self) -> ModelDirectory:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self._close()

    def __del__(self) -> None:
        """Close what an interrupt left open before a `with` statement had it."""
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def file(self, name: str) -> ModelFile:
        """Return a file's path, which is good for opening it until the directory is closed."""
        return ModelFile(self.path, name, self._descriptor)


class ModelFile(os.PathLike[str]):
    """The path of a file in a `ModelDirectory`; `open_file` looks for it there, whatever has the path by then."""

    def __init__(self, directory: str, name: str, descriptor: int | None) -> None:
        self.directory, self.name, self.descriptor = directory, name, descriptor

    def __fspath__(self) -> str:
        return os.path.join(self.directory, self.name)

    __str__ = __fspath__


def open_file(path: AnyPath) -> io.BufferedReader:
    """Open a file for reading; `ModelError` where it is none (a pipe or a device may never end) or cannot be read."""
    name, descriptor = (path.name, path.descriptor) if isinstance(path, ModelFile) else (path, None)
    if descriptor is None:
        name = os.fspath(path)

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | _AT_ONCE, dir_fd=descriptor)

    try:
        file = open(name, "rb", opener=opener)  # noqa: SIM115
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
