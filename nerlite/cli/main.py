"""What all commands share: their parser, their errors and exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence

import nerlite
from nerlite.cli import eval, info, redact, restore, tag, train, warmup
from nerlite.errors import ModelError
from nerlite.io.records import InputError

COMMANDS = (tag, redact, restore, eval, train, info, warmup)
# Exit statuses; the last two are what a shell reports for a process ended by SIGINT (128 + 2) and SIGPIPE (128 + 13).
NO_OUTPUT, BAD_INPUT, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; what is wrong with the input is one line on standard error."""
    if sys.stderr is None:  # closed: what is printed there must not go to standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        status: int = options.run(options)
        sys.stdout.flush()  # here, where a closed pipe is expected, not when Python ends
    except (InputError, ModelError) as error:
        print(f"nerlite: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # Python flushes standard output once more when it ends.
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be no file, or closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        print(f"nerlite: {error}", file=sys.stderr)
        return NO_OUTPUT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nerlite", description="Find names in text.")
    parser.add_argument("--version", action="version", version=f"nerlite {nerlite.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return parser
