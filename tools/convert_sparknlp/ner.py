"""NerDLModel → nerlite's character, context and CRF layers: settings and tensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from nerlite.config import CharCNNConfig, CharLSTMConfig, CharsConfig, ContextConfig
from nerlite.sparknlp.tagging import UNUSED

from .errors import ConversionError
from .graph import Graph, Node, input_numbers
from .stage import Stage, strings
from .tensor_bundle import TensorBundle

_CHAR_LSTM = "char_repr_lstm/sequential/bidirectional"
_DIRECTIONS = ("forward", "backward")
_N_GATES = 3
_HARD_SIGMOID = [("Maximum", [0.0]), ("Minimum", [1.0]), ("Add", [0.5]), ("Mul", [0.2])]  # the last step first
_PEEPHOLES = ("w_i_diag", "w_f_diag", "w_o_diag")


class Head(NamedTuple):
    """tags: one a score column; tensors: float32, as `nerlite.weights.expected_tensors` names them."""

    chars: CharsConfig
    context: ContextConfig
    tags: tuple[str, ...]
    tensors: dict[str, np.ndarray]


def read_ner(stage: Stage, scratch: Path, vector_size: int) -> Head:
    """Read a saved NerDLModel that reads word vectors of this size.

    scratch: an existing folder to unpack into; the tensors are views of files there. `ConversionError` says what
    nerlite's network does not have.
    """
    graph, bundle = stage.network("tensorflow", scratch)
    params, shown = stage.object_field("datasetParams")
    if (dimension := params.fields.get("embeddingsDim")) != vector_size:
        raise ConversionError(f"{shown}: this NerDLModel reads word vectors of {dimension!r} numbers, "
                              f"but the embeddings have {vector_size}")
    alphabet = strings(params.fields.get("chars"), f"{shown}: chars")
    if any(len(char) != 1 for char in alphabet):
        raise ConversionError(f"{shown}: chars: expected one UTF-16 unit each")
    gates = _check_chars_graph(graph)
    chars, tensors = _chars(bundle, alphabet, gates)
    context, context_tensors = _context(bundle, graph, chars.feature_size + vector_size)
    tensors |= context_tensors
    tags = _tags(stage, params.fields, shown, tensors["emissions.bias"].size)
    return Head(chars, context, tags, tensors)


def _tags(stage: Stage, params: dict[str, Any], shown: str, n_columns: int) -> tuple[str, ...]:
    """Return the tags by id: O, then the others in the list's order, then a name for each column left over."""
    if params.get("defaultTag") != "O":
        raise ConversionError(f"{shown}: defaultTag: expected 'O', got another")
    listed = strings(params.get("tags"), f"{shown}: tags")
    tags = ("O", *(tag for tag in listed if tag != "O"))
    if len(set(tags)) != len(tags) or len(tags) > n_columns:
        raise ConversionError(f"{shown}: tags: expected each once and at most {n_columns}, the columns of the network; "
                              f"got {len(listed)}")
    classes = stage.strings("classes")
    if classes is not None and classes != tags:
        raise ConversionError(f"{stage.shown}: classes: expected the tags of {shown}, {', '.join(tags)}; "
                              f"got {', '.join(classes)}")
    return (*tags, *(f"{UNUSED}-{column}>" for column in range(len(tags), n_columns)))


def _chars(bundle: TensorBundle, alphabet: tuple[str, ...],
           gates: Literal["sigmoid", "hard_sigmoid"]) -> tuple[CharsConfig, dict[str, np.ndarray]]:
    """Read the character layers; of their tables only the rows that a character can have."""
    kernel = bundle.tensor("char_repr_cnn/conv1d/kernel", (3, None, None))
    _, cnn_size, n_filters = kernel.shape
    tables = {"cnn": bundle.tensor("char_repr_cnn/char_embeddings", (None, cnn_size)),
              "lstm": bundle.tensor("char_repr_lstm/char_embeddings", (None, None))}
    n_ids = len(alphabet) + 1
    for part, table in tables.items():
        if len(table) < n_ids:
            raise ConversionError(f"{bundle.name}: char_repr_{part}/char_embeddings: expected at least {n_ids} rows "
                                  f"for the {len(alphabet)} characters, got {len(table)}")
    tensors = {f"chars.{part}.embeddings": table[:n_ids] for part, table in tables.items()}
    tensors["chars.cnn.conv.weight"] = kernel.reshape(3 * cnn_size, n_filters)
    tensors["chars.cnn.conv.bias"] = bundle.tensor("char_repr_cnn/conv1d/bias", (n_filters,))
    lstm_size = tables["lstm"].shape[1]
    hidden = len(bundle.tensor(f"{_CHAR_LSTM}/forward_lstm/recurrent_kernel", (None, None)))
    for direction in _DIRECTIONS:  # Keras' gate order i, f, c, o is nerlite's
        source = f"{_CHAR_LSTM}/{direction}_lstm"
        tensors[f"chars.lstm.{direction}.w_ih"] = bundle.tensor(f"{source}/kernel", (lstm_size, 4 * hidden))
        tensors[f"chars.lstm.{direction}.w_hh"] = bundle.tensor(f"{source}/recurrent_kernel", (hidden, 4 * hidden))
        tensors[f"chars.lstm.{direction}.bias"] = bundle.tensor(f"{source}/bias", (4 * hidden,))
    return CharsConfig(alphabet, "utf16", CharCNNConfig(cnn_size, n_filters, "longest"),
                       CharLSTMConfig(lstm_size, hidden, gates)), tensors


