"""Write saved Spark NLP models of any size with random weights, in the formats of Spark, Java and TensorFlow.

Their graphs are those of the golden models (fixtures/sparknlp/graphs.zip) with layers copied and constants changed.
"""

import json
import re
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from convert_sparknlp.protos import decode, new
from convert_sparknlp.sequence_file import HEADER

FIXTURES = Path(__file__).parent / "fixtures" / "sparknlp"
SYNC = bytes(range(16))
NER_CLASS = "com.johnsnowlabs.nlp.annotators.ner.dl.NerDLModel"
EMBEDDINGS_CLASS = "com.johnsnowlabs.nlp.embeddings.DistilBertEmbeddings"


def java_text(text: str) -> bytes:
    """Modified UTF-8 with its length before it."""
    units = text.encode("utf-16-be", "surrogatepass")
    data = b"".join((chr(unit).encode("utf-8", "surrogatepass") if unit else b"\xc0\x80")
                    for (unit,) in struct.iter_unpack(">H", units))
    return struct.pack(">H", len(data)) + data


def java_class(name: str, fields: Iterable[tuple[str, str]] = (), flags: int = 2) -> bytes:
    object_type = b"t" + java_text("Ljava/lang/Object;")
    described = b"".join(kind.encode() + java_text(field) + (object_type if kind in "L[" else b"")
                         for kind, field in fields)
    return b"r" + java_text(name) + bytes(8) + struct.pack(">BH", flags, len(list(fields))) + described + b"xp"


def java_object(name: str, fields: Mapping[str, tuple[str, bytes]]) -> bytes:
    """An object of a class with these fields: name → type code and value."""
    kinds = [(kind, field) for field, (kind, _) in fields.items()]
    return b"s" + java_class(name, kinds) + b"".join(value for _, value in fields.values())


def java_string(text: str) -> tuple[str, bytes]:
    return "L", b"t" + java_text(text)


def java_array(name: str, elements: Iterable[bytes]) -> bytes:
    elements = list(elements)
    return b"u" + java_class(name) + struct.pack(">i", len(elements)) + b"".join(elements)


def scala_list(elements: Iterable[bytes]) -> tuple[str, bytes]:
    name = "scala.collection.immutable.List"
    return "L", (b"s" + java_class(f"{name}$SerializationProxy", flags=3) + b"".join(elements)
                 + java_object(f"{name}SerializeEnd$", {}) + b"x")


def java_pairs(pairs: Mapping[str, str | int]) -> bytes:
    """A stream of an array of scala.Tuple2."""
    def second(value: str | int) -> tuple[str, bytes]:
        if isinstance(value, str):
            return java_string(value)
        return "L", java_object("java.lang.Integer", {"value": ("I", struct.pack(">i", value))})

    return b"\xac\xed\0\5" + java_array("[Lscala.Tuple2;", (
        java_object("scala.Tuple2", {"_1": java_string(key), "_2": second(value)}) for key, value in pairs.items()))


def java_dataset_params(dimension: int, chars: Iterable[str], tags: Iterable[str], default: str = "O") -> bytes:
    name = "com.johnsnowlabs.ml.tensorflow.DatasetEncoderParams"
    boxes = [java_object("java.lang.Character", {"value": ("C", struct.pack(">H", ord(char)))}) for char in chars]
    return b"\xac\xed\0\5" + java_array(f"[L{name};", [java_object(name, {
        "embeddingsDim": ("I", struct.pack(">i", dimension)), "chars": scala_list(boxes),
        "defaultTag": java_string(default), "tags": scala_list(java_string(tag)[1] for tag in tags)})])


def sequence_file(values: Iterable[bytes]) -> bytes:
    records = [struct.pack(">iii", len(value) + 4, 0, len(value)) + value for value in values]
    return HEADER + SYNC + (b"\xff\xff\xff\xff" + SYNC).join(records)


