"""config.json and model.safetensors: what is wrong with them is told at once, all of it, by name."""

import json
import os
import sys

import numpy as np
import pytest
from conftest import ROOT, random_tensors
from safetensors.numpy import save_file

import nerlite
from nerlite.batch import make_batch
from nerlite.config import Config, EncoderConfig, SparkNLPConfig, read_config, write_config
from nerlite.errors import ModelError
from nerlite.model_directory import write_model as write_directory
from nerlite.tags import tag_names
from nerlite.weights import expected_tensors, quantize, read_tensors, stored_as, write_tensors


@pytest.fixture
def directory(tiny_config, tmp_path):
    """A model directory that a test may spoil."""
    write_config(tiny_config, tmp_path / "config.json")
    write_tensors(tiny_config, random_tensors(tiny_config), tmp_path / "model.safetensors")
    return tmp_path


def spoil_config(directory, change):
    path = directory / "config.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return path


def test_config_round_trip(tiny_config, tmp_path):
    for config in (tiny_config, tiny_config._replace(chars=None, context=None),
                   tiny_config._replace(shapes=False, sparknlp=SparkNLPConfig(white_list=("PER",),
                                                                              max_sentence_length=40))):
        write_config(config, tmp_path / "config.json")
        assert read_config(tmp_path / "config.json") == config


def test_every_fault_of_a_config_is_in_one_error(directory):
    def change(data):
        data["extra"] = 1
        data["encoder"]["hiden_size"] = data["encoder"].pop("hidden_size")
        data["encoder"]["num_hidden_layers"] = "2"
        data["chars"]["unit"] = "byte"
        data["tags"] = "O"
        data["crf_boundaries"] = 1

    with pytest.raises(ModelError) as error:
        read_config(spoil_config(directory, change))
    message = str(error.value)
    assert message.startswith(str(directory / "config.json"))
    for part in ("extra: unknown key", "encoder.hiden_size: unknown key", "encoder.hidden_size: missing",
                 "encoder.num_hidden_layers: expected an integer, got '2'", "tags: expected a list of strings, got 'O'",
                 "chars.unit: expected one of code_point, utf16, got 'byte'",
                 "crf_boundaries: expected true or false, got 1"):
        assert part in message


def test_contradictions_are_in_one_error(directory):
    def change(data):
        data["encoder"]["num_attention_heads"] = 5
        data["window"] = 1000
        data["context"]["dense_size"] = 17
        data["tags"] = ["B-PER", "B-PER", "X-PER", "S-"]
        data["chars"]["cnn"]["num_filters"] = 0
        data["chars"]["alphabet"] = ["a", "a", "bc"]
        data["context"]["num_layers"] = -1
        data["encoder"]["layer_norm_eps"] = float("nan")

    with pytest.raises(ModelError, match=r"encoder\.hidden_size: expected a multiple of num_attention_heads") as error:
        read_config(spoil_config(directory, change))
    for part in ("window: expected 3 to max_position_embeddings (40), got 1000", "tags: expected each tag once",
                 "context.dense_size: expected 2 * lstm_hidden_size (16) for residual layers, got 17",
                 "tags: expected O among them", "(BIOES), got 'X-PER', 'S-'",
                 "chars.cnn.num_filters: expected more than 0, got 0",
                 "chars.alphabet: expected each character once", "chars.alphabet: expected one character an entry",
                 "context.num_layers: expected 0 or more, got -1",
                 "encoder.layer_norm_eps: expected more than 0, got nan"):
        assert part in str(error.value)


def test_other_contradictions(tiny_config, tmp_path):
    for changes, message in (
            ({"chars": tiny_config.chars._replace(cnn=None, lstm=None)}, "chars: expected cnn, lstm or both"),
            ({"sparknlp": SparkNLPConfig(max_sentence_length=2000)},
             r"sparknlp\.max_sentence_length: expected 3 to max_position_embeddings \(40\), got 2000")):
        with pytest.raises(ModelError, match=message):
            write_config(tiny_config._replace(**changes), tmp_path / "config.json")


