"""nerlite warmup: kernels compiled ahead of the first text."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from nerlite import environment
from nerlite.backends import kernels_of
from nerlite.cli import options as common
from nerlite.errors import InputError


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser("warmup", parents=[common.of_model()], help=about)
    parser.add_argument("--cache-dir", type=Path, metavar="DIR",
                        help="where to keep them; later runs find them there with NUMBA_CACHE_DIR=DIR")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag a sentence, which compiles what it takes."""
    if options.cache_dir:
        try:
            options.cache_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--cache-dir {options.cache_dir}: {error.strerror}") from None
        environment.change("NUMBA_CACHE_DIR", str(options.cache_dir.resolve()))
    start = time.perf_counter()
    tagger = common.load(options)
    tagger("Angela Merkel flew from Berlin to Washington.")
    print(f"ready in {time.perf_counter() - start:.1f} s: backend {tagger.backend}, "
          f"kernels: {kernels_of(tagger.backend)}")
    return 0
