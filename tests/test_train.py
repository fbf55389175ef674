import itertools
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from nerlite.batch import Input, make_batch
from nerlite.config import ModelError, read_config
from nerlite.network.model import Network
from nerlite.ops import load_ops
from nerlite.pieces import PieceEncoder
from nerlite.pipeline import Tagger
from nerlite.tags import allowed_transitions, to_spans
from nerlite.weights import expected_tensors, read_tensors

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

NAMES, PLACES = ("John Smith", "Ada", "Grace Li"), ("Berlin", "New York")


@pytest.fixture(scope="module")
def tools():
    """The modules train and torch_network of tools/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent.parent / "tools"))
        import torch_network
        import train
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield train, torch_network
        torch.set_num_threads(n_threads)
    for name in ("train", "torch_network"):
        del sys.modules[name]


@pytest.fixture(scope="module")
def encoder(tiny_model, tiny_config, tmp_path_factory):
    """A Hugging Face directory of a tiny random BERT."""
    path, sizes = tmp_path_factory.mktemp("encoder"), tiny_config.encoder
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=sizes.vocab_size, hidden_size=sizes.hidden_size, num_hidden_layers=sizes.num_hidden_layers,
        num_attention_heads=sizes.num_attention_heads, intermediate_size=sizes.intermediate_size,
        max_position_embeddings=sizes.max_position_embeddings)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(path)
    (path / "tokenizer.json").write_bytes((tiny_model / "tokenizer.json").read_bytes())
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder of train.txt and valid.txt with a few documents of made-up sentences."""
    path, rng = tmp_path_factory.mktemp("corpus"), random.Random(0)
    for file, n_documents in (("train.txt", 4), ("valid.txt", 2)):
        lines = []
        for _ in range(n_documents):
            lines += ["-DOCSTART- O", ""]
            for _ in range(6):
                name, place = rng.choice(NAMES), rng.choice(PLACES)
                for phrase, label in ((name, "PER"), ("went to", ""), (place, "LOC"), (".", "")):
                    for i, word in enumerate(phrase.split()):
                        lines.append(f"{word} {'BI'[min(i, 1)]}-{label}" if label else f"{word} O")
                lines.append("")
        (path / file).write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tools, encoder, corpus, tmp_path_factory):
    """The folder of the checkpoints and the model directory of a run of one epoch."""
    path = tmp_path_factory.mktemp("run")
    arguments = {"--encoder": encoder, "--data": corpus, "--checkpoints": path / "checkpoints",
                 "--epochs": 1, "--threads": 1}
    assert tools[0].main([*map(str, sum(arguments.items(), ())), "--out", str(path / "model")]) == 0
    return path


def test_a_run_writes_a_model_directory(trained, encoder):
    config = read_config(trained / "model" / "config.json")
    tensors = read_tensors(config, trained / "model" / "model.safetensors")
    assert config.tags == ("O", *(f"{prefix}-{label}" for label in ("LOC", "PER") for prefix in "BIES"))
    assert {"J", "!"} <= set(config.chars.alphabet)
    assert tensors.keys() == expected_tensors(config).keys()
    assert PieceEncoder(trained / "model" / "tokenizer.json", config.window).encode(["Berlin"]).ids
    for name, allowed in zip(("start_transitions", "transitions", "end_transitions"),
                             allowed_transitions(config.tags, config.scheme), strict=True):
        assert ((tensors[f"crf.{name}"] == -10000) == ~allowed).all()
    card = (trained / "model" / "README.md").read_text(encoding="utf-8")
    assert all(part in card for part in (f"the encoder {encoder.name} ", "(train.txt)", "epoch 1, ", "F1 (float32)"))


def test_a_run_goes_on_from_its_checkpoint_as_if_never_stopped(tools, trained, encoder, corpus, tmp_path):
    train = tools[0]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    train.train(encoder, corpus, whole, tmp_path / "model", epochs=2, seed=1)
    with pytest.MonkeyPatch.context() as patch:  # stopped in the second epoch, after the first one's checkpoint
        patch.setattr(train.Trainer, "evaluate", lambda *_: None)
        train_epoch = train.Trainer.train_epoch
        patch.setattr(train.Trainer, "train_epoch",
                      lambda self, *rest: train_epoch(self, *rest) if self.epoch < 1 else sys.exit(1))
        with pytest.raises(SystemExit):
            train.train(encoder, corpus, halves, tmp_path / "half", epochs=2, seed=1)
    train.train(encoder, corpus, halves, tmp_path / "resumed", epochs=2, seed=1, resume=True)
    expected, found = (torch.load(path / "last.pt")["average"] for path in (whole, halves))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_export_only_writes_the_best_weights_again(tools, trained, encoder, corpus, tmp_path):
    tools[0].train(encoder, corpus, trained / "checkpoints", tmp_path / "again", epochs=1, seed=1, export_only=True)
    first, again = ((path / "model.safetensors").read_bytes() for path in (trained / "model", tmp_path / "again"))
    assert first == again


def test_errors_are_one_line(tools, trained, encoder, corpus, capsys):
    arguments = ["--checkpoints", "nowhere", "--data", str(corpus)]
    assert tools[0].main([*arguments, "--encoder", str(encoder), "--out", str(trained / "model")]) == 2
    assert "expected a directory that does not exist" in capsys.readouterr().err


def test_weights_that_find_nothing_are_kept_too(tools, encoder, corpus, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tools[0], "score", lambda *_: (0.0, 0.0))
        tools[0].train(encoder, corpus, tmp_path / "run", tmp_path / "model", epochs=1, seed=1, documents=1)
    assert "0.00 by document" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("left", ["best.pt", "last.pt"])
