"""The streams of a command: input with a progress bar, output in whole lines."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from nerlite.io.records import InputError

READ_SIZE = 1 << 20


def display_name(file: str) -> str:
    """Return a file argument as errors name it; "-" is standard input."""
    return "stdin" if file == "-" else file


def _wait_on(stream: Any) -> None:
    """Let a standard stream wait where whoever opened it forbade that: "nothing yet" would look like its end."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be no file
        os.set_blocking(stream.fileno(), True)


class Output:
    """Standard output in whole lines: an interrupt that comes while one is written waits until it is out."""

    def __init__(self) -> None:
        _wait_on(sys.stdout)
        self._stream = sys.stdout.buffer
        self._writing = self._interrupted = False

    def __enter__(self) -> Output:
        self._previous = signal.getsignal(signal.SIGINT)
        if self._previous is signal.default_int_handler:  # not in a background job, which ignores it
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def write(self, lines: str) -> None:
        """Write lines, at once; a lone surrogate, which UTF-8 does not have, comes out as JSON's escape."""
        self._writing = True
        try:
            self._stream.write(lines.encode("utf-8", "backslashreplace"))
            self._stream.flush()
        finally:
            self._writing = False
        if self._interrupted:
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._writing or self._interrupted:  # a second interrupt is for a reader that does not read
            raise KeyboardInterrupt
        self._interrupted = True


class Input:
    """Lines of files, with a bar over the bytes read on standard error: at a terminal, where tqdm is installed, for
    work of some length.

    waits: whether the next line of a pipe or a terminal has not arrived yet, so that asking for it may take for ever.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.waits = False
        self._bar: Any = None
        # A result that appears on the terminal shows by itself how far the work is.
        if sys.stderr.isatty() and not sys.stdout.isatty():
            try:
                from tqdm import tqdm
            except ImportError:
                return
            total = None if "-" in files else sum(Path(file).stat().st_size for file in files)
            self._bar = tqdm(total=total, unit="B", unit_scale=True, delay=2)

    def __enter__(self) -> Input:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def read(self, file: str) -> Iterator[bytes]:
        """Yield the file's lines as bytes, each when it arrives; `InputError` where the system cannot read it."""
        if file == "-" and sys.stdin is None:
            raise InputError("stdin: closed")
        if file == "-":
            _wait_on(sys.stdin)
        try:
            with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
                for line in self._lines(stream, may_wait=file == "-" or not Path(file).is_file()):
                    yield line
                    if self._bar is not None:
                        self._bar.update(len(line))
        except OSError as error:
            raise InputError(f"{display_name(file)}: {error.strerror or error}") from None

    def _lines(self, stream: Any, *, may_wait: bool) -> Iterator[bytes]:
        parts: list[bytes] = []  # of a line whose end has not arrived
        while data := stream.read1(READ_SIZE):  # what is there; it waits only where nothing is
            # Readers of some formats pass over blank lines and would wait for the next one.
            last = len(data[:data.rfind(b"\n") + 1].rstrip())
            lines = io.BytesIO(data)
            for part in lines:
                parts.append(part)
                if part.endswith(b"\n"):
                    self.waits = may_wait and lines.tell() >= last
                    yield b"".join(parts)
                    parts = []
        self.waits = False
        if parts:
            yield b"".join(parts)
