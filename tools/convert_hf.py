"""Turn a local Hugging Face DistilBERT or BERT checkpoint into a nerlite model directory.

Command: python tools/convert_hf.py SRC DST

SRC holds config.json, the weights (safetensors, sharded or not, or pytorch_model.bin where torch is installed) and
tokenizer.json or vocab.txt. A base model gives an encoder without tags, a *ForTokenClassification a whole tagger.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from checkpoint import read_json, read_weights
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from nerlite.config import Config, EncoderConfig, out_of_range
from nerlite.errors import ModelError
from nerlite.model_directory import check_destination, write_model
from nerlite.tags import split_tag
from nerlite.weights import Shape

# EncoderConfig's keys in each architecture's config.json; only layer_norm_eps may be absent there.
CONFIG_KEYS = {
    "distilbert": {"vocab_size": "vocab_size", "hidden_size": "dim", "num_hidden_layers": "n_layers",
                   "num_attention_heads": "n_heads", "intermediate_size": "hidden_dim",
                   "max_position_embeddings": "max_position_embeddings"},
    "bert": {"vocab_size": "vocab_size", "hidden_size": "hidden_size", "num_hidden_layers": "num_hidden_layers",
             "num_attention_heads": "num_attention_heads", "intermediate_size": "intermediate_size",
             "max_position_embeddings": "max_position_embeddings", "layer_norm_eps": "layer_norm_eps"},
}
# Settings that change what is computed: key, the values that nerlite computes, the value where the key is absent.
COMPUTED = {
    "distilbert": (("activation", ("gelu", "gelu_python"), "gelu"),),
    "bert": (("hidden_act", ("gelu", "gelu_python"), "gelu"),
             ("position_embedding_type", ("absolute",), "absolute"),
             ("is_decoder", (False,), False),
             ("add_cross_attention", (False,), False)),
}
# A layer's parts, each with a weight and a bias: nerlite's name, DistilBERT's, BERT's.
LAYER_PARTS = (
    ("query", "attention.q_lin", "attention.self.query"),
    ("key", "attention.k_lin", "attention.self.key"),
    ("value", "attention.v_lin", "attention.self.value"),
    ("attention_out", "attention.out_lin", "attention.output.dense"),
    ("attention_norm", "sa_layer_norm", "attention.output.LayerNorm"),
    ("ffn_in", "ffn.lin1", "intermediate.dense"),
    ("ffn_out", "ffn.lin2", "output.dense"),
    ("ffn_norm", "output_layer_norm", "output.LayerNorm"),
)
LAYERS = {"distilbert": "transformer.layer", "bert": "encoder.layer"}
# The ends of BERT's oldest checkpoints.
OLD_ENDS = ((".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias"))
# Tensors that tagging does not use, by the beginning of their names.
IGNORED = {
    "embeddings.position_ids": "0, 1, 2, …",
    "pooler.": "reads [CLS] for the sentence",
    "cls.predictions.": "BERT's masked language model head",
    "cls.seq_relationship.": "BERT's next sentence head",
    "vocab_transform.": "DistilBERT's masked language model head",
    "vocab_layer_norm.": "DistilBERT's masked language model head",
    "vocab_projector.": "DistilBERT's masked language model head",
}
# tokenizer_config.json's keys and BertNormalizer's.
NORMALIZER_KEYS = {"do_lower_case": "lowercase", "strip_accents": "strip_accents",
                   "tokenize_chinese_chars": "handle_chinese_chars"}
BERT_TOKENIZERS = ("BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast")
PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES"}

Dtype = Literal["float32", "float16", "int8"]
Scheme = Literal["IOB1", "IOB2", "BIOES"]
ANY = -1


def convert(src: Path, dst: Path, *, name: str | None = None, dtype: Dtype = "float32", scheme: Scheme | None = None,
            decoder: Literal["viterbi", "argmax"] = "viterbi") -> Config:
    """Convert the checkpoint in src to the model directory dst and return its config.

    name: the model's name, dst's if None. dtype: as `Config.dtype`. scheme and decoder: of a token classifier, as
    in `Config`; without a scheme it is read off the labels (`scheme_of`).
    Raises `ModelError` for a checkpoint that nerlite would not compute exactly as transformers does, and for a dst
    in use; nothing is written then.
    """
    check_destination(dst)
    path = src / "config.json"
    settings = read_json(path)
    architecture, encoder = read_encoder_config(settings, path)
    tags: tuple[str, ...] = ()
    architectures = settings.get("architectures") or []
    if not isinstance(architectures, list):
        raise ModelError(f"{path}: architectures: expected a list of names, got {architectures!r:.80}")
    if is_tagger := any(str(item).endswith("ForTokenClassification") for item in architectures):
        tags = read_tags(settings, path)
        scheme = scheme or scheme_of(tags)
        check_tags(tags, scheme, path)
    tensors = convert_weights(read_weights(src), architecture, encoder, len(tags) if is_tagger else None, src)
    tokenizer_json, limit = read_tokenizer(src)
    config = Config(name=name or dst.resolve().name, encoder=encoder, tags=tags, scheme=scheme or "IOB2",
                    decoder=decoder, window=int(min(limit, encoder.max_position_embeddings)), dtype=dtype)
    return write_model(config, tensors, tokenizer_json, model_card(config, architecture, src), dst)


def read_encoder_config(settings: dict[str, Any], path: Path) -> tuple[str, EncoderConfig]:
    """Return "distilbert" or "bert" and the encoder's sizes; refuse what the engine does not compute.

    settings: config.json's object; path: its file, for messages.
    """
    architecture = settings.get("model_type")
    if not isinstance(architecture, str) or architecture not in CONFIG_KEYS:
        raise ModelError(f"{path}: model_type: expected {' or '.join(CONFIG_KEYS)}, got {architecture!r}")
    problems = []
    for key, computed, default in COMPUTED[architecture]:
        if (value := settings.get(key, default)) not in computed:
            problems.append(f"{key}: expected {' or '.join(map(str, computed))}, got {value!r}")
    sizes: dict[str, Any] = {}
    for ours, theirs in CONFIG_KEYS[architecture].items():
        value = settings.get(theirs, EncoderConfig._field_defaults.get(ours))
        if type(value) is not int and not (ours == "layer_norm_eps" and type(value) is float):
            problems.append(f"{theirs}: expected a number, got {value!r}")
        sizes[ours] = value
    if not problems:  # numbers: before anything is made of so many
        for problem in out_of_range(sizes):
            ours, _, rest = problem.partition(":")
            problems.append(f"{CONFIG_KEYS[architecture][ours]}:{rest}")
    if problems:
        raise ModelError(f"{path}: " + "; ".join(problems))
    return architecture, EncoderConfig(**sizes)


def read_tags(settings: dict[str, Any], path: Path) -> tuple[str, ...]:
    """Return the labels of a token classifier in the order of its outputs, from config.json's id2label."""
    labels = settings.get("id2label")
    if not isinstance(labels, dict) or not labels or set(labels) != {str(i) for i in range(len(labels))}:
        raise ModelError(f'{path}: id2label: expected {{"0": TAG, "1": TAG, …}}, got {labels!r:.200}')
    return tuple(str(labels[str(i)]) for i in range(len(labels)))