def test_checkpoints_of_an_earlier_run_are_not_overwritten(tools, encoder, corpus, tmp_path, left):
    (tmp_path / left).touch()
    with pytest.raises(ModelError, match="expected a folder without best"):
        tools[0].train(encoder, corpus, tmp_path, tmp_path / "model", epochs=1, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == [left]


@pytest.mark.parametrize(("option", "name"), [("export_only", "best.pt"), ("resume", "last.pt")])
def test_a_checkpoint_of_another_config_or_encoder_is_refused(tools, trained, encoder, corpus, tmp_path, option, name):
    for file in ("train.txt", "valid.txt"):
        text = (corpus / file).read_text(encoding="utf-8")
        (tmp_path / file).write_text(text.replace("-LOC", "-GPE"), encoding="utf-8")
    other = shutil.copytree(encoder, tmp_path / "other")
    checkpoints, model = trained / "checkpoints", tmp_path / "model"
    for source, data, differing in ((encoder, tmp_path, "config"), (other, corpus, "encoder")):
        with pytest.raises(ModelError, match=f"{name}: {differing}: expected what --encoder and --data give"):
            tools[0].train(source, data, checkpoints, model, epochs=2, seed=1, **{option: True})
    assert not model.exists()


def test_the_encoder_is_transformers(tools, trained, encoder, corpus):
    train, network = tools
    config = read_config(trained / "model" / "config.json")
    bert = transformers.BertModel.from_pretrained(encoder, add_pooling_layer=False).eval()
    weights = train.convert_weights(train.read_weights(encoder), "bert", config.encoder, None, encoder)
    ours = network.Encoder(config.encoder).eval()
    ours.load_state_dict(network.encoder_state(weights))
    ids, mask = torch.randint(0, config.encoder.vocab_size, (2, 9)), torch.ones(2, 9, dtype=torch.bool)
    mask[1, 5:] = False
    with torch.no_grad():
        expected = bert(ids, attention_mask=mask.long()).last_hidden_state[mask]
        torch.testing.assert_close(ours(ids, mask)[mask], expected, atol=1e-5, rtol=0)


def test_the_engine_computes_what_was_trained(tools, trained, corpus):
    train, _ = tools
    network, collate, documents = load(train, trained, corpus)
    texts = [train.join(documents[0][:2]), documents[1][0], documents[1][1]]  # of different lengths: padded
    path = trained / "model"
    config = read_config(path / "config.json")
    engine = Network(load_ops("numpy"), read_tensors(config, path / "model.safetensors"), config)
    found = engine.emissions(make_batch([
        Input([2, *text.ids, 3], [1 + first for first in text.offsets[:-1]], text.words) for text in texts]))
    with torch.no_grad():
        batch = collate(texts)
        expected = network(batch)[batch.word_mask].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_validation_tags_as_the_engine_does(tools, trained, corpus):
    train, _ = tools
    network, collate, documents = load(train, trained, corpus)
    texts = [train.join(document) for document in documents]
    tagger = Tagger(trained / "model", backend="numpy", threads=1)
    assert max(len(text.ids) for text in texts) > 2 * tagger.config.window
    tags = tagger.config.tags
    found = train.tag_texts(network, texts, PieceEncoder(trained / "model" / "tokenizer.json", 40), collate)
    assert [to_spans([tags[i] for i in ids]) for ids in found] == [
        to_spans(row) for row in tagger.tag([text.words for text in texts])]
    assert any(ids.any() for ids in found)


def test_crf_by_enumeration(tools):
    _, modules = tools
    torch.manual_seed(0)
    tags = ("O", "B-X", "I-X", "E-X", "S-X")
    crf, emissions = modules.CRF(tags, "BIOES"), torch.randn(2, 4, len(tags))
    gold, mask = torch.tensor([[1, 2, 3, 0], [4, 4, 0, 0]]), torch.tensor([[True] * 4, [True, True, False, False]])
    start, between, end = (scores.detach() for scores in crf.scores())
    loss = 0.0
    for row, ids, length in zip(emissions, gold, (4, 2), strict=True):
        scores = {}
        for path in itertools.product(range(len(tags)), repeat=length):
            scores[path] = float(start[path[0]] + end[path[-1]] + sum(row[i, tag] for i, tag in enumerate(path))
                                 + sum(between[pair] for pair in itertools.pairwise(path)))
        loss += np.logaddexp.reduce(list(scores.values())) - scores[tuple(ids[:length].tolist())]
    assert crf(emissions, gold, mask).item() == pytest.approx(loss, abs=1e-4)


def test_training_windows_hold_every_sentence_once_and_keep_to_one_document(tools, trained, corpus):
    train, _ = tools
    _, _, documents = load(train, trained, corpus)
    for seed in range(5):
        windows = list(train.training_windows(documents, 40, random.Random(seed)))
        words = [word for window in windows for word in window.words]
        assert words == [word for document in documents for text in document for word in text.words]
        assert all(len(window.ids) == window.offsets[-1] <= 38 for window in windows)
        assert sorted(i for batch in train.shuffled_batches(windows, random.Random(seed)) for i in batch) == list(
            range(len(windows)))


def load(train, trained, corpus):
    """Return the trained network, its collator and the training documents."""
    config = read_config(trained / "model" / "config.json")
    network = train.Network(config).eval()
    network.load_state_dict(torch.load(trained / "checkpoints" / "best.pt")["network"])
    pieces = PieceEncoder(trained / "model" / "tokenizer.json", config.window)
    return network, train.Collator(config.chars.alphabet, pieces), train.read_texts(
        corpus / "train.txt", pieces, config.tags)