def _context(bundle: TensorBundle, graph: Graph, features_size: int) -> tuple[ContextConfig, dict[str, np.ndarray]]:
    """Read the dense layer, the peephole BiLSTM layers, the scores and the transitions."""
    dense = bundle.tensor("W", (features_size, None))
    dense_size = dense.shape[1]
    tensors = {"context.dense.weight": dense, "context.dense.bias": bundle.tensor("b", (dense_size,))}
    n_layers = 0
    while f"context_repr/lstm-{n_layers}/lstm_fused_cell/kernel" in bundle:
        n_layers += 1
    if n_layers == 0:
        raise ConversionError(f"{bundle.name}: no tensor 'context_repr/lstm-0/lstm_fused_cell/kernel': only the "
                              "networks of peephole LSTM layers, which Spark NLP has trained since 2.0, are supported")
    hidden = bundle.tensor("context_repr/lstm-0/lstm_fused_cell/bias", (None,)).size // 4
    if dense_size != 2 * hidden:
        raise ConversionError(f"{bundle.name}: W: residual layers of {hidden} units a direction need {2 * hidden} "
                              f"columns, got {dense_size}")
    for i in range(n_layers):
        _check_residual(graph, i)
        for direction, cell in zip(_DIRECTIONS, ("lstm_fused_cell", "lstm_fused_cell_1"), strict=True):
            source = f"context_repr/lstm-{i}/{cell}"
            forget_bias = _forget_bias(graph, source)
            for name, tensor in _peephole_cell(bundle, source, dense_size, hidden, forget_bias):
                tensors[f"context.layers.{i}.{direction}.{name}"] = tensor
    tensors["emissions.weight"] = bundle.tensor("context_repr/W", (2 * hidden, None))
    n_tags = tensors["emissions.weight"].shape[1]
    tensors["emissions.bias"] = bundle.tensor("context_repr/b", (n_tags,))
    tensors["crf.transitions"] = bundle.tensor("inference/transition_params", (n_tags, n_tags))
    return ContextConfig(dense_size, n_layers, hidden, residual=True, cell="peephole"), tensors


