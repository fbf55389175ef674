"""nerlite info: what is here: versions, model, backend, threads, kernels."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import nerlite
from nerlite import environment
from nerlite.backends import kernels_of
from nerlite.cli import options as common
from nerlite.errors import readable

PACKAGES = ("numpy", "tokenizers", "safetensors", "numba")


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser("info", parents=[common.of_model()], help=about)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is here."""
    print(f"nerlite {nerlite.__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in PACKAGES:
        print(f"  {package:<12} {_version(package)}")
    tagger = common.load(options)
    config, card = tagger.config, Path(tagger.path, "README.md")
    print(f"model          {readable(config.name)}, {config.dtype}, {len(config.tags)} tags ({config.scheme}), "
          f"{readable(tagger.path)}")
    print(f"backend        {tagger.backend}")
    print(f"threads        {tagger.threads} ({os.cpu_count()} processors)")
    print(f"kernels        {kernels_of(tagger.backend)}")
    print("environment")
    width = max(map(len, environment.VARIABLES))
    for name, meaning, _ in environment.VARIABLES.values():
        print(f"  {name:<{width}} {environment.read(name) or 'not set':<12} {meaning}")
    print(f"model card     {card if card.is_file() else 'none'}")
    if card.is_file():
        for line in card.read_text(encoding="utf-8", errors="replace").strip().splitlines()[:8]:
            print(f"  | {readable(line)}")
    return 0


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