def scheme_of(tags: Sequence[str]) -> Scheme:
    """Return the scheme whose prefixes the tags have: E- or S- is BIOES, B- is IOB2, I- alone is IOB1.

    IOB1 with its rare B- looks like IOB2; only the user can tell.
    """
    prefixes = {split_tag(tag)[0] for tag in tags}
    if prefixes & {"E", "S"}:
        return "BIOES"
    return "IOB2" if "B" in prefixes else "IOB1"


def check_tags(tags: Sequence[str], scheme: str, path: Path) -> None:
    """Raise `ModelError` that lists the tags which the scheme does not have."""
    wrong = []
    for tag in tags:
        prefix, label = split_tag(tag)
        if tag != "O" and not (label and len(prefix) == 1 and prefix in PREFIXES[scheme]):
            wrong.append(tag)
    if wrong:
        expected = ", ".join(f"{prefix}-LABEL" for prefix in PREFIXES[scheme])
        raise ModelError(f"{path}: id2label: expected O, {expected} for {scheme}, got {', '.join(map(repr, wrong))}")


def expected_weights(architecture: str, encoder: EncoderConfig,
                     n_tags: int | None) -> Iterator[tuple[str, str, Shape]]:
    """Yield (nerlite's name, Hugging Face's name, Hugging Face's shape) of each tensor of a checkpoint.

    nerlite's names are those of `nerlite.weights`, except that query, key and value are still apart and BERT's
    type embeddings still stand alone; ANY is a size that may be any.
    """
    hidden, inner = encoder.hidden_size, encoder.intermediate_size
    yield "encoder.word_embeddings", "embeddings.word_embeddings.weight", (encoder.vocab_size, hidden)
    yield ("encoder.position_embeddings", "embeddings.position_embeddings.weight",
           (encoder.max_position_embeddings, hidden))
    if architecture == "bert":
        yield "encoder.type_embeddings", "embeddings.token_type_embeddings.weight", (ANY, hidden)
    parts: list[tuple[str, str, Shape]] = [("encoder.embedding_norm", "embeddings.LayerNorm", (hidden,))]
    shapes: dict[str, Shape] = {"ffn_in": (inner, hidden), "ffn_out": (hidden, inner),
                                "attention_norm": (hidden,), "ffn_norm": (hidden,)}
    for i in range(encoder.num_hidden_layers):
        for ours, *theirs in LAYER_PARTS:
            part = theirs[list(LAYERS).index(architecture)]
            parts.append((f"encoder.layers.{i}.{ours}", f"{LAYERS[architecture]}.{i}.{part}",
                          shapes.get(ours, (hidden, hidden))))
    if n_tags is not None:
        parts.append(("emissions", "classifier", (n_tags, hidden)))
    for ours, part, shape in parts:
        yield f"{ours}.weight", f"{part}.weight", shape
        yield f"{ours}.bias", f"{part}.bias", shape[:1]


