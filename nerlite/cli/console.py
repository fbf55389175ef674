"""The streams of a command: input with a progress bar, output in whole lines."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from nerlite.errors import InputError, Place, readable
from nerlite.io.compression import decompressed, is_damage
from nerlite.io.encoding import ToUtf8

READ_SIZE = 1 << 20


def display_name(file: str) -> str:
    """Return a file argument as errors name it; "-" is standard input."""
    return "stdin" if file == "-" else file


def say(note: str) -> None:
    """Print what a user should know on standard error."""
    print(f"nerlite: {readable(note)}", file=sys.stderr)


def _wait_on(stream: Any) -> None:
    """Let a standard stream wait where whoever opened it forbade that: "nothing yet" would look like its end."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be no file
        os.set_blocking(stream.fileno(), True)


class Output:
    """Standard output in whole lines: an interrupt that comes while one is written waits until it is out, and what a
    full disk has cut off is taken back.
    """

    def __init__(self) -> None:
        _wait_on(sys.stdout)
        self._stream = getattr(sys.stdout, "buffer", None)  # a notebook's has none
        self._writing = self._interrupted = False
        self._file: int | None = None
        with contextlib.suppress(AttributeError, OSError, ValueError):
            if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
                self._file = sys.stdout.fileno()

    def __enter__(self) -> Output:
        # Not in a background job, which ignores interrupts, nor in another thread, which gets none.
        self._is_watching = (threading.current_thread() is threading.main_thread()
                             and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        if self._is_watching:
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._is_watching:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def write(self, lines: str) -> None:
        """Write lines, at once; a lone surrogate, which UTF-8 does not have, comes out as JSON's escape."""
        data = lines.encode("utf-8", "backslashreplace")
        self._writing = True
        try:
            if self._stream is None:
                sys.stdout.write(data.decode("utf-8"))
                sys.stdout.flush()
            elif self._file is None:
                self._stream.write(data)
                self._stream.flush()
            else:
                self._write_whole(self._file, data)
        finally:
            self._writing = False
        if self._interrupted:
            raise KeyboardInterrupt

    def _write_whole(self, file: int, data: bytes) -> None:
        """Write to a file; all of it or, where the system refuses a part, nothing."""
        sys.stdout.flush()
        start, written = os.fstat(file).st_size, 0
        try:
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError:
            if written and os.fstat(file).st_size == start + written:  # at its end, and alone there
                os.ftruncate(file, start)
            raise

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._writing or self._interrupted:  # a second interrupt is for a reader that does not read
            raise KeyboardInterrupt
        self._interrupted = True


class Input:
    """Lines of files, with a bar over the bytes read on standard error: at a terminal, where tqdm is installed, for
    work of some length.

    waits: whether the next line of a pipe or a terminal has not arrived yet, so that asking for it may take for ever.
    """

    def __init__(self, files: Sequence[str], encoding: str | None = None) -> None:
        """Show a bar, if it may; encoding: of all files, None is UTF-8 or what a byte order mark names."""
        self.waits = False
        self._encoding = encoding
        self._n_words, self._start = 0, time.monotonic()
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

    def tagged(self, n_words: int) -> None:
        """Show how fast words are tagged."""
        self._n_words += n_words
        if self._bar is not None:
            speed = self._n_words / (time.monotonic() - self._start or 1)
            self._bar.set_postfix_str(f"{speed:,.0f} words/s", refresh=False)

    def whole(self, file: str) -> str:
        """Return the path of a file that is read by something else; the bar takes it as read."""
        if not os.path.isfile(file):
            raise InputError("expected a file, which can be read from any place", Place(display_name(file)))
        if self._bar is not None:
            self._bar.update(os.path.getsize(file))
        return file

    def read(self, file: str) -> Iterator[bytes]:
        """Yield the file's lines in UTF-8, each when it arrives; `InputError` where the system cannot read it."""
        if file == "-" and sys.stdin is None:
            raise InputError("closed", Place(display_name(file)))
        if file == "-":
            _wait_on(sys.stdin)
        try:
            with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as raw:
                parts = self._parts(raw, file, ToUtf8(display_name(file), self._encoding))
                yield from self._lines(parts, may_wait=file == "-" or not Path(file).is_file())
        except OSError as error:
            raise InputError(error.strerror or str(error), Place(display_name(file))) from None

    def _parts(self, raw: Any, file: str, to_utf8: ToUtf8) -> Iterator[bytes]:
        stream: Any = decompressed(raw, file)
        done = 0
        while data := self._next_part(stream, file):
            yield to_utf8(data)
            if self._bar is not None:  # it shows the bytes of the file itself
                before, done = done, done + len(data) if stream is raw else raw.tell()
                self._bar.update(done - before)
        yield to_utf8(b"", final=True)

    @staticmethod
    def _next_part(stream: Any, file: str) -> bytes:
        """Return what is there; it waits only where nothing is."""
        try:
            data: bytes = stream.read1(READ_SIZE)
        except Exception as error:
            if is_damage(error):
                raise InputError(f"damaged, or not compressed: {error}", Place(file)) from None
            raise
        return data

    def _lines(self, parts: Iterator[bytes], *, may_wait: bool) -> Iterator[bytes]:
        pending: list[bytes] = []  # of a line whose end has not arrived
        for data in parts:
            # Readers of some formats pass over blank lines and would wait for the next one.
            last = len(data[:data.rfind(b"\n") + 1].rstrip())
            lines = io.BytesIO(data)
            for part in lines:
                pending.append(part)
                if part.endswith(b"\n"):
                    self.waits = may_wait and lines.tell() >= last
                    yield b"".join(pending)
                    pending = []
        self.waits = False
        if pending:
            yield b"".join(pending)
