"""Write a model directory whole or not at all: what the converters, the trainer and the quantizer end in."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np

from nerlite.config import ChecksumsConfig, Config, check_config, write_config
from nerlite.errors import ModelError
from nerlite.pieces import PieceEncoder
from nerlite.weights import FileTensors, Tensors, check_tensors, stored_as, write_tensors
from nerlite.wordpiece import parse_tokenizer


def check_destination(dst: Path) -> None:
    """Raise `ModelError` unless dst is absent or an empty directory; worth asking before hours of work."""
    if dst.exists() and not (dst.is_dir() and not any(dst.iterdir())):
        raise ModelError(f"{dst}: expected a directory that does not exist or is empty; nothing was written")
    if dst.exists() and dst.samefile(Path.cwd()):
        raise ModelError(f"{dst}: expected another directory than the current one, which would be replaced")


def write_model(config: Config, tensors: Tensors, tokenizer_json: str, card: str, dst: Path) -> Config:
    """Write config.json, model.safetensors, tokenizer.json and README.md into dst in one step; return the config there.

    It is the given one with the checksums of the files beside it.

    tensors: the float32 arrays of `nerlite.weights.expected_tensors`; they are stored in config.dtype here.
    tokenizer_json: the text of a tokenizer.json; its truncation and padding are removed.
    card: the text of README.md.
    dst: absent, or an empty directory; its parents are made.

    Everything is written to a temporary sibling of dst that then takes dst's name, so dst is never seen
    half written. Raises `ModelError` for a dst in use, a contradictory config, tensors or a tokenizer that do
    not fit it, and OSError where the disk refuses; none of them leaves anything behind.
    """
    dst = dst.resolve()
    check_destination(dst)
    check_config(config, dst / "config.json")
    as_float32 = config._replace(dtype="float32")
    check_tensors(as_float32, {name: (array.shape, array.dtype.name) for name, array in tensors.items()},
                  dst / "model.safetensors")
    with np.errstate(over="ignore", invalid="ignore"):  # _finite says which float16 cannot hold
        stored = _finite(stored_as(config, tensors), config.dtype, dst / "model.safetensors")
    tokenizer = _checked(config, tokenizer_json, dst / "tokenizer.json")
    missing = [parent for parent in dst.parents if not parent.exists()]
    try:
        dst.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=dst.parent, prefix=".partial-") as staging:
            model = Path(staging) / dst.name
            model.mkdir()
            config = _write(config, stored, tokenizer, card, model)
            try:
                PieceEncoder(model / "tokenizer.json", config.window)
            except ModelError as error:  # the runtime could not use it
                raise ModelError(str(error).replace(str(model), str(dst))) from None
            model.replace(dst)
    except BaseException:
        with contextlib.suppress(OSError):
            for parent in missing:
                parent.rmdir()
        raise
    return config


def _write(config: Config, stored: Tensors, tokenizer: bytes, card: str, model: Path) -> Config:
    write_tensors(config, stored, model / "model.safetensors")
    config = config._replace(checksums=ChecksumsConfig(FileTensors(model / "model.safetensors").checksum(),
                                                       f"{zlib.crc32(tokenizer):08x}"))
    write_config(config, model / "config.json")
    shutil.copymode(model / "config.json", model / "model.safetensors")  # safetensors keeps it from other users
    (model / "tokenizer.json").write_bytes(tokenizer)
    (model / "README.md").write_bytes(card.encode("utf-8", "replace"))
    return config


def _finite(stored: dict[str, np.ndarray], dtype: str, path: Path) -> dict[str, np.ndarray]:
    """Return the tensors, all of finite numbers, but that a CRF may forbid transitions by -inf."""
    if wrong := [name for name, array in stored.items()
                 if not np.isfinite(array).all() and (np.isnan(array).any() or not name.startswith("crf."))]:
        raise ModelError(f"{path}: expected finite numbers as {dtype}, got others in {', '.join(wrong)}")
    return stored


def _checked(config: Config, text: str, path: Path) -> bytes:
    """Return a tokenizer.json without truncation and padding, one that the runtime reads."""
    parse_tokenizer(text, path, config.encoder.vocab_size)
    return json.dumps(json.loads(text) | {"truncation": None, "padding": None}, ensure_ascii=False,
                      separators=(",", ":")).encode("utf-8", "replace")