def convert_weights(weights: dict[str, np.ndarray], architecture: str, encoder: EncoderConfig, n_tags: int | None,
                    src: Path) -> dict[str, np.ndarray]:
    """Rename a checkpoint's tensors and lay them out as `nerlite.weights.expected_tensors` says, in float32.

    n_tags: None for a checkpoint without a token classifier. One `ModelError` names every tensor that is missing,
    unexpected, misshapen or not of floating-point numbers.
    """
    problems: list[str] = []
    found: dict[str, np.ndarray] = {}
    originals: dict[str, str] = {}
    for original, array in weights.items():
        name = original.removeprefix(f"{architecture}.")
        for old, new in OLD_ENDS:
            if name.endswith(old):
                name = name.removesuffix(old) + new
        if name in found:
            problems.append(f"{original} and {originals[name]} are one tensor under two names")
        if not name.startswith(tuple(IGNORED)):
            found[name], originals[name] = array, original
    tensors = {}
    for ours, theirs, shape in expected_weights(architecture, encoder, n_tags):
        if (tensor := found.pop(theirs, None)) is None:
            problems.append(f"missing {theirs}")
            continue
        if tensor.shape != shape and not (shape[0] == ANY and tensor.shape[1:] == shape[1:] and len(tensor)):
            problems.append(f"{originals[theirs]}: expected {shape}, got {tensor.shape}")
        if tensor.dtype.kind != "f":
            problems.append(f"{originals[theirs]}: expected floating-point numbers, got {tensor.dtype}")
        tensor = tensor.astype(np.float32)
        tensors[ours] = tensor.T if ours.endswith(".weight") else tensor
    problems += [f"unexpected {originals[name]}" for name in found]
    if problems:
        raise ModelError(f"{src}: the weights differ from what config.json says:\n  " + "\n  ".join(problems))
    if architecture == "bert":  # every piece is of type 0
        tensors["encoder.position_embeddings"] = (tensors["encoder.position_embeddings"]
                                                  + tensors.pop("encoder.type_embeddings")[0])
    for i in range(encoder.num_hidden_layers):
        for end in ("weight", "bias"):
            tensors[f"encoder.layers.{i}.qkv.{end}"] = np.concatenate(
                [tensors.pop(f"encoder.layers.{i}.{part}.{end}") for part in ("query", "key", "value")], axis=-1)
    return tensors