@pytest.mark.parametrize(("content", "message"), [
    (None, "no such file; a model directory holds"),
    ("{", "not readable as JSON"),
    ("[]", "the file: expected an object"),
    ("[" * 100_000, "not readable as JSON"),
    ("1" * 5000, "not readable as JSON"),
    ('{"format_version": 2}', "format_version: expected 1, got 2"),
    ("{}", "format_version: expected 1, got None"),
    ("\ud800", "not readable as JSON"),
])
def test_a_config_that_is_none(tmp_path, content, message):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ModelError, match=message) as error:
        read_config(path)
    assert str(path) in str(error.value)


def test_every_fault_of_the_tensors_is_in_one_error(tiny_config, directory):
    path = directory / "model.safetensors"
    tensors = random_tensors(tiny_config)
    del tensors["emissions.bias"]
    tensors["extra"] = np.zeros(3, np.float32)
    tensors["emissions.weight"] = tensors["emissions.weight"].T.copy()
    tensors["crf.transitions"] = tensors["crf.transitions"].astype(np.float16)
    tensors["context.dense.bias"] = tensors["context.dense.bias"].astype(np.int64)
    save_file(tensors, path)
    with pytest.raises(ModelError, match=r"5 tensors differ from what config\.json asks for") as error:
        read_tensors(tiny_config, path)
    for part in (str(path), "missing emissions.bias (17,) float32", "unexpected extra",
                 "emissions.weight: expected (16, 17) float32, got (17, 16) float32",
                 "crf.transitions: expected (17, 17) float32, got (17, 17) float16",
                 "context.dense.bias: expected (16,) float32, got (16,) I64"):
        assert part in str(error.value)
    with pytest.raises(ModelError, match="5 tensors differ"):
        write_tensors(tiny_config, tensors, directory / "other.safetensors")
    assert not (directory / "other.safetensors").exists()


@pytest.mark.parametrize("spoil", [lambda data: data[:20], lambda data: data[:-1], lambda data: b"",
                                   lambda data: b"x" * 50,
                                   lambda data: data[:8] + b"x" + data[9:]])
def test_a_broken_file_is_refused(tiny_config, directory, spoil):
    path = directory / "model.safetensors"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ModelError, match=r"model\.safetensors: not a readable safetensors file"):
        read_tensors(tiny_config, path)


def test_missing_files_are_refused_by_name(tiny_model, tmp_path):
    for missing in ("config.json", "model.safetensors", "tokenizer.json"):
        broken = tmp_path / missing
        broken.mkdir()
        for name in {"config.json", "model.safetensors", "tokenizer.json"} - {missing}:
            (broken / name).write_bytes((tiny_model / name).read_bytes())
        with pytest.raises(ModelError, match=missing.replace(".", r"\.")):
            nerlite.load(broken)


def test_tensors_are_read_into_memory_of_their_own(tiny_config, directory):
    """What becomes of the file changes nothing that is in use: a file that is mapped and cut kills the process."""
    tensors = read_tensors(tiny_config, directory / "model.safetensors")
    read = {name: tensors[name] for name in tensors}
    os.truncate(directory / "model.safetensors", 0)
    for name, tensor in random_tensors(tiny_config).items():
        np.testing.assert_array_equal(read[name], tensor)
        assert not read[name].flags.writeable
    with pytest.raises(ModelError, match=r"model\.safetensors: emissions\.bias: expected 68 bytes, got 0"):
        tensors["emissions.bias"]


@pytest.mark.parametrize("limit", [63, 127])
def test_quantization_is_symmetric_and_the_best_of_several_scales(limit):
    weight = np.random.default_rng(0).standard_normal((30, 7)).astype(np.float32)
    weight[:, 3] = 0
    for axis in (0, 1):
        quantized, scale = quantize(weight, axis, limit)
        assert scale.shape == (weight.shape[1 - axis],)
        assert np.abs(quantized).max() == limit
        scale = np.expand_dims(scale, axis)
        error = np.abs(quantized * scale - weight)
        assert ((error <= scale * 0.501) | (np.abs(quantized) == limit)).all()
        plain = np.abs(weight).max(axis, keepdims=True) / limit + np.float32(1e-12)
        plain_error = np.rint(weight / plain) * plain - weight
        assert (np.square(error).sum(axis) <= np.square(plain_error).sum(axis) + 1e-9).all()


