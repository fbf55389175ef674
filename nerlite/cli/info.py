"""nerlite info: what is here: versions, model, backend, threads, kernels."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import nerlite
from nerlite.cli import options as common
from nerlite.ops.cpu import cpu_level
from nerlite.ops.library import library_path
from nerlite.ops.signatures import SIGNATURES

PACKAGES = ("numpy", "tokenizers", "safetensors", "numba")


def add_to(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("info", parents=[common.of_model()],
                                 help="print versions, model, backend, threads and cache")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is here."""
    print(f"nerlite {nerlite.__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in PACKAGES:
        print(f"  {package:<12} {_version(package)}")
    tagger = common.load(options)
    config, card = tagger.config, Path(tagger.path, "README.md")
    print(f"model          {config.name}, {config.dtype}, {len(config.tags)} tags ({config.scheme}), {tagger.path}")
    print(f"backend        {tagger.backend}")
    print(f"threads        {tagger.threads} ({os.cpu_count()} processors)")
    print(f"kernels        {kernels_of(tagger.backend)}")
    print(f"model card     {card if card.is_file() else 'none'}")
    if card.is_file():
        for line in card.read_text(encoding="utf-8", errors="replace").strip().splitlines()[:8]:
            print(f"  | {line}")
    return 0


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def kernels_of(backend: str) -> str:
    """Say where the backend's compiled kernels are kept."""
    if backend == "numpy":
        return "not used by this backend"
    if backend == "native":
        return library_path(cpu_level())
    from nerlite.kernels import entries as kernels

    # Those for int8 and for float32 of one name are kept in one file.
    compiled = {kernel.__qualname__: kernel for kernel in (getattr(kernels, name) for name in SIGNATURES)}.values()
    folders = {kernel.stats.cache_path for kernel in compiled} - {None}
    if not folders:
        return "none: no folder is writable, so every process compiles its kernels (NUMBA_CACHE_DIR names one)"
    kept = [kernel for kernel in compiled if kernel.stats.cache_path and kernel._cache.holds_code()]
    return f"{len(kept)} of {len(compiled)} are compiled, in {', '.join(sorted(folders))}"
