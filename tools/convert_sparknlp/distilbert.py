"""DistilBertEmbeddings → nerlite's encoder: sizes, tensors and the vocabulary."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nerlite.config import EncoderConfig

from .errors import ConversionError
from .graph import Function, Graph, Node, input_numbers
from .stage import Stage
from .tensor_bundle import TensorBundle

# A layer's parts: nerlite's name, TensorFlow's name, the shape in terms of the hidden size H and the inner size I.
_NORM_ENDS = (("weight", "gamma"), ("bias", "beta"))
_LINEAR_ENDS = (("weight", "kernel"), ("bias", "bias"))
_LAYER_LINEARS = (("query", "attention/q_lin", "HH"), ("key", "attention/k_lin", "HH"),
                  ("value", "attention/v_lin", "HH"), ("attention_out", "attention/out_lin", "HH"),
                  ("ffn_in", "ffn/lin1", "HI"), ("ffn_out", "ffn/lin2", "IH"))
_LAYER_NORMS = (("attention_norm", "sa_layer_norm"), ("ffn_norm", "output_layer_norm"))
_ANCHOR = "embeddings/LayerNorm/gamma"  # its name shows what precedes the layers' names
_QUERY = re.compile(r"/layer_\._(\d+)/attention/q_lin/BiasAdd$")
_MAX_HOPS = 4  # from an assigned variable back to what was restored: one Identity
_MIN_SENTENCE_LENGTH = 3  # [CLS], a piece, [SEP]


class Encoder(NamedTuple):
    """tensors: float32, as `nerlite.weights.expected_tensors` names them; vocabulary: piece → id."""

    config: EncoderConfig
    tensors: dict[str, np.ndarray]
    vocabulary: dict[str, int]
    case_sensitive: bool
    max_sentence_length: int


def read_distilbert(stage: Stage, scratch: Path) -> Encoder:
    """Read a saved DistilBertEmbeddings; `ConversionError` says what nerlite's encoder does not have.

    scratch: an existing folder to unpack into; the tensors are views of files there.
    """
    graph, bundle = stage.network("distilbert_tensorflow", scratch)
    keys = _variable_keys(graph)
    prefix = next((name.removesuffix(_ANCHOR) for name in keys if name.endswith(_ANCHOR)), None)
    if prefix is None:
        raise ConversionError(f"{graph.name}: no variable {_ANCHOR!r}: this is no DistilBERT in TensorFlow 2's form")
    variables = {name.removeprefix(prefix): key for name, key in keys.items() if name.startswith(prefix)}
    n_layers = len({match[1] for name in variables if (match := re.match(r"transformer/layer_\._(\d+)/", name))})
    if n_layers == 0:
        raise ConversionError(f"{graph.name}: no variable {prefix}transformer/layer_._0/…: a DistilBERT without layers")
    tensors = _tensors(variables, n_layers, bundle, graph.name)
    vocab_size, hidden = tensors["encoder.word_embeddings"].shape
    positions = len(tensors["encoder.position_embeddings"])
    n_heads, layer_norm_eps = _constants(graph, stage, n_layers, hidden)
    config = EncoderConfig(vocab_size, hidden, n_layers, n_heads, tensors["encoder.layers.0.ffn_in.bias"].size,
                           positions, layer_norm_eps)
    if (dimension := stage.param("dimension", int, hidden)) != hidden:
        raise ConversionError(f"{stage.shown}: dimension: expected the network's {hidden}, got {dimension}")
    max_length = stage.param("maxSentenceLength", int, 128)
    if max_length < _MIN_SENTENCE_LENGTH:
        raise ConversionError(f"{stage.shown}: maxSentenceLength: {max_length} leaves no room for a word")
    return Encoder(config, tensors, _vocabulary(stage, vocab_size), stage.param("caseSensitive", bool, False),
                   min(max_length, positions))


def _variable_keys(graph: Graph) -> dict[str, str]:
    """Return variable name → checkpoint key.

    The restore function reads the checkpoint's keys in one RestoreV2 and assigns its outputs to its arguments; the
    graph calls it with the variables.
    """
    call, function, restore = _restore_call(graph)
    names = function.nodes[restore.inputs[1]].strings() if restore.inputs[1] in function.nodes else []
    variables = dict(zip(function.arguments, call.inputs, strict=False))
    keys: dict[str, str] = {}
    for assign in function.nodes.values():
        if assign.op != "AssignVariableOp" or len(assign.inputs) < 2:
            continue
        output = _restored_output(function, assign, restore.name)
        variable = graph.nodes.get(variables.get(assign.inputs[0], ""))
        if variable is not None and variable.op == "VarHandleOp" and output is not None and output < len(names):
            shared = variable.attributes["shared_name"].s if "shared_name" in variable.attributes else b""
            keys[shared.decode("utf-8", "replace") or variable.name] = names[output]
    return keys


def _restore_call(graph: Graph) -> tuple[Node, Function, Node]:
    """Return the node that calls the restore function, the function, and its RestoreV2."""
    seen: set[str] = set()
    for call in graph.nodes.values():
        name = call.attributes["f"].func.name if "f" in call.attributes else ""
        if name in graph.functions and name not in seen:
            seen.add(name)
            function = graph.functions[name]
            for node in function.nodes.values():
                if node.op == "RestoreV2" and len(node.inputs) > 1:
                    return call, function, node
    raise ConversionError(f"{graph.name}: no function restores variables from a checkpoint: this is no network that "
                          "TensorFlow 2 saved")


def _restored_output(function: Function, assign: Node, restore: str) -> int | None:
    """Return which output of RestoreV2 an AssignVariableOp stores, through Identity nodes."""
    source = assign.raw_inputs[1]
    for _ in range(_MAX_HOPS):
        if match := re.fullmatch(r"(.*):tensors:(\d{1,6})", source):
            return int(match[2]) if match[1] == restore else None
        identity = function.nodes.get(source.partition(":")[0])
        if identity is None or identity.op != "Identity" or not identity.raw_inputs:
            return None
        source = identity.raw_inputs[0]
    return None


def _tensors(variables: dict[str, str], n_layers: int, bundle: TensorBundle, graph_name: str) -> dict[str, np.ndarray]:
    """Return the encoder's tensors in nerlite's names and layout, each of the shape that the others ask for."""

    def read(name: str, *shape: int | None) -> np.ndarray:
        if name not in variables:
            raise ConversionError(f"{graph_name}: no variable {name!r}")
        return bundle.tensor(variables[name], shape)

    words = read("embeddings/word_embeddings/weight", None, None)
    hidden = words.shape[1]
    inner = read("transformer/layer_._0/ffn/lin1/bias", None).size
    sizes = {"H": hidden, "I": inner}
    tensors = {"encoder.word_embeddings": words,
               "encoder.position_embeddings": read("embeddings/position_embeddings/embeddings", None, hidden)}
    for ours, theirs in _NORM_ENDS:
        tensors[f"encoder.embedding_norm.{ours}"] = read(f"embeddings/LayerNorm/{theirs}", hidden)
    for i in range(n_layers):
        layer, source = f"encoder.layers.{i}", f"transformer/layer_._{i}"
        for name, part, shape in _LAYER_LINEARS:
            for ours, theirs in _LINEAR_ENDS:
                wanted = [sizes[size] for size in (shape if theirs == "kernel" else shape[1])]
                tensors[f"{layer}.{name}.{ours}"] = read(f"{source}/{part}/{theirs}", *wanted)
        for name, part in _LAYER_NORMS:
            for ours, theirs in _NORM_ENDS:
                tensors[f"{layer}.{name}.{ours}"] = read(f"{source}/{part}/{theirs}", hidden)
        for ours, _ in _LINEAR_ENDS:
            tensors[f"{layer}.qkv.{ours}"] = np.concatenate(
                [tensors.pop(f"{layer}.{name}.{ours}") for name in ("query", "key", "value")], axis=-1)
    return tensors


def _constants(graph: Graph, stage: Stage, n_layers: int, hidden: int) -> tuple[int, float]:
    """Return the number of heads and the LayerNorm epsilon, which are constants of the graph.

    They are read from the functions that compute last_hidden_state, which are also checked for exact GELU.
    """
    output = stage.map_field("signatures", str).get("last_hidden_state", "StatefulPartitionedCall:0")
    functions = list(graph.called([graph.node(output.partition(":")[0])]))
    heads: dict[str, float] = {}
    epsilons: list[float] = []
    n_erf = 0
    for function in functions:
        for node in function.nodes.values():
            source = node.inputs[0] if node.inputs else ""
            n_erf += node.op == "Erf"
            if node.op == "Rsqrt" and (added := function.nodes.get(source)) and added.op in ("Add", "AddV2"):
                epsilons += input_numbers(function.nodes, added)
            if node.op == "Reshape" and (match := _QUERY.search(source)):
                heads.setdefault(match[1], _reshaped_heads(function, node))
    if n_erf != n_layers:
        raise ConversionError(f"{graph.name}: expected one exact GELU (Erf) a layer, got {n_erf} for {n_layers} "
                              "layers: another activation is not supported")
    if len(heads) != n_layers or len(set(heads.values())) != 1:
        raise ConversionError(f"{graph.name}: expected one number of heads in all {n_layers} layers, "
                              f"got {sorted(heads.values())}")
    if len(epsilons) != 2 * n_layers + 1 or len(set(epsilons)) != 1 or not 0 < epsilons[0] < 1:
        raise ConversionError(f"{graph.name}: expected one LayerNorm epsilon, {2 * n_layers + 1} times, "
                              f"got {sorted(set(epsilons))[:9]}, {len(epsilons)} times")
    n_heads = next(iter(heads.values()))
    if not n_heads > 0 or hidden % n_heads:
        raise ConversionError(f"{graph.name}: the hidden size {hidden} is no multiple of the {n_heads:g} heads")
    return int(n_heads), float(str(np.float32(epsilons[0])))


def _reshaped_heads(function: Function, node: Node) -> float:
    """Return the third size of a Reshape to (batch, pieces, heads, head size)."""
    shape = function.nodes.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if shape is None:
        return 0
    if shape.op == "Const":
        sizes = shape.numbers()
    else:
        sizes = [next(iter(function.nodes[name].numbers()), 0) if name in function.nodes else 0
                 for name in shape.inputs]
    return sizes[2] if len(sizes) == 4 else 0


def _vocabulary(stage: Stage, vocab_size: int) -> dict[str, int]:
    vocabulary: dict[str, int] = stage.map_field("vocabulary", int)
    shown = f"{stage.folder.shown}/fields/vocabulary"
    if missing := [piece for piece in ("[UNK]", "[CLS]", "[SEP]") if piece not in vocabulary]:
        raise ConversionError(f"{shown}: expected BERT's pieces, but {', '.join(missing)} is missing")
    ids = set(vocabulary.values())
    if len(ids) != len(vocabulary) or min(ids) < 0 or max(ids) >= vocab_size:
        raise ConversionError(f"{shown}: expected each id once, from 0 to {vocab_size - 1}, the rows of the word "
                              f"embeddings; got {len(vocabulary)} pieces with ids {min(ids)} to {max(ids)}")
    try:
        "".join(vocabulary).encode()
    except UnicodeEncodeError:
        raise ConversionError(f"{shown}: a piece is half of a surrogate pair, which tokenizer.json cannot "
                              "hold") from None
    return vocabulary
