"""A file of answers that is there only once it is whole, and that a later run can go on with.

While a file is written it is called FILE.partial, and FILE.progress says how far it is good: so many texts in so many
bytes, of which run. Whatever ends a run, the next one takes what is there behind that place away and goes on from it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any, NamedTuple

from nerlite.io.records import InputError

# So often it is written down how far a file is good; what an interrupted run did after it is done again.
SECONDS_BETWEEN = 1.0


class Progress(NamedTuple):
    """How far a file is good. run: what has to be the same in a run that goes on with it."""

    texts: int
    bytes: int
    run: dict[str, Any]


class FileTarget:
    """A file that is written under another name, and gets its own once it is whole.

    n_done: texts that an earlier run has answered.
    """

    def __init__(self, path: str, run: dict[str, Any], *, resume: bool) -> None:
        """Open the file. run: what says which run this is; resume: go on with what an earlier one left."""
        self._path, self._run = path, run
        self._partial, self._progress = f"{path}.partial", f"{path}.progress"
        if os.path.lexists(path):
            raise InputError(f"--to {path}: there already")
        left = self._left()
        if left and not resume:
            raise InputError(f"--to {path}: an earlier run was interrupted; --resume goes on with it, and without "
                             f"{self._progress} it begins anew")
        self.n_done, self._n_bytes = (left.texts, left.bytes) if left else (0, 0)
        try:
            self._file = open(self._partial, "r+b" if left else "wb")  # noqa: SIM115
            self._file.truncate(self._n_bytes)
            self._file.seek(self._n_bytes)
        except OSError as error:
            raise InputError(f"--to {path}: {error.strerror}") from None
        self._saved = time.monotonic()
        if not left:
            self._save()

    def write(self, text: str) -> None:
        """Write a part of the answers; a lone surrogate, which UTF-8 does not have, comes out as JSON's escape."""
        data = text.encode("utf-8", "backslashreplace")
        self._file.write(data)
        self._n_bytes += len(data)

    def done(self, n_texts: int) -> None:
        """Say that so many texts are answered by all that was written: from time to time this is kept."""
        self.n_done = n_texts
        if time.monotonic() - self._saved >= SECONDS_BETWEEN:
            self._save()

    def close(self, *, is_whole: bool) -> None:
        """Keep what there is; is_whole: under its own name."""
        self._save()
        self._file.close()
        if is_whole:
            os.rename(self._partial, self._path)
            os.unlink(self._progress)

    def _left(self) -> Progress | None:
        """Return how far an earlier run came; None where there was none."""
        try:
            with open(self._progress, encoding="utf-8") as file:
                left = Progress(**json.load(file))
            if os.path.getsize(self._partial) < left.bytes:
                raise ValueError(f"{self._partial} is shorter than it was")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{self._progress}: not the progress of a run: {error}") from None
        if changed := [key for key in self._run if left.run.get(key) != self._run[key]]:
            raise InputError(f"--resume: not the same as in the run that {self._progress} is of: {', '.join(changed)}")
        return left

    def _save(self) -> None:
        """Write down how far the file is good, once it is there for good."""
        self._file.flush()
        os.fsync(self._file.fileno())
        with open(f"{self._progress}.new", "w", encoding="utf-8") as file:
            json.dump(Progress(self.n_done, self._n_bytes, self._run)._asdict(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{self._progress}.new", self._progress)
        self._saved = time.monotonic()


def run_of(files: list[str], options: dict[str, Any], model: str) -> dict[str, Any]:
    """Return what has to be the same in a run that goes on with another's file: inputs, options and model."""
    return {"files": [[os.path.abspath(file), *_stamp(file)] for file in files], "options": options,
            "model": [model, *_stamp(os.path.join(model, "model.safetensors"))]}


def _stamp(file: str) -> list[int]:
    with contextlib.suppress(OSError):
        found = os.stat(file)
        return [found.st_size, found.st_mtime_ns]
    return []
