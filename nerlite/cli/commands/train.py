"""nerlite train: a model from CoNLL files of one's own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from nerlite.cli import options as common
from nerlite.config import read_config
from nerlite.errors import InputError
from nerlite.pipeline import find_model

# A piece of BERT's vocabularies that stands for nothing.
UNUSED = "[unused1]"


def add_to(commands: Any, about: str) -> None:
    """Add the command's parser; about: what the command does."""
    parser = commands.add_parser(
        "train", help=about,
        description="Train a model on CoNLL files, with whatever labels they have: words in the first column, tags "
        "(IOB or BIOES) in the last, -DOCSTART- lines between documents, where those are known.")
    parser.add_argument("files", nargs="+", metavar="TRAIN", help="files to train on")
    parser.add_argument("--valid", required=True, metavar="FILE", help="file by which the best weights are chosen")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR",
                        help="model directory to write; absent or empty")
    parser.add_argument("--from", dest="start", metavar="DIR",
                        help="a model directory or the name of a shipped model to begin with (default: the shipped "
                        "one); all of it where the tags are the same, else its encoder")
    parser.add_argument("--name", help="the model's name (default: that of DIR)")
    parser.add_argument("--epochs", type=common.positive_integer, default=5, metavar="N",
                        help="how often the files are read (default: 5; a few hundred sentences need a dozen)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--dtype", choices=("int8", "float32"), default="int8", help="how to store it (default: int8)")
    parser.add_argument("--checkpoints", type=Path, metavar="DIR",
                        help="where the weights lie meanwhile (default: the model directory's name and .checkpoints)")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run of this command stopped")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train and write the model directory."""
    try:
        from nerlite.training.trainer import train
    except ImportError as error:
        raise InputError(f"train: PyTorch is missing ({error}); pip install 'nerlite[train]'") from None
    from nerlite.training.recipe import Recipe, SetRules

    out: Path = options.out
    training, valid = ([SetRules(str(Path(file).resolve())) for file in files]
                       for files in (options.files, [options.valid]))
    start = Path(find_model(options.start))
    recipe = Recipe(options.name or out.resolve().name, tuple(training), tuple(valid), str(start), _line_piece(start),
                    epochs=options.epochs, frozen_epochs=min(1, options.epochs - 1), seed=options.seed, characters=3)
    checkpoints = options.checkpoints or out.with_name(f"{out.resolve().name}.checkpoints")
    train(recipe, [Path()], checkpoints, out, dtype=options.dtype, resume=options.resume,
          report=lambda line: print(line, flush=True))
    print(f"wrote {out}")
    return 0


def _line_piece(start: Path) -> str:
    """Return the piece that stands for a line break: the model's, else one that nothing else uses, or none."""
    if breaks := read_config(start / "config.json").breaks:
        return breaks.line
    return UNUSED if json.dumps(UNUSED) in (start / "tokenizer.json").read_text(encoding="utf-8") else ""
