"""Store a float32 model directory in int8 or float16.

Command: python tools/quantize.py SRC DST
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from nerlite.config import Config, read_config
from nerlite.errors import ModelError
from nerlite.model_directory import check_destination, write_model
from nerlite.weights import read_tensors


def quantize(src: Path, dst: Path, dtype: Literal["int8", "float16"] = "int8") -> Config:
    """Write the float32 model in src to dst, stored as dtype (`nerlite.weights.expected_tensors`).

    The model card is src's and a line that says so, as its scores are of the float32 form.
    Raises `ModelError` for a src that is no float32 model and for a dst in use; nothing is written then.
    """
    check_destination(dst)
    config = read_config(src / "config.json")
    if config.dtype != "float32":
        raise ModelError(f"{src / 'config.json'}: dtype: expected float32, got {config.dtype}")
    tensors = read_tensors(config, src / "model.safetensors")
    tokenizer_json, readme = (src / "tokenizer.json").read_text(encoding="utf-8"), src / "README.md"
    card = readme.read_text(encoding="utf-8") if readme.exists() else f"# {config.name}"
    card = f"{card.rstrip()}\n\nThe weights here are stored in {dtype}; scores above are of the float32 form.\n"
    return write_model(config._replace(dtype=dtype), tensors, tokenizer_json, card, dst)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("src", type=Path, metavar="SRC", help="model directory in float32")
    parser.add_argument("dst", type=Path, metavar="DST", help="model directory to write; absent or empty")
    parser.add_argument("--dtype", choices=("int8", "float16"), default="int8", help="how to store it (default: int8)")
    options = parser.parse_args(arguments)
    try:
        quantize(**vars(options))
    except (ModelError, OSError, UnicodeError) as error:
        print(f"quantize: {error}", file=sys.stderr)
        return 2
    files = [path / "model.safetensors" for path in (options.src, options.dst)]
    print(f"{options.dst}: {options.dtype}, {' → '.join(f'{file.stat().st_size / 1e6:.1f}' for file in files)} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
