"""The commands, a module each, and what all of them share: the parser, errors and exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import nerlite
from nerlite.errors import InputError, ModelError, readable

# Command (and module) → what it does. A module is imported when its command is chosen.
COMMANDS = {
    "tag": "tag texts",
    "count": "count the names of a corpus",
    "redact": "replace names by placeholders such as [PER_1]",
    "restore": "put names back in the place of placeholders",
    "eval": "score a model on a CoNLL file",
    "train": "train a model on CoNLL files (needs PyTorch)",
    "info": "print versions, model, backend, threads and cache",
    "warmup": "compile the kernels ahead of the first text",
}
# Exit statuses; the last is what a shell reports for a process ended by SIGPIPE, 128 + 13.
NO_OUTPUT, BAD_INPUT, CLOSED_PIPE = 1, 2, 141


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    if sys.stderr is None:  # closed: what is printed there must not go to standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        try:
            options = _parser(arguments).parse_args(arguments)
        except SystemExit as end:  # of --help and --version, or bad options
            if end.code == 0:
                sys.stdout.flush()
            raise
        status: int = options.run(options)
        sys.stdout.flush()  # here, where a closed pipe is expected, not when Python ends
    except (InputError, ModelError) as error:
        print(f"nerlite: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        # Python flushes standard output once more when it ends.
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be no file, or closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        print(f"nerlite: {readable(str(error))}", file=sys.stderr)
        return NO_OUTPUT
    return status


class _Parser(argparse.ArgumentParser):
    """A parser whose errors quote arguments without their control characters, and that says what cannot be printed."""

    def error(self, message: str) -> NoReturn:
        super().error(readable(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)  # argparse's own passes over errors


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="nerlite", description="Find names in text.")
    parser.add_argument("--version", action="version", version=f"nerlite {nerlite.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    chosen = next((each for each in arguments if not each.startswith("-")), None)
    for name, about in COMMANDS.items():
        if name == chosen:
            importlib.import_module(f"{__name__}.{name}").add_to(commands, about)
        else:
            commands.add_parser(name, help=about)
    return parser
