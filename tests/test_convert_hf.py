"""The converter on checkpoints that NumPy writes here, under Hugging Face's names."""

import importlib
import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from nerlite.config import read_config
from nerlite.errors import ModelError
from nerlite.weights import read_tensors

TOOLS = Path(__file__).parent.parent / "tools"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The", "caf", "##e", "##é", "東", "京", "東京", "."]
HIDDEN, INNER, N_LAYERS, N_POSITIONS = 8, 12, 2, 16
CONFIGS = {
    "distilbert": {"model_type": "distilbert", "architectures": ["DistilBertModel"], "activation": "gelu",
                   "vocab_size": len(VOCABULARY), "dim": HIDDEN, "hidden_dim": INNER, "n_heads": 2,
                   "n_layers": N_LAYERS, "max_position_embeddings": N_POSITIONS},
    "bert": {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", "layer_norm_eps": 1e-5,
             "vocab_size": len(VOCABULARY), "hidden_size": HIDDEN, "intermediate_size": INNER,
             "num_attention_heads": 2, "num_hidden_layers": N_LAYERS, "max_position_embeddings": N_POSITIONS,
             "type_vocab_size": 2},
}
LINEAR = {
    "distilbert": {"attention.q_lin": (HIDDEN, HIDDEN), "attention.k_lin": (HIDDEN, HIDDEN),
                   "attention.v_lin": (HIDDEN, HIDDEN), "attention.out_lin": (HIDDEN, HIDDEN),
                   "ffn.lin1": (INNER, HIDDEN), "ffn.lin2": (HIDDEN, INNER)},
    "bert": {"attention.self.query": (HIDDEN, HIDDEN), "attention.self.key": (HIDDEN, HIDDEN),
             "attention.self.value": (HIDDEN, HIDDEN), "attention.output.dense": (HIDDEN, HIDDEN),
             "intermediate.dense": (INNER, HIDDEN), "output.dense": (HIDDEN, INNER)},
}
NORMS = {"distilbert": ("sa_layer_norm", "output_layer_norm"),
         "bert": ("attention.output.LayerNorm", "output.LayerNorm")}
LAYERS = {"distilbert": "transformer.layer", "bert": "encoder.layer"}
TAGS = ("O", "B-PER", "I-PER")


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield importlib.import_module("convert_hf")


