"""Make the opponents' models from the shipped one: the same encoder, its int8 weights as the float32 that they mean.

    python benchmarks/export.py [--cache DIR]

Writes into a folder of the cache, named after what it is made of, whatever is not there yet:
- float32/: the whole model as a nerlite model directory in float32
- huggingface/: the encoder as transformers' BertModel
- float32.onnx: exported by PyTorch; fused.onnx: that with onnxruntime.transformers' BERT fusions
- int8.onnx: the fused graph by onnxruntime's dynamic quantization, a scale a channel; reduced range where the CPU has
  no VNNI, as its int16 sums overflow there without
- ctranslate2/: in int8, by its own converter
- openvino.xml: converted from float32.onnx; openvino-int8.xml: that after nncf's post-training quantization for
  transformers, calibrated on sentences of CoNLL-2003 train
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import MODEL, fresh, parser, sample
from machine import cpu_flags

from nerlite.config import read_config, write_config
from nerlite.weights import expected_tensors, read_tensors, write_tensors

N_CALIBRATION = 300
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# nerlite's name and BERT's of what is in every layer beside query, key and value.
LAYER_PARTS = (("attention_out", "attention.output.dense"), ("attention_norm", "attention.output.LayerNorm"),
               ("ffn_in", "intermediate.dense"), ("ffn_out", "output.dense"), ("ffn_norm", "output.LayerNorm"))


class Exports:
    """The exported models, each made when it is first asked for."""

    def __init__(self, cache: Path) -> None:
        """cache: a folder; what was made of another model, by other versions or by other code lies beside."""
        makers = ("numpy", "torch", "transformers", "onnx", "onnxruntime", "ctranslate2", "openvino", "nncf")
        made_of = "".join(f"{name} {importlib.metadata.version(name)}\n" for name in makers
                          if importlib.util.find_spec(name))
        made_of += hashlib.sha256(Path(__file__).read_bytes()).hexdigest() + str(has_vnni())
        made_of += "".join(hashlib.sha256((MODEL / name).read_bytes()).hexdigest()
                           for name in ("config.json", "model.safetensors", "tokenizer.json"))
        self.folder = cache / hashlib.sha256(made_of.encode()).hexdigest()[:12]

    def _made(self, name: str, make: Callable[[Path], Any]) -> Path:
        """Return the folder's file or directory of that name; unless it is there, make it under another first."""
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder, prefix="partial-") as partial:
                make(Path(partial) / name)
                for each in sorted(Path(partial).iterdir()):  # OpenVINO writes NAME.bin beside NAME.xml
                    each.replace(self.folder / each.name)
        return path

    @property
    def float32(self) -> Path:
        """A nerlite model directory."""
        return self._made("float32", _write_float32)

    @property
    def huggingface(self) -> Path:
        """A directory for transformers."""
        return self._made("huggingface", lambda path: _write_huggingface(self.float32, path))

    @property
    def onnx(self) -> Path:
        """The graph as PyTorch exports it."""
        return self._made("float32.onnx", lambda path: _write_onnx(self.huggingface, path))

    @property
    def fused(self) -> Path:
        """The graph with onnxruntime's fused operations."""
        return self._made("fused.onnx", lambda path: _write_fused(self.onnx, path))

    @property
    def int8(self) -> Path:
        """The fused graph, dynamically quantized."""
        return self._made("int8.onnx", lambda path: _write_int8(self.fused, path))

    @property
    def ctranslate2(self) -> Path:
        """A directory for CTranslate2, in int8."""
        return self._made("ctranslate2", lambda path: _write_ctranslate2(self.huggingface, path))

    @property
    def openvino(self) -> Path:
        """OpenVINO's graph in float32."""
        return self._made("openvino.xml", lambda path: _write_openvino(self.onnx, path))

    @property
    def openvino_int8(self) -> Path:
        """OpenVINO's graph in int8."""
        return self._made("openvino-int8.xml", lambda path: _write_openvino_int8(self.openvino, path))


def has_vnni() -> bool:
    """Return whether the CPU adds four products of bytes without overflow."""
    return bool({"avx512_vnni", "avx_vnni"} & cpu_flags())