def masked_crc(data: Any) -> int:
    checksum = google_crc32c.value(data)
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def block(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A table's block, trailer included; no key shares its beginning with another."""
    data = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries)
    data += struct.pack("<II", 0, 1) + b"\0"
    return data + struct.pack("<I", masked_crc(data))


def table(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    data = block(entries)
    index = block([(b"\xff", varint(0) + varint(len(data) - 5))])
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(index) - 5)
    return data + index + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write_bundle(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write variables.index and its data file."""
    header = new("BundleHeaderProto")
    header.num_shards = 1
    entries = [(b"", header.SerializeToString())]
    with (folder / "variables.data-00000-of-00001").open("wb") as file:
        for name, tensor in sorted(tensors.items()):
            data = np.ascontiguousarray(tensor, "<f4").tobytes()
            entry = new("BundleEntryProto")
            entry.dtype, entry.offset, entry.size, entry.crc32c = 1, file.tell(), len(data), masked_crc(data)
            for size in tensor.shape:
                entry.shape.dim.add().size = size
            entries.append((name.encode(), entry.SerializeToString()))
            file.write(data)
    (folder / "variables.index").write_bytes(table(entries))


def golden_graph(name: str) -> Any:
    with zipfile.ZipFile(FIXTURES / "graphs.zip") as archive:
        return decode("GraphDef", archive.read(f"{name}.pb"), name)


def edit(nodes: Any, layer: str, n_layers: int, change: Callable[[Any], None]) -> None:
    """Make n_layers copies of layer 0 in place of the layers (layer: their name up to the number); change each node."""
    kept = [decode("NodeDef", data, "") for data in nodes]
    others = [node for node in kept if layer not in node.name]
    first = [node for node in kept if f"{layer}0/" in node.name]
    del nodes[:]
    for i in range(n_layers):
        for node in first:
            copy = new("NodeDef")
            copy.CopyFrom(node)
            copy.name = node.name.replace(f"{layer}0/", f"{layer}{i}/")
            copy.input[:] = [name.replace(f"{layer}0/", f"{layer}{i}/") for name in node.input]
            for entry in copy.attr:
                if entry.key == "shared_name":
                    entry.value.s = copy.name.encode()
            others.append(copy)
    for node in others:
        change(node)
        nodes.append(node.SerializeToString())


def unchanged(node: Any) -> None:
    pass


def distilbert_graph(n_layers: int, n_heads: int, change: Callable[[Any], None] = unchanged) -> tuple[bytes, list[str]]:
    """Return a graph and the names of its variables in the order of their checkpoint keys."""
    graph = golden_graph("distilbert")

    def set_heads(node: Any) -> None:
        if re.search(r"/attention/Reshape(_\d)?/shape/2$", node.name):
            node.attr[[entry.key for entry in node.attr].index("value")].value.tensor.int_val[:] = [n_heads]
        change(node)

    edit(graph.node, "/layer_._", n_layers, unchanged)
    nodes = [decode("NodeDef", data, "") for data in graph.node]
    variables = [node.name for node in nodes if node.op == "VarHandleOp"]
    for i, data in enumerate(graph.library.function):
        function = decode("FunctionDef", data, "")
        if "traced_restore" in function.signature.name:
            function = restore_function(function.signature.name, len(variables))
        else:
            edit(function.node_def, "/layer_._", n_layers, set_heads)
        graph.library.function[i] = function.SerializeToString()
    for node in nodes:
        if node.name == "StatefulPartitionedCall_2":
            node.input[:] = ["saver_filename", *variables]
    graph.node[:] = [node.SerializeToString() for node in nodes]
    return graph.SerializeToString(), variables


def restore_function(name: str, n_variables: int) -> Any:
    """What TensorFlow writes: each output of one RestoreV2 through an Identity to its variable."""
    function = new("FunctionDef")
    function.signature.name = name

    def add(op: str, node_name: str, *inputs: str) -> Any:
        node = new("NodeDef")
        node.op, node.name = op, node_name
        node.input.extend(inputs)
        return node

    names = add("Const", "names")
    entry = names.attr.add(key="value")
    entry.value.tensor.dtype = 7
    entry.value.tensor.string_val.extend(checkpoint_key(i).encode() for i in range(n_variables))
    nodes = [names, add("RestoreV2", "restore", "file_prefix", "names:output:0", "names:output:0")]
    for i in range(n_variables):
        nodes += [add("Identity", f"Identity_{i}", f"restore:tensors:{i}"),
                  add("AssignVariableOp", f"Assign_{i}", f"variable_{i}", f"Identity_{i}:output:0")]
    for argument in ("file_prefix", *(f"variable_{i}" for i in range(n_variables))):
        function.signature.input_arg.add(name=argument)
    function.node_def.extend(node.SerializeToString() for node in nodes)
    return function


def checkpoint_key(i: int) -> str:
    return f"variables/{i}/.ATTRIBUTES/VARIABLE_VALUE"


def ner_graph(n_layers: int, change: Callable[[Any], None] = unchanged) -> bytes:
    graph = golden_graph("ner")
    edit(graph.node, "/lstm-", n_layers, change)
    return graph.SerializeToString()


def write_stage(folder: Path, class_name: str, params: Mapping[str, Any],
                fields: Mapping[str, Iterable[bytes]] | None = None) -> None:
    """Write metadata, and fields with all their records in the second of two parts."""
    (folder / "metadata").mkdir(parents=True)
    metadata = {"class": class_name, "timestamp": 1, "sparkVersion": "3.1.3", "uid": f"{class_name.split('.')[-1]}_1",
                "paramMap": {"storageRef": "S", **params}, "defaultParamMap": {}}
    (folder / "metadata" / "part-00000").write_text(json.dumps(metadata) + "\n")
    for name, records in (fields or {}).items():
        (folder / "fields" / name).mkdir(parents=True)
        (folder / "fields" / name / "_SUCCESS").touch()
        (folder / "fields" / name / "part-00000").write_bytes(sequence_file([]))
        (folder / "fields" / name / "part-00001").write_bytes(sequence_file(records))


def zip_network(path: Path, graph: bytes, tensors: Mapping[str, np.ndarray]) -> None:
    """Write TensorFlow's zip of a stage."""
    work = path.with_name("unpacked")
    work.mkdir()
    (work / "saved_model.pb").write_bytes(graph)
    write_bundle(work, tensors)
    zip_folder(work, path)
    for file in work.iterdir():
        file.unlink()
    work.rmdir()


def zip_folder(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, str(file.relative_to(folder)))


def write_embeddings(folder: Path, *, n_layers: int = 1, n_heads: int = 2, hidden: int = 8, inner: int = 12,
                     vocabulary: Iterable[str] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##a"),
                     n_positions: int = 16, change: Callable[[Any], None] = unchanged, seed: int = 0,
                     **params: Any) -> dict[str, np.ndarray]:
    """Write a saved DistilBertEmbeddings; return its weights by TensorFlow's names from `embeddings/` on."""
    pieces = list(vocabulary)
    graph, variables = distilbert_graph(n_layers, n_heads, change)
    shapes = {"lin1/kernel": (hidden, inner), "lin1/bias": (inner,), "lin2/kernel": (inner, hidden),
              "word_embeddings/weight": (len(pieces), hidden),
              "position_embeddings/embeddings": (n_positions, hidden)}
    rng = np.random.default_rng(seed)
    weights = {}
    for name in variables:
        default = (hidden, hidden) if name.endswith("kernel") else (hidden,)
        shape = next((shape for end, shape in shapes.items() if name.endswith(end)), default)
        weights[name] = rng.standard_normal(shape, np.float32)
    params = {"dimension": hidden, "maxSentenceLength": 12, "caseSensitive": True, **params}
    write_stage(folder, EMBEDDINGS_CLASS, params, {
        "vocabulary": [java_pairs({piece: i}) for i, piece in enumerate(pieces)],
        "signatures": [java_pairs({"last_hidden_state": "StatefulPartitionedCall:0"})]})
    zip_network(folder / "distilbert_tensorflow", graph,
                {checkpoint_key(i): weights[name] for i, name in enumerate(variables)})
    return {name.split("/distilbert/")[1]: weight for name, weight in weights.items()}


def write_ner(folder: Path, *, dimension: int = 8, n_layers: int = 2, units: int = 4, n_columns: int = 5,
              n_chars: int = 7, char_size: int = 3, n_filters: int = 5, char_units: int = 2, chars: str = "abA",
              default_tag: str = "O",
              tags: Iterable[str] = ("B-PER", "O", "I-PER"), change: Callable[[Any], None] = unchanged, seed: int = 1,
              **params: Any) -> dict[str, np.ndarray]:
    """Write a saved NerDLModel; return its weights by TensorFlow's names."""
    width = 2 * units
    shapes: dict[str, tuple[int, ...]] = {
        "char_repr_cnn/char_embeddings": (n_chars, char_size), "char_repr_lstm/char_embeddings": (n_chars, char_size),
        "char_repr_cnn/conv1d/kernel": (3, char_size, n_filters), "char_repr_cnn/conv1d/bias": (n_filters,),
        "W": (n_filters + 2 * char_units + dimension, width), "b": (width,), "context_repr/W": (width, n_columns),
        "context_repr/b": (n_columns,), "inference/transition_params": (n_columns, n_columns)}
    for direction in ("forward", "backward"):
        cell = f"char_repr_lstm/sequential/bidirectional/{direction}_lstm"
        shapes |= {f"{cell}/kernel": (char_size, 4 * char_units), f"{cell}/bias": (4 * char_units,),
                   f"{cell}/recurrent_kernel": (char_units, 4 * char_units)}
    for i in range(n_layers):
        for cell in ("lstm_fused_cell", "lstm_fused_cell_1"):
            name = f"context_repr/lstm-{i}/{cell}"
            shapes |= {f"{name}/kernel": (width + units, 4 * units), f"{name}/bias": (4 * units,),
                       **{f"{name}/w_{gate}_diag": (units,) for gate in "ifo"}}
    rng = np.random.default_rng(seed)
    weights = {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    write_stage(folder, NER_CLASS, params,
                {"datasetParams": [java_dataset_params(dimension, chars, tags, default_tag)]})
    slots = {f"training/{name}/Adam": weight for name, weight in weights.items()}
    zip_network(folder / "tensorflow", ner_graph(n_layers, change), weights | slots)
    return weights


def write_pipeline(folder: Path, **stages: dict[str, Any] | None) -> Path:
    """Write a saved PipelineModel with a random pair; return folder.

    stages: parameters by class name, of the usual stages or further ones; None leaves a stage out.
    """
    usual: dict[str, dict[str, Any] | None] = {
        "DocumentAssembler": {"cleanupMode": "disabled"}, "TokenizerModel": {"targetPattern": "\\S+"},
        "DistilBertEmbeddings": {}, "NerDLModel": {}, "NerConverter": {"preservePosition": True}}
    uids = []
    for i, (name, params) in enumerate((usual | stages).items()):
        if params is None:
            continue
        target = folder / "stages" / f"{i}_{name}_1"
        if name == "DistilBertEmbeddings":
            write_embeddings(target, **params)
        elif name == "NerDLModel":
            write_ner(target, **params)
        else:
            write_stage(target, f"com.johnsnowlabs.nlp.{name}", params)
        if name == "TokenizerModel":
            shutil.copytree(FIXTURES / "tokenizer" / "fields", target / "fields")
        uids.append(f"{name}_1")
    write_stage(folder, "org.apache.spark.ml.PipelineModel", {"stageUids": uids})
    return folder