def test_an_int8_matrix_that_could_overflow_is_refused(tiny_config, write_model):
    path = write_model(dtype="int8")
    config = read_config(path / "config.json")
    tensors = {name: np.array(tensor) for name, tensor in read_tensors(config, path / "model.safetensors").items()}
    tensors["encoder.layers.1.ffn_out.weight"][2, 3] = 64
    write_tensors(config, tensors, path / "model.safetensors")
    with pytest.raises(ModelError, match=r"layers\.1\.ffn_out\.weight: expected whole numbers up to ±63"):
        nerlite.load(path)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_stored_tensors_are_what_the_config_expects(tiny_config, dtype):
    config = tiny_config._replace(dtype=dtype)
    stored = stored_as(config, random_tensors(config))
    assert {name: (tensor.shape, tensor.dtype.name) for name, tensor in stored.items()} == expected_tensors(config)


def test_an_empty_encoder_is_contradictory(tmp_path):
    config = Config("x", EncoderConfig(0, 8, 1, 2, 0, 16), ("O",), window=16)
    with pytest.raises(ModelError, match=r"encoder\.vocab_size: expected more than 0, got 0; encoder\.intermedia"):
        write_config(config, tmp_path / "config.json")


def test_a_tokenizer_that_the_encoder_does_not_know_is_refused(write_model, tiny_config):
    small = write_model(encoder=tiny_config.encoder._replace(vocab_size=50))
    with pytest.raises(ModelError, match=r"model\.vocab: expected ids below vocab_size \(50\), got \d+"):
        nerlite.load(small)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_a_tensor_with_what_is_no_number_is_refused(write_model, tiny_model, dtype):
    path = write_model(dtype=dtype)
    config = read_config(path / "config.json")
    tensors = {name: np.array(tensor) for name, tensor in read_tensors(config, path / "model.safetensors").items()}
    names = [name for name, tensor in tensors.items() if tensor.dtype != np.int8]
    assert {"crf.transitions", "emissions.bias", "chars.lstm.forward.w_hh"} < set(names)
    for name in names:
        for value in (np.nan, np.inf, -np.inf, 2e6):
            if (name.startswith("crf.") and value == -np.inf) or (tensors[name].dtype == np.float16 and value == 2e6):
                continue
            before, tensors[name].flat[-1] = tensors[name].flat[-1], value
            write_tensors(config, tensors, path / "model.safetensors")
            tensors[name].flat[-1] = before
            with pytest.raises(ModelError, match=rf"model\.safetensors: {name}: expected numbers up to ±1,048,576"):
                nerlite.load(path, backend="numpy")


def test_infinity_forbids_a_transition(tiny_config, write_model, backend):
    path = write_model()
    text = "john of berlin and the acme eu in germaner 1990 " * 3
    before = nerlite.load(path, backend=backend)(text)
    tensors = random_tensors(tiny_config)
    assert (tensors["crf.transitions"] == -10000).any()
    for name in ("crf.transitions", "crf.start_transitions", "crf.end_transitions"):
        tensors[name][tensors[name] == -10000] = -np.inf
    write_tensors(tiny_config, tensors, path / "model.safetensors")
    assert nerlite.load(path, backend=backend)(text) == before
    for name in ("crf.transitions", "crf.start_transitions", "crf.end_transitions"):  # nothing may be at all
        tensors[name][:] = -np.inf
    write_tensors(tiny_config, tensors, path / "model.safetensors")
    with pytest.raises(ModelError, match="crf: expected transitions and emissions that leave a sequence of tags"):
        nerlite.load(path, backend=backend)(text)