def _peephole_cell(bundle: TensorBundle, source: str, d_in: int, hidden: int,
                   forget_bias: float) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a block cell's tensors: TensorFlow's column order i, c, f, o becomes i, f, c, o.

    The kernel's first d_in rows are the input's, the others the state's. TensorFlow adds the forget bias when it
    runs; here it is part of the bias.
    """

    def permuted(columns: np.ndarray) -> np.ndarray:
        i, c, f, o = np.split(columns, 4, axis=-1)
        return np.concatenate([i, f, c, o], axis=-1)

    kernel = permuted(bundle.tensor(f"{source}/kernel", (d_in + hidden, 4 * hidden)))
    bias = permuted(bundle.tensor(f"{source}/bias", (4 * hidden,)))
    bias[hidden:2 * hidden] += np.float32(forget_bias)
    yield "w_ih", kernel[:d_in]
    yield "w_hh", kernel[d_in:]
    yield "bias", bias
    yield "peepholes", np.stack([bundle.tensor(f"{source}/{name}", (hidden,)) for name in _PEEPHOLES])


def _forget_bias(graph: Graph, source: str) -> float:
    """Return the forget bias of a cell's BlockLSTM; the attributes' defaults are those of the operation."""
    node = graph.node(f"{source}/BlockLSTM")
    attributes = node.attributes
    weights = [f"{source}/{name}" for name in ("kernel", *_PEEPHOLES, "bias")]
    if node.op != "BlockLSTM" or [name.removesuffix("/read") for name in node.inputs[4:]] != weights:
        raise ConversionError(f"{graph.name}: {node.name}: expected the operation BlockLSTM on the cell's weights, "
                              f"got {node.op}")
    if "use_peephole" not in attributes or not attributes["use_peephole"].b:
        raise ConversionError(f"{graph.name}: {node.name}: a cell without peepholes is not supported")
    if "cell_clip" not in attributes or attributes["cell_clip"].f > 0:
        raise ConversionError(f"{graph.name}: {node.name}: a cell that clips its state is not supported")
    return float(attributes["forget_bias"].f) if "forget_bias" in attributes else 1.0


def _check_residual(graph: Graph, layer: int) -> None:
    source = f"context_repr/lstm-{layer}"
    node = graph.node(f"{source}/add")
    if node.op not in ("Add", "AddV2") or f"{source}/transpose_1" not in node.inputs:
        raise ConversionError(f"{graph.name}: {node.name}: expected a layer whose input is added to its output")


def _check_chars_graph(graph: Graph) -> Literal["sigmoid", "hard_sigmoid"]:
    """Check what the weights' shapes do not show of the character layers; return the LSTM's gate function."""
    conv = graph.node("char_repr_cnn/conv1d/conv1d")
    padding = conv.attributes["padding"].s if "padding" in conv.attributes else b""
    steps = [step for name in ("strides", "dilations") if name in conv.attributes
             for step in conv.attributes[name].list.i]
    if padding != b"SAME" or any(step != 1 for step in steps):
        raise ConversionError(f"{graph.name}: {conv.name}: expected padding SAME and steps of 1, got "
                              f"{padding.decode('utf-8', 'replace')}, {steps}")
    graph.node("char_repr_cnn/conv1d/Relu")
    order = [name.partition("/")[0] for name in _concatenated(graph, graph.node("word_repr_1/concat"))]
    if order != ["char_repr_cnn", "char_repr_lstm", "word_repr_1"]:
        raise ConversionError(f"{graph.name}: word_repr_1/concat: expected the character CNN, the character LSTM and "
                              f"the word vector, got {', '.join(order):.200}")
    gates = {_gate_activation(graph, f"{_CHAR_LSTM}/{direction}_lstm") for direction in _DIRECTIONS}
    if len(gates) != 1:
        raise ConversionError(f"{graph.name}: {_CHAR_LSTM}: its two directions have different gates")
    return gates.pop()


def _concatenated(graph: Graph, node: Node, depth: int = 0) -> Iterator[str]:
    """Yield the names of what a ConcatV2 joins, with those it joins through other ConcatV2 nodes."""
    for name in node.inputs[:-1]:  # the last one is the axis
        part = graph.node(name)
        if part.op == "ConcatV2" and len(part.inputs) == 3 and depth < 4:
            yield from _concatenated(graph, part, depth + 1)
        else:
            yield name


def _gate_activation(graph: Graph, prefix: str) -> Literal["sigmoid", "hard_sigmoid"]:
    """Return the gates' function of a Keras LSTM whose nodes' names begin so: clip(0.2 x + 0.5, 0, 1) or sigmoid."""
    own = {name: node for name, node in graph.nodes.items() if name.startswith(prefix)}
    scopes = [own, *(function.nodes for function in graph.called(own.values()))]
    clips = [(nodes, node) for nodes in scopes for node in nodes.values()
             if node.op == "Maximum" and "clip_by_value" in node.name]
    n_sigmoids = sum(node.op == "Sigmoid" for nodes in scopes for node in nodes.values())
    if n_sigmoids and n_sigmoids % _N_GATES == 0 and not clips:
        return "sigmoid"
    for nodes, node in clips:
        steps, step = [], node
        for _ in _HARD_SIGMOID:
            steps.append((step.op.removesuffix("V2"), [float(str(np.float32(x))) for x in input_numbers(nodes, step)]))
            step = nodes.get(step.inputs[0] if step.inputs else "", step)
        if steps != _HARD_SIGMOID:
            raise ConversionError(f"{graph.name}: {node.name}: expected gates of clip(0.2 x + 0.5, 0, 1), got others")
    if not clips or len(clips) % _N_GATES or n_sigmoids:
        raise ConversionError(f"{graph.name}: {prefix}: expected an LSTM with {_N_GATES} sigmoid or hard sigmoid gates")
    return "hard_sigmoid"
