"""The converter on checkpoints of transformers' own: the engine computes from them what torch does."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from nerlite.config import read_config
from nerlite.errors import ModelError
from nerlite.network.parameters import encoder_parameters, linear_parameters
from nerlite.ops import numpy_ops
from nerlite.pieces import PieceEncoder
from nerlite.weights import read_tensors

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TOOLS = Path(__file__).parent.parent / "tools"
TAGS = ("O", "B-PER", "I-PER")
SHAPES = [
    ("DistilBert", {"dim": 24, "n_heads": 2, "n_layers": 2, "hidden_dim": 40}, True, True),
    ("DistilBert", {"dim": 30, "n_heads": 3, "n_layers": 1, "hidden_dim": 64}, False, False),
    ("Bert", {"hidden_size": 64, "num_attention_heads": 1, "num_hidden_layers": 2, "intermediate_size": 50},
     False, True),
    ("Bert", {"hidden_size": 36, "num_attention_heads": 12, "num_hidden_layers": 3, "intermediate_size": 36,
              "layer_norm_eps": 1e-5, "type_vocab_size": 1}, True, False),
]


@pytest.fixture(scope="module")
def convert_hf():
    return tool("convert_hf")


@pytest.fixture(scope="module")
def golden():
    return tool("golden")


def tool(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        return importlib.import_module(name)


@pytest.mark.parametrize("form", ["whole", "shards", "bin"])
@pytest.mark.parametrize(("kind", "sizes", "cased", "tagger"), SHAPES)
def test_conversion_computes_what_transformers_does(convert_hf, golden, tmp_path, kind, sizes, cased, tagger, form):
    torch.manual_seed(7)
    vocabulary = golden.vocabulary()
    labels = {"id2label": dict(enumerate(TAGS))} if tagger else {}
    config = getattr(transformers, f"{kind}Config")(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes,
                                                    **labels)
    model = getattr(transformers, kind + ("ForTokenClassification" if tagger else "Model"))(config).eval()
    golden.randomize(model, 3)
    tokenizer = getattr(transformers, f"{kind}Tokenizer")(vocab={piece: i for i, piece in enumerate(vocabulary)},
                                                          do_lower_case=not cased)
    src = tmp_path / "src"
    tokenizer.save_pretrained(src)
    model.save_pretrained(src, max_shard_size=4000 if form == "shards" else "1GB")
    assert (src / "model.safetensors").exists() == (form != "shards")
    if form == "bin":
        torch.save(model.state_dict(), src / "pytorch_model.bin")
        (src / "model.safetensors").unlink()
    convert_hf.convert(src, tmp_path / "dst")

    converted = read_config(tmp_path / "dst" / "config.json")
    tensors = read_tensors(converted, tmp_path / "dst" / "model.safetensors")
    encoder = numpy_ops.EncoderLayers(encoder_parameters(tensors, converted.encoder))
    pieces = PieceEncoder(tmp_path / "dst" / "tokenizer.json", 64)
    for words in golden.SENTENCES:
        encoding = tokenizer(list(words), is_split_into_words=True)
        ids = np.array(encoding.input_ids)
        # A word without pieces is [UNK] to the engine and nothing to transformers.
        owners = [i for i in range(len(words)) if i in encoding.word_ids()]
        assert [pieces.cls_id, *pieces.encode([words[i] for i in owners]).ids, pieces.sep_id] == ids.tolist()
        positions, offsets = np.arange(len(ids)), np.array([0, len(ids)])
        x = encoder(ids, positions, offsets, positions, offsets)
        with torch.no_grad():
            expected = model(torch.from_numpy(ids)[None], output_hidden_states=True)
        assert np.abs(x - expected.hidden_states[-1][0].numpy()).max() < 1e-4
        if tagger:
            logits = numpy_ops.Linear(linear_parameters(tensors, "emissions.weight", "emissions.bias"))(x, offsets)
            assert np.abs(logits - expected.logits[0].numpy()).max() < 1e-4


def test_corrupt_bin_files_are_refused(convert_hf, tmp_path):
    src = tmp_path / "src"
    transformers.BertConfig(architectures=["BertModel"]).save_pretrained(src)
    (src / "pytorch_model.bin").write_bytes(b"not a pickle")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: not a readable torch state"):
        convert_hf.convert(src, tmp_path / "dst")