def read_tokenizer(src: Path) -> tuple[str, float]:
    """Return the text of a tokenizer.json, from src's own or built from vocab.txt, and the most pieces it is for.

    tokenizer_config.json's case, accent and Chinese settings hold for both, as in transformers.
    """
    path = src / "tokenizer_config.json"
    settings = read_json(path) if path.is_file() else {}
    kind = settings.get("tokenizer_class")
    if (src / "tokenizer.json").is_file():
        data = read_json(src / "tokenizer.json")
    elif not (src / "vocab.txt").is_file():
        raise ModelError(f"{src}: expected tokenizer.json or vocab.txt; there is neither")
    elif kind not in (None, *BERT_TOKENIZERS) or settings.get("do_basic_tokenize") is False:
        raise ModelError(f"{path}: vocab.txt alone: expected {BERT_TOKENIZERS[0]} or {BERT_TOKENIZERS[2]} with "
                         f"do_basic_tokenize, got {kind}, {settings.get('do_basic_tokenize')}; save the checkpoint "
                         "with a tokenizer.json")
    else:
        data = json.loads(bert_tokenizer(src / "vocab.txt").to_str())
    normalizer = data.get("normalizer")
    if (kind in (None, *BERT_TOKENIZERS) and isinstance(normalizer, dict)
            and normalizer.get("type") == "BertNormalizer"):
        normalizer.update({ours: settings[key] for key, ours in NORMALIZER_KEYS.items() if key in settings})
    limit = settings.get("model_max_length")
    is_number = isinstance(limit, (int, float)) and not math.isnan(limit)
    return json.dumps(data, ensure_ascii=False), limit if is_number else math.inf


def bert_tokenizer(path: Path) -> Tokenizer:
    """Return BERT's WordPiece tokenizer, with Hugging Face's default settings, over a vocab.txt: one piece a line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as UTF-8 text: {error}") from None
    vocabulary = {line: i for i, line in enumerate(lines[:-1] if lines[-1] == "" else lines)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([piece for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
                                  if piece in vocabulary])
    return tokenizer


def model_card(config: Config, architecture: str, src: Path) -> str:
    """Return the text of README.md."""
    encoder = config.encoder
    lines = [
        f"# {config.name}", "",
        f"Converted by tools/convert_hf.py from the Hugging Face checkpoint `{src.resolve().name}`, whose licence "
        "and model card hold for it.", "",
        f"- encoder: {architecture}, {encoder.num_hidden_layers} layers, {encoder.hidden_size} wide, "
        f"{encoder.num_attention_heads} heads, {encoder.vocab_size} pieces, "
        f"{encoder.max_position_embeddings} positions",
    ]
    if config.tags:
        lines.append(f"- tags ({config.scheme}, decoder {config.decoder}): {' '.join(config.tags)}")
    else:
        lines.append("- tags: none; it is an encoder alone, which finds no entities")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("src", type=Path, metavar="SRC", help="directory of the checkpoint")
    parser.add_argument("dst", type=Path, metavar="DST", help="model directory to write; absent or empty")
    parser.add_argument("--name", help="name of the model (default: DST's)")
    parser.add_argument("--dtype", choices=get_args(Dtype), default="float32", help="how to store the weights")
    parser.add_argument("--scheme", choices=get_args(Scheme),
                        help="tag scheme of a token classifier (default: read off its labels)")
    parser.add_argument("--decoder", choices=("viterbi", "argmax"), default="viterbi",
                        help="viterbi (default) gives well-formed tags only, argmax each word's best")
    options = parser.parse_args(arguments)
    try:
        config = convert(**vars(options))
    except (ModelError, OSError) as error:
        print(f"convert_hf: {error}", file=sys.stderr)
        return 2
    print(f"{options.dst}: {config.name}, {config.dtype}, tags: {' '.join(config.tags) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
