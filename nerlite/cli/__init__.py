"""The command line: the commands are in `commands`, what several of them are made of lies beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130  # what a shell reports for a process ended by SIGINT, 128 + 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; what is wrong with the input is one line on standard error."""
    try:  # imports take long enough to be interrupted
        from nerlite.cli.commands import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