def pad(piece_ids: Sequence[Sequence[int] | np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """piece_ids: (n_pieces,) each → INPUTS, (n_seqs, longest) int64 each, padded with 0 on the right.

    What nerlite's ids say of how words are written are BERT's token types.
    """
    longest, vocab_size = max(map(len, piece_ids)), read_config(MODEL / "config.json").encoder.vocab_size
    ids, mask = np.zeros((2, len(piece_ids), longest), np.int64)
    for row, each in enumerate(piece_ids):
        ids[row, :len(each)], mask[row, :len(each)] = each, 1
    return ids % vocab_size, mask, ids // vocab_size


def _write_float32(path: Path) -> None:
    stored_config = read_config(MODEL / "config.json")
    stored = read_tensors(stored_config, MODEL / "model.safetensors")
    config = stored_config._replace(dtype="float32", checksums=None)
    tensors = {}
    for name in expected_tensors(config):
        tensors[name] = stored[name].astype(np.float32)
        if f"{name}.scale" in stored:
            scale = stored[f"{name}.scale"]
            tensors[name] *= scale[:, None] if name.endswith("_embeddings") else scale
    path.mkdir()
    write_config(config, path / "config.json")
    write_tensors(config, tensors, path / "model.safetensors")
    shutil.copy(MODEL / "tokenizer.json", path)


def _write_huggingface(model: Path, path: Path) -> None:
    """Write the encoder; its type embeddings are those of words' shapes, or 0."""
    import torch
    from transformers import BertConfig, BertModel

    config = read_config(model / "config.json")
    tensors = read_tensors(config, model / "model.safetensors")
    types = tensors.get("encoder.shape_embeddings", np.zeros((2, config.encoder.hidden_size), np.float32))
    weights = {"embeddings.token_type_embeddings.weight": types}

    def take(ours: str, theirs: str, array: np.ndarray) -> None:
        weights[theirs] = np.ascontiguousarray(array.T if ours.endswith(".weight") else array)

    for table in ("word_embeddings", "position_embeddings"):
        take(table, f"embeddings.{table}.weight", tensors[f"encoder.{table}"])
    for end in ("weight", "bias"):
        take(end, f"embeddings.LayerNorm.{end}", tensors[f"encoder.embedding_norm.{end}"])
        for i in range(config.encoder.num_hidden_layers):
            ours, theirs = f"encoder.layers.{i}", f"encoder.layer.{i}"
            qkv = np.split(tensors[f"{ours}.qkv.{end}"], 3, axis=-1)
            for part, array in zip(("query", "key", "value"), qkv, strict=True):
                take(f".{end}", f"{theirs}.attention.self.{part}.{end}", array)
            for part, their_part in LAYER_PARTS:
                take(f".{end}", f"{theirs}.{their_part}.{end}", tensors[f"{ours}.{part}.{end}"])
    settings = config.encoder._asdict() | {"type_vocab_size": len(types)}
    settings["position_embedding_type"] = "absolute"  # CTranslate2 asks for it
    bert = BertModel(BertConfig(**settings), add_pooling_layer=False)
    bert.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    bert.save_pretrained(path)
    shutil.copy(MODEL / "tokenizer.json", path)
    (path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizerFast", "unk_token": "[UNK]"}')


def _write_onnx(huggingface: Path, path: Path) -> None:
    """Export by tracing, with plain attention: of these graphs onnxruntime knows how to fuse attention."""
    import torch
    from transformers import BertModel

    class Encoder(torch.nn.Module):  # type: ignore[misc]  # of a class that mypy does not know
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(huggingface, add_pooling_layer=False, attn_implementation="eager")

        def forward(self, ids: Any, mask: Any, types: Any) -> Any:
            return self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    inputs = tuple(map(torch.from_numpy, pad([np.arange(1000, 1016), np.arange(1000, 1010)])))
    torch.onnx.export(Encoder().eval(), inputs, path, input_names=list(INPUTS), output_names=["hidden"],
                      opset_version=17, dynamo=False,
                      dynamic_axes={name: {0: "batch", 1: "length"} for name in (*INPUTS, "hidden")})


def _write_fused(onnx: Path, path: Path) -> None:
    from onnxruntime.transformers.optimizer import optimize_model

    encoder = read_config(MODEL / "config.json").encoder
    graph = optimize_model(str(onnx), model_type="bert", num_heads=encoder.num_attention_heads,
                           hidden_size=encoder.hidden_size, opt_level=0)
    n_fused = graph.get_fused_operator_statistics()["Attention"]
    if n_fused != encoder.num_hidden_layers:
        raise RuntimeError(f"onnxruntime fused the attention of {n_fused} layers, not of all")
    graph.save_model_to_file(str(path))


def _write_int8(fused: Path, path: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(fused, path, per_channel=True, weight_type=QuantType.QInt8, reduce_range=not has_vnni(),
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})  # fused operations have no type
    n_fused = sum(node.op_type == "QAttention" for node in onnx.load(path).graph.node)
    if n_fused != read_config(MODEL / "config.json").encoder.num_hidden_layers:
        raise RuntimeError(f"onnxruntime quantized the attention of {n_fused} layers, not of all")


def _write_ctranslate2(huggingface: Path, path: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(huggingface)).convert(str(path), quantization="int8")


def _write_openvino(onnx: Path, path: Path) -> None:
    import openvino

    openvino.save_model(openvino.convert_model(onnx), path, compress_to_fp16=False)


def _write_openvino_int8(float32: Path, path: Path) -> None:
    import nncf
    import openvino

    examples = [dict(zip(INPUTS, pad([each.piece_ids]), strict=True)) for sentence in sample(N_CALIBRATION, "train")
                for each in sentence.inputs]
    graph = nncf.quantize(openvino.Core().read_model(float32), nncf.Dataset(examples), subset_size=len(examples),
                          model_type=nncf.ModelType.TRANSFORMER)
    openvino.save_model(graph, path, compress_to_fp16=False)


def export(cache: Path, name: str) -> Path:
    """Make one of `Exports` without its makers' chatter; for `common.fresh`."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    path: Path = getattr(Exports(cache), name)
    return path


def main() -> None:
    """Make all of them, and print where they are."""
    cache = parser(__doc__).parse_args().cache
    for name in ("float32", "int8", "ctranslate2", "openvino_int8"):
        print(fresh(export, cache, name))


if __name__ == "__main__":
    main()