def test_the_largest_numbers_that_a_model_may_have_do_not_grow_beyond_float32(tiny_config, write_model, backend):
    for dtype in ("float32", "int8"):
        path = write_model(dtype=dtype)
        config = read_config(path / "config.json")
        tensors = {name: np.array(tensor) for name, tensor in read_tensors(config, path / "model.safetensors").items()}
        for tensor in tensors.values():
            if tensor.dtype != np.int8:
                tensor[:] = np.where(tensor < 0, -1, 1) * np.float32(2 ** 20 if tensor.dtype == np.float32 else 65504)
        write_tensors(config, tensors, path / "model.safetensors")
        tagger = nerlite.load(path, backend=backend)
        reading = tagger._rules.read("john of berlin and the acme eu in germaner 1990")
        with np.errstate(over="ignore", invalid="ignore"):  # of exp(-1e18), which is 0
            with pytest.raises(ModelError, match="crf: expected transitions and emissions that leave"):
                tagger(reading.words.text)
            assert np.isfinite(tagger._network.emissions(make_batch(list(reading.sequences)))).all()


def spoil_tokenizer(path, change):
    data = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
    change(data)
    (path / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")


def test_a_piece_without_an_embedding_is_refused(write_model):
    model = write_model()
    n = nerlite.load(model).config.encoder.vocab_size
    spoil_tokenizer(model, lambda data: data["model"]["vocab"].update({"the": n + 10}))
    with pytest.raises(ModelError, match=rf"vocab: expected ids below vocab_size \({n}\), got {n + 10} for 'the'"):
        nerlite.load(model)
    spoil_tokenizer(model, lambda data: data["model"].update({"unk_token": "<none>"}))
    with pytest.raises(ModelError, match=r"tokenizer\.json: the vocabulary lacks <none>"):
        nerlite.load(model)


def test_numbers_that_no_model_has_are_refused(tiny_config, tmp_path):
    with pytest.raises(ModelError, match="tags: expected at most 1000, got 2001"):
        write_config(tiny_config._replace(tags=tag_names(map(str, range(500)), "BIOES")), tmp_path / "config.json")
    for key, value, most in (("num_hidden_layers", 10 ** 12, 1000), ("layer_norm_eps", float("inf"), 2 ** 24),
                             ("layer_norm_eps", 10 ** 400, 2 ** 24), ("vocab_size", 2 ** 40, 2 ** 24)):
        config = tiny_config._replace(encoder=tiny_config.encoder._replace(**{key: value}))
        with pytest.raises(ModelError, match=rf"encoder\.{key}: expected at most {most}, got "):
            write_config(config, tmp_path / "config.json")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_disk_that_refuses_leaves_nothing_behind(tiny_config, tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match=r"model\.safetensors: "):
            write_tensors(tiny_config, random_tensors(tiny_config), tmp_path / "model.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_models_card_says_what_it_is():
    model = ROOT / "weights/english-minilm-l6"
    config = read_config(model / "config.json")
    card = " ".join((model / "README.md").read_text(encoding="utf-8").split())
    encoder, context = config.encoder, config.context
    size = sum(file.stat().st_size for file in model.iterdir() if file.name != "README.md") / 1e6
    for said in (f"({encoder.num_hidden_layers} layers, {encoder.hidden_size} wide, uncased; "
                 f"{encoder.max_position_embeddings} positions, read by windows of {config.window} pieces)",
                 f"dense {context.dense_size} → residual BiLSTM (2 × {context.lstm_hidden_size}) → {config.scheme} CRF",
                 f"A line break before a word is the piece `{config.breaks.line}`, the end of a sentence, paragraph or "
                 f"cell `{config.breaks.paragraph}`", f"**Size**: {size:.1f} MB"):
        assert said in card
    assert config.agreement == ("A document's words agree with each other" in card)
    assert config.calibration is not None and "Scores are calibrated" in card


def test_a_card_with_what_is_no_unicode_text_is_written(tiny_config, tiny_model, tmp_path):
    tokenizer = (tiny_model / "tokenizer.json").read_text(encoding="utf-8")
    write_directory(tiny_config, random_tensors(tiny_config), tokenizer, "# A name: \ud800\n", tmp_path / "model")
    assert (tmp_path / "model/README.md").read_text(encoding="utf-8") == "# A name: ?\n"
    assert nerlite.load(tmp_path / "model", backend="numpy")("Paris").text == "Paris"