def weights_of(kind, n_tags=0):
    rng = np.random.default_rng(5)
    shapes = {"embeddings.word_embeddings.weight": (len(VOCABULARY), HIDDEN),
              "embeddings.position_embeddings.weight": (N_POSITIONS, HIDDEN),
              "embeddings.LayerNorm.weight": (HIDDEN,), "embeddings.LayerNorm.bias": (HIDDEN,)}
    if kind == "bert":
        shapes["embeddings.token_type_embeddings.weight"] = (2, HIDDEN)
    for i in range(N_LAYERS):
        for part, shape in (LINEAR[kind] | dict.fromkeys(NORMS[kind], (HIDDEN,))).items():
            shapes[f"{LAYERS[kind]}.{i}.{part}.weight"] = shape
            shapes[f"{LAYERS[kind]}.{i}.{part}.bias"] = shape[:1]
    if n_tags:
        shapes |= {"classifier.weight": (n_tags, HIDDEN), "classifier.bias": (n_tags,)}
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def write_checkpoint(src, kind="distilbert", weights=None, tags=(), **changes):
    src.mkdir(exist_ok=True)
    config = CONFIGS[kind] | changes
    if tags:
        config |= {"architectures": ["XForTokenClassification"], "id2label": {str(i): t for i, t in enumerate(tags)}}
    (src / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (src / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    if weights is None:
        weights = weights_of(kind, len(tags))
    save_file(weights, src / "model.safetensors")
    return weights


def read_model(path):
    config = read_config(path / "config.json")
    return config, read_tensors(config, path / "model.safetensors")


def assert_same(tensors, weights, kind):
    """Every tensor is where `nerlite.weights` says, by the plainest code that says so."""
    def by_name(name):
        return weights[name].astype(np.float32)

    positions = by_name("embeddings.position_embeddings.weight")
    if kind == "bert":
        positions = positions + by_name("embeddings.token_type_embeddings.weight")[0]
    expected = {"encoder.word_embeddings": by_name("embeddings.word_embeddings.weight"),
                "encoder.position_embeddings": positions,
                "encoder.embedding_norm.weight": by_name("embeddings.LayerNorm.weight"),
                "encoder.embedding_norm.bias": by_name("embeddings.LayerNorm.bias")}
    for i in range(N_LAYERS):
        q, k, v, *others = (f"{LAYERS[kind]}.{i}.{part}" for part in (*LINEAR[kind], *NORMS[kind]))
        layer = f"encoder.layers.{i}"
        qkv = np.empty((HIDDEN, 3 * HIDDEN), np.float32)
        for block, part in enumerate((q, k, v)):
            qkv[:, block * HIDDEN:(block + 1) * HIDDEN] = by_name(f"{part}.weight").T
        expected[f"{layer}.qkv.weight"] = qkv
        expected[f"{layer}.qkv.bias"] = np.concatenate([by_name(f"{part}.bias") for part in (q, k, v)])
        names = ("attention_out", "ffn_in", "ffn_out", "attention_norm", "ffn_norm")
        for ours, theirs in zip(names, others, strict=True):
            expected[f"{layer}.{ours}.weight"] = by_name(f"{theirs}.weight").T
            expected[f"{layer}.{ours}.bias"] = by_name(f"{theirs}.bias")
    if "classifier.weight" in weights:
        expected["emissions.weight"] = by_name("classifier.weight").T
        expected["emissions.bias"] = by_name("classifier.bias")
    assert set(tensors) == set(expected)
    for name, value in expected.items():
        assert np.array_equal(tensors[name], value), name


@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("tags", [(), TAGS])
@pytest.mark.parametrize("kind", CONFIGS)
def test_every_tensor_finds_its_place(tool, tmp_path, kind, tags, prefix):
    weights = weights_of(kind, len(tags))
    named = {f"{kind}.{name}" if prefix and not name.startswith("classifier") else name: value
             for name, value in weights.items()}
    write_checkpoint(tmp_path / "src", kind, named, tags)
    returned = tool.convert(tmp_path / "src", tmp_path / "dst")
    config, tensors = read_model(tmp_path / "dst")
    assert returned == config
    assert_same(tensors, weights, kind)
    encoder = config.encoder
    assert (encoder.hidden_size, encoder.intermediate_size, encoder.num_hidden_layers, encoder.num_attention_heads,
            encoder.vocab_size, encoder.max_position_embeddings) == (HIDDEN, INNER, N_LAYERS, 2, len(VOCABULARY), 16)
    assert encoder.layer_norm_eps == (1e-5 if kind == "bert" else 1e-12)
    assert (config.name, config.tags, config.decoder, config.window) == ("dst", tags, "viterbi", N_POSITIONS)
    files = sorted((tmp_path / "dst").iterdir())
    assert [path.name for path in files] == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
    assert len({path.stat().st_mode for path in files}) == 1


def test_bert_may_leave_out_the_norms_epsilon(tool, tmp_path):
    write_checkpoint(tmp_path / "src", "bert")
    settings = json.loads((tmp_path / "src" / "config.json").read_text(encoding="utf-8"))
    del settings["layer_norm_eps"]
    (tmp_path / "src" / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    assert tool.convert(tmp_path / "src", tmp_path / "dst").encoder.layer_norm_eps == 1e-12


def test_old_norm_names_and_unused_tensors_are_known(tool, tmp_path):
    weights = weights_of("bert")
    old = {f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"):
           value for name, value in weights.items()}
    extra = ("bert.pooler.dense.weight", "bert.pooler.dense.bias", "cls.predictions.bias",
             "cls.predictions.transform.LayerNorm.gamma", "cls.seq_relationship.weight")
    unused = {name: np.zeros((2, 2), np.float32) for name in extra}
    unused["bert.embeddings.position_ids"] = np.arange(N_POSITIONS)[None]
    write_checkpoint(tmp_path / "src", "bert", old | unused)
    tool.convert(tmp_path / "src", tmp_path / "dst")
    assert_same(read_model(tmp_path / "dst")[1], weights, "bert")


def test_half_precision_is_widened_exactly(tool, tmp_path):
    weights = weights_of("distilbert")
    write_checkpoint(tmp_path / "f16", weights={name: value.astype(np.float16) for name, value in weights.items()})
    tool.convert(tmp_path / "f16", tmp_path / "from-f16")
    assert_same(read_model(tmp_path / "from-f16")[1],
                {name: value.astype(np.float16) for name, value in weights.items()}, "distilbert")

    write_checkpoint(tmp_path / "bf16")
    upper = {name: (value.view(np.uint32) >> 16).astype(np.uint16) for name, value in weights.items()}
    write_bfloat16(upper, tmp_path / "bf16" / "model.safetensors")
    tool.convert(tmp_path / "bf16", tmp_path / "from-bf16")
    cut = {name: (value.astype(np.uint32) << 16).view(np.float32) for name, value in upper.items()}
    assert_same(read_model(tmp_path / "from-bf16")[1], cut, "distilbert")


def write_bfloat16(bits, path):
    """Write uint16 arrays as bfloat16, by the safetensors format's description: header size, header, data."""
    header, end = {}, 0
    for name, value in bits.items():
        header[name] = {"dtype": "BF16", "shape": value.shape, "data_offsets": [end, end + value.nbytes]}
        end += value.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(value.tobytes() for value in bits.values()))


def write_shards(src, weights):
    shards = {name: f"model-{1 + i % 2:05}-of-00002.safetensors" for i, name in enumerate(weights)}
    for shard in set(shards.values()):
        save_file({name: weights[name] for name in weights if shards[name] == shard}, src / shard)
    (src / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    (src / "model.safetensors").unlink()
    return shards


def test_shards_are_put_together(tool, tmp_path):
    weights = write_checkpoint(tmp_path / "src", "bert")
    write_shards(tmp_path / "src", weights)
    tool.convert(tmp_path / "src", tmp_path / "dst")
    assert_same(read_model(tmp_path / "dst")[1], weights, "bert")


def test_missing_shards_are_named(tool, tmp_path):
    src = tmp_path / "src"
    shards = write_shards(src, write_checkpoint(src, "bert"))
    index = {"weight_map": shards | {"more": min(shards.values())}}
    (src / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"index\.json: no file holds more"):
        tool.convert(src, tmp_path / "dst")
    (src / max(shards.values())).unlink()
    with pytest.raises(ModelError, match=r"index\.json: .*there is no model-00002-of-00002\.safetensors"):
        tool.convert(src, tmp_path / "dst")


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_dtype_says_how_weights_are_stored(tool, tmp_path, dtype):
    weights = write_checkpoint(tmp_path / "src", tags=TAGS)
    assert tool.main([str(tmp_path / "src"), str(tmp_path / "dst"), "--dtype", dtype]) == 0
    config, tensors = read_model(tmp_path / "dst")
    assert config.dtype == dtype
    found = tensors["encoder.layers.0.ffn_in.weight"]
    assert found.dtype == dtype
    value = found.astype(np.float32) * tensors.get("encoder.layers.0.ffn_in.weight.scale", np.float32(1))
    assert np.abs(value - weights["transformer.layer.0.ffn.lin1.weight"].T).max() < 0.02


@pytest.mark.parametrize(("kind", "changes", "message"), [
    ("bert", {"model_type": "roberta"}, "model_type: expected distilbert or bert, got 'roberta'"),
    ("bert", {"model_type": None}, "model_type: expected distilbert or bert, got None"),
    ("bert", {"hidden_act": "gelu_new"}, "hidden_act: expected gelu or gelu_python, got 'gelu_new'"),
    ("distilbert", {"activation": "relu"}, "activation: expected gelu or gelu_python, got 'relu'"),
    ("bert", {"position_embedding_type": "relative_key"}, "position_embedding_type: expected absolute"),
    ("bert", {"is_decoder": True, "add_cross_attention": True},
     "is_decoder: expected False, got True; add_cross_attention: expected False, got True"),
    ("bert", {"hidden_size": "8"}, "hidden_size: expected a number, got '8'"),
    ("bert", {"architectures": 5}, "architectures: expected a list of names, got 5"),
    ("distilbert", {"n_layers": None}, "n_layers: expected a number, got None"),
    ("distilbert", {"n_layers": 10 ** 9}, "n_layers: expected at most 1000, got 1000000000"),
    ("distilbert", {"dim": 0, "n_heads": -1}, "dim: expected more than 0, got 0; n_heads: expected more than 0"),
    ("bert", {"vocab_size": 10 ** 400}, "vocab_size: expected at most 16777216, got 1000000"),
    ("bert", {"layer_norm_eps": math.nan}, "layer_norm_eps: expected more than 0, got nan"),
    ("distilbert", {"n_heads": 3}, "num_attention_heads (3)"),
    ("distilbert", {"dim": 9}, "embeddings.word_embeddings.weight: expected (14, 9), got (14, 8)"),
    ("bert", {"num_hidden_layers": 3}, "missing encoder.layer.2.attention.self.query.weight"),
    ("bert", {"num_hidden_layers": 1}, "unexpected encoder.layer.1.attention.self.query.weight"),
    ("bert", {"architectures": ["BertForTokenClassification"]}, "id2label"),
    ("bert", {"architectures": ["BertForTokenClassification"], "id2label": {"0": "O", "2": "B-PER"}}, "id2label"),
    ("bert", {"architectures": ["BertForTokenClassification"], "id2label": {"0": "O", "1": "B-PER"}},
     "missing classifier.weight"),
])
def test_what_the_engine_does_not_compute_is_refused(tool, tmp_path, capsys, kind, changes, message):
    write_checkpoint(tmp_path / "src", kind, **changes)
    assert_refused(tool, tmp_path, capsys, message)


@pytest.mark.parametrize(("name", "value", "message"), [
    ("embeddings.extra", np.zeros(2, np.float32), "unexpected embeddings.extra"),
    ("classifier.weight", np.zeros((2, HIDDEN), np.float32), "unexpected classifier.weight"),
    ("transformer.layer.0.cross.q_lin.weight", np.zeros(2, np.float32), "unexpected transformer.layer.0.cross.q_lin"),
    ("distilbert.embeddings.word_embeddings.weight", np.zeros((14, 8), np.float32), "one tensor under two names"),
    ("embeddings.LayerNorm.bias", np.zeros(HIDDEN, np.int64), "LayerNorm.bias: expected floating-point numbers"),
    ("embeddings.LayerNorm.bias", np.zeros(HIDDEN, np.int8), "LayerNorm.bias: expected float32, float16 or bfloat16"),
    ("embeddings.LayerNorm.bias", np.full(HIDDEN, np.nan, np.float32), "expected finite numbers as float32"),
    ("embeddings.word_embeddings.weight", np.zeros((15, 8), np.float32), "expected (14, 8), got (15, 8)"),
])
def test_strange_tensors_are_refused(tool, tmp_path, capsys, name, value, message):
    write_checkpoint(tmp_path / "src", weights=weights_of("distilbert") | {name: value})
    assert_refused(tool, tmp_path, capsys, message)


def test_all_differences_are_in_one_error(tool, tmp_path, capsys):
    weights = weights_of("bert")
    del weights["embeddings.LayerNorm.bias"]
    weights["strange"] = weights.pop("encoder.layer.1.output.dense.weight")
    weights["embeddings.token_type_embeddings.weight"] = np.zeros((0, HIDDEN), np.float32)
    write_checkpoint(tmp_path / "src", "bert", weights)
    assert_refused(tool, tmp_path, capsys, "missing embeddings.LayerNorm.bias",
                   "missing encoder.layer.1.output.dense.weight", "unexpected strange", "got (0, 8)")


@pytest.mark.parametrize(("file", "content", "message"), [
    ("config.json", None, "config.json"),
    ("config.json", b"{", "config.json: not readable as JSON"),
    ("config.json", b"[]", "config.json: expected an object"),
    ("config.json", b"[" * 100_000, "config.json: not readable as JSON"),
    ("model.safetensors", None, "expected model.safetensors, model.safetensors.index.json or pytorch_model.bin"),
    ("model.safetensors", b"short", "model.safetensors: not a readable safetensors file"),
    ("vocab.txt", None, "expected tokenizer.json or vocab.txt"),
    ("vocab.txt", b"[UNK]\n\xff", "vocab.txt: not readable as UTF-8"),
    ("vocab.txt", b"[UNK]\nthe\n", "the vocabulary lacks [CLS], [SEP]"),
    ("vocab.txt", "\n".join([*VOCABULARY, "more"]).encode(), "expected ids below vocab_size (14), got 14 for 'more'"),
    ("tokenizer.json", b"{}", "tokenizer.json: model: expected an object"),
    ("tokenizer_config.json", b'{"tokenizer_class": "BertJapaneseTokenizer"}', "got BertJapaneseTokenizer"),
    ("tokenizer_config.json", b'{"do_basic_tokenize": false}', "do_basic_tokenize"),
])
def test_missing_and_corrupt_files_are_named(tool, tmp_path, capsys, file, content, message):
    write_checkpoint(tmp_path / "src")
    if content is None:
        (tmp_path / "src" / file).unlink()
    else:
        (tmp_path / "src" / file).write_bytes(content)
    assert_refused(tool, tmp_path, capsys, message)


@pytest.mark.parametrize("shard", ["../elsewhere.safetensors", "/dev/zero", ".", "a/b.safetensors"])
def test_shards_lie_beside_their_index(tool, tmp_path, capsys, shard):
    write_checkpoint(tmp_path / "src")
    (tmp_path / "src" / "model.safetensors").unlink()
    (tmp_path / "src" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": shard}}))
    assert_refused(tool, tmp_path, capsys, "weight_map: expected tensor names with the file beside it that holds each")


@pytest.mark.parametrize("shard", ["\0", "model\0.safetensors", "\ud800", "a" * 5000, "..", ""])
def test_shards_have_names_that_files_can_have(tool, tmp_path, capsys, shard):
    write_checkpoint(tmp_path / "src")
    (tmp_path / "src" / "model.safetensors").unlink()
    (tmp_path / "src" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": shard}}))
    assert_refused(tool, tmp_path, capsys, "weight_map: expected files beside it, there is no")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_shard_is_a_file(tool, tmp_path, capsys):
    shards = write_shards(tmp_path / "src", write_checkpoint(tmp_path / "src", "bert"))
    (shard := tmp_path / "src" / min(shards.values())).unlink()
    os.mkfifo(shard)
    assert_refused(tool, tmp_path, capsys, f"weight_map: expected files beside it, there is no {shard.name}")


def test_bin_files_need_torch(tool, tmp_path, capsys, monkeypatch):
    write_checkpoint(tmp_path / "src")
    (tmp_path / "src" / "model.safetensors").rename(tmp_path / "src" / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert_refused(tool, tmp_path, capsys, "pytorch_model.bin: reading a .bin file needs torch")


def assert_refused(tool, tmp_path, capsys, *messages):
    """The command prints the messages, exits with 2 and leaves nothing behind."""
    assert tool.main([str(tmp_path / "src"), str(tmp_path / "dst")]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("convert_hf: ")
    assert all(message in printed for message in messages), printed
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def test_a_directory_in_use_is_left_alone(tool, tmp_path, capsys):
    write_checkpoint(tmp_path / "src")
    dst = tmp_path / "dst"
    dst.mkdir()
    (dst / "precious").write_text("text")
    assert tool.main([str(tmp_path / "src"), str(dst)]) == 2
    assert "dst: expected a directory that does not exist or is empty" in capsys.readouterr().err
    assert [path.name for path in dst.iterdir()] == ["precious"]
    (dst / "precious").unlink()
    assert tool.main([str(tmp_path / "src"), str(dst), "--name", "mine"]) == 0
    assert read_model(dst)[0].name == "mine"
    assert (dst / "README.md").read_text(encoding="utf-8").startswith("# mine\n")


@pytest.mark.parametrize(("tags", "scheme"), [
    (("O", "I-PER", "I-LOC"), "IOB1"),
    (("B-PER", "I-PER", "O"), "IOB2"),
    (("O", "B-A", "I-A", "E-A", "S-A"), "BIOES"),
    (("O", "S-A"), "BIOES"),
    (("O", "B-A-B", "I-A-B"), "IOB2"),
])
def test_the_scheme_is_read_off_the_labels(tool, tmp_path, tags, scheme):
    write_checkpoint(tmp_path / "src", tags=tags)
    config = tool.convert(tmp_path / "src", tmp_path / "dst")
    assert (config.tags, config.scheme) == (tags, scheme)


def test_options_override_scheme_and_decoder(tool, tmp_path):
    write_checkpoint(tmp_path / "src", tags=TAGS)
    assert tool.main([str(tmp_path / "src"), str(tmp_path / "dst"), "--scheme", "IOB1", "--decoder", "argmax"]) == 0
    config, _ = read_model(tmp_path / "dst")
    assert (config.scheme, config.decoder) == ("IOB1", "argmax")


@pytest.mark.parametrize("tags", [("LABEL_0", "LABEL_1"), ("O", "PER"), ("O", "B-"), ("O", "B-A", "L-A", "U-A"),
                                  ("O", "b-PER"), ("O", "BI-A")])
def test_labels_that_are_no_tags_are_refused(tool, tmp_path, capsys, tags):
    write_checkpoint(tmp_path / "src", tags=tags)
    assert_refused(tool, tmp_path, capsys, "id2label: expected O, B-LABEL, I-LABEL for", repr(tags[-1]))


def test_tags_outside_the_asked_scheme_are_refused(tool, tmp_path):
    write_checkpoint(tmp_path / "src", tags=("O", "B-A", "I-A", "E-A", "S-A"))
    with pytest.raises(ModelError, match="for IOB2, got 'E-A', 'S-A'"):
        tool.convert(tmp_path / "src", tmp_path / "dst", scheme="IOB2")


@pytest.mark.parametrize(("settings", "pieces"), [
    ({}, ["the", "the", "caf", "##e", "東", "京"]),
    ({"do_lower_case": False}, ["the", "The", "caf", "##é", "東", "京"]),
    ({"strip_accents": False}, ["the", "the", "caf", "##é", "東", "京"]),
    ({"do_lower_case": False, "tokenize_chinese_chars": False}, ["the", "The", "caf", "##é", "東京"]),
])
@pytest.mark.parametrize("as_json", [False, True])
def test_tokenizer_settings_are_kept(tool, tmp_path, settings, pieces, as_json):
    src = tmp_path / "src"
    write_checkpoint(src)
    if as_json:
        tokenizer = tool.bert_tokenizer(src / "vocab.txt")
        tokenizer.enable_truncation(3)
        tokenizer.enable_padding(length=9)
        tokenizer.save(str(src / "tokenizer.json"))
        (src / "vocab.txt").unlink()
    (src / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "BertTokenizer"}))
    tool.convert(src, tmp_path / "dst")
    saved = Tokenizer.from_file(str(tmp_path / "dst" / "tokenizer.json"))
    assert saved.encode("the The café 東京", add_special_tokens=False).tokens == pieces
    assert (saved.truncation, saved.padding) == (None, None)


def test_the_window_is_what_the_tokenizer_is_for(tool, tmp_path):
    write_checkpoint(tmp_path / "src")
    (tmp_path / "src" / "tokenizer_config.json").write_text('{"model_max_length": 12}')
    assert tool.convert(tmp_path / "src", tmp_path / "short").window == 12
    for unlimited in ("1000000000000000019884624838656", "NaN"):
        (tmp_path / "src" / "tokenizer_config.json").write_text(f'{{"model_max_length": {unlimited}}}')
        assert tool.convert(tmp_path / "src", tmp_path / unlimited).window == N_POSITIONS
