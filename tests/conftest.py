"""What the tests share: the data folder, where there is one, and a tiny model with random weights."""

import contextlib
import os
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from nerlite.backends import BACKENDS, load_ops
from nerlite.config import (
    CharCNNConfig,
    CharLSTMConfig,
    CharsConfig,
    Config,
    ContextConfig,
    EncoderConfig,
    write_config,
)
from nerlite.ops import Ops
from nerlite.tags import allowed_transitions, tag_names
from nerlite.weights import expected_tensors, stored_as, write_tensors

with contextlib.suppress(ImportError):  # the hosts' environments do without it
    from hypothesis import settings

    settings.register_profile("nerlite", deadline=None)  # a machine that is busy otherwise is no failure
    settings.load_profile("nerlite")

ROOT = Path(__file__).parent.parent
os.environ.setdefault("PYTHONWARNINGS", "ignore:no kernels are ready:RuntimeWarning")  # as pytest's own, for children
# Layers that say more or less than the others: what a piece is should reach the tags.
LOUDNESS = {"attention_out": 0.3, "ffn_out": 0.3, "emissions": 4}
TAGS = tag_names(("LOC", "MISC", "ORG", "PER"), "BIOES")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder that holds conll2003/ and sparknlp/; a test that needs it is skipped where there is none."""
    path = Path(os.environ.get("NERLITE_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"{path} does not exist (set NERLITE_DATA)")
    return path


@pytest.fixture(scope="session", params=BACKENDS[1:])
def ops(request: pytest.FixtureRequest) -> Ops:
    """The operations of each backend that there is here."""
    try:
        return load_ops(request.param)
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def backend(ops: Ops) -> str:
    """The name of each backend that there is here."""
    name: str = ops.name
    return name


@pytest.fixture(scope="session")
def tiny_config() -> Config:
    """Every part that a model may have, as small as it goes."""
    return Config(
        name="tiny",
        encoder=EncoderConfig(vocab_size=len(_vocabulary()), hidden_size=24, num_hidden_layers=2,
                              num_attention_heads=3, intermediate_size=40, max_position_embeddings=40),
        tags=TAGS,
        scheme="BIOES",
        chars=CharsConfig(alphabet=tuple(string.ascii_letters + string.digits + string.punctuation),
                          cnn=CharCNNConfig(embedding_size=5, num_filters=6),
                          lstm=CharLSTMConfig(embedding_size=5, hidden_size=4)),
        context=ContextConfig(dense_size=16, num_layers=1, lstm_hidden_size=8),
        window=32,
        shapes=True,
    )


@pytest.fixture(scope="session")
def write_model(tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that writes a random model directory: the tiny one, with the config's given keys changed."""
    def write(seed: int = 0, **changes: object) -> Path:
        path = tmp_path_factory.mktemp("model")
        config = tiny_config._replace(**{"shapes": "sparknlp" not in changes} | changes)
        write_config(config, path / "config.json")
        write_tensors(config, stored_as(config, random_tensors(config, seed)), path / "model.safetensors")
        _tokenizer().save(str(path / "tokenizer.json"))
        (path / "README.md").write_text("# A tiny model\n\nRandom weights, for tests.\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def tiny_model(write_model: Callable[..., Path]) -> Path:
    """The directory of a tiny random model in float32. It finds entities, if no sensible ones."""
    return write_model()


def random_tensors(config: Config, seed: int = 0) -> dict[str, np.ndarray]:
    """Seeded float32 tensors for a config, of a size that keeps activations near 1 and each word's tag its own."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, (shape, _) in expected_tensors(config._replace(dtype="float32")).items():
        values = rng.standard_normal(shape, np.float32)
        if name.endswith("_norm.weight"):
            values = 1 + values / 10
        elif name.startswith("crf.") or name.endswith(("bias", "position_embeddings", "shape_embeddings")):
            values /= 4
        elif name.endswith("weight"):
            values -= values.mean(axis=0)
            values *= np.float32(LOUDNESS.get(name.split(".")[-2], 1) * shape[0] ** -0.5)
        elif len(shape) == 2 and "embeddings" not in name:
            values *= np.float32(shape[0] ** -0.5)
        tensors[name] = values
    if "crf.transitions" in tensors:
        start, transitions, end = allowed_transitions(config.tags, config.scheme)
        inside = np.array([tag.startswith("I") for tag in config.tags])
        tensors["crf.transitions"][np.ix_(inside, inside)] -= 4  # or one entity takes a whole text
        tensors["crf.transitions"][~transitions] = -1e4
        if config.crf_boundaries:
            tensors["crf.start_transitions"][~start] = -1e4
            tensors["crf.end_transitions"][~end] = -1e4
    return tensors


def _vocabulary() -> list[str]:
    letters = string.ascii_lowercase + string.digits
    words = ["the", "of", "in", "and", "john", "berlin", "acme", "eu", "german", "##er", "##ing", "##lin"]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *".,'-!", *words,
            "[unused1]"]


def _tokenizer() -> Tokenizer:
    """A BERT tokenizer, uncased, that falls back on single letters."""
    vocabulary = {piece: i for i, piece in enumerate(_vocabulary())}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer
