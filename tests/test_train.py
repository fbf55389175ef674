"""Training small: what is read and laid out (no PyTorch needed), and a run from files to a model directory."""

import itertools
import json
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import nerlite
from nerlite.cli import main
from nerlite.config import read_config
from nerlite.errors import ModelError
from nerlite.ops import numpy_ops
from nerlite.ops.parameters import LinearParameters
from nerlite.tags import allowed_transitions, tag_names, to_spans
from nerlite.text import LINE, PARAGRAPH, SPACE, split_words
from nerlite.training import phrases
from nerlite.training.data import Sentence, Tags, in_case, join_handles, names_of, read_set, seen, windows_of
from nerlite.training.listings import listings
from nerlite.training.recipe import Recipe, SetRules, read_recipe
from nerlite.training.renaming import renamed
from nerlite.weights import INT8_LIMIT, expected_tensors, float_tensors, read_tensors

NAMES, PLACES = ("John Smith", "Ada", "Grace Li"), ("Berlin", "New York")
CASES = {"as it is": 1}


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


def agreeing(tags, sentence):
    """Every tagging that agrees with a sentence's annotation and is well-formed."""
    start, follows, end = allowed_transitions(tags.names, "BIOES")
    mask = tags.mask()
    return {tuple(tags.names[i] for i in path)
            for path in itertools.product(*(np.flatnonzero(mask[number]) for number in sentence.allowed))
            if start[path[0]] and end[path[-1]] and all(follows[a, b] for a, b in itertools.pairwise(path))}


def test_a_set_says_what_it_does_not_know():
    tags = Tags(["MISC", "PER"])
    words, given = ["Ada", "Li", "ran", "Rust"], ["B-PER", "I-PER", "O", "B-TOOL"]
    known = tags.read(words, given, SetRules("x", {"TOOL": ""}))
    assert agreeing(tags, known) == {("B-PER", "E-PER", "O", "O")}
    hidden = tags.read(words, given, SetRules("x", {"TOOL": "MISC"}, ("MISC",)))
    assert agreeing(tags, hidden) == {("B-PER", "E-PER", tag, "S-MISC") for tag in ("O", "S-MISC")}
    open_ended = tags.read(words, given, SetRules("x", {"TOOL": None}))
    assert {path[3] for path in agreeing(tags, open_ended)} == {"O", "S-PER", "S-MISC"}
    assert [span.label for span in known.spans] == ["PER"]
    with pytest.raises(ModelError, match="label 'TOOL': expected one of MISC, PER"):
        tags.read(words, given, SetRules("x"))


def test_a_handle_is_one_word_and_no_name():
    assert join_handles(["by", "@", "ada", "and", "@bob", "@"], ["O", "B-PER", "I-PER", "O", "B-PER", "O"]) == (
        ["by", "@ada", "and", "@bob", "@"], ["O"] * 5)
    assert join_handles(["@", "ada", "Li"], ["B-PER", "I-PER", "I-PER"]) == (["@ada", "Li"], ["O", "B-PER"])


def test_windows_hold_every_sentence_once_in_every_layout(corpus):
    tags = Tags(["LOC", "PER"])
    documents = 5 * read_set([corpus], SetRules("train.txt"), tags)
    sizes = Counter({word: 1 for document in documents for sentence in document for word in sentence.words})
    words = [word for document in documents for sentence in document for word in sentence.words]
    kinds = {}
    for layout in ("sentences", "lines", "prose", "wrapped"):
        windows = list(windows_of(documents, sizes, 64, {layout: 1}, CASES, random.Random(1)))
        assert all(len(window.words) == len(window.breaks) == len(window.allowed) for window in windows)
        assert {window.breaks[0] for window in windows} == {PARAGRAPH}
        assert abs(len([word for window in windows for word in window.words]) - len(words)) <= len(windows)
        kinds[layout] = Counter(kind for window in windows for kind in window.breaks[1:])
    assert kinds["sentences"][LINE] == 0 < kinds["sentences"][PARAGRAPH]
    assert kinds["lines"][LINE] > kinds["lines"][PARAGRAPH]
    assert kinds["wrapped"][LINE] > kinds["prose"][LINE] == 0


def test_a_sentence_that_fits_no_window_is_left_out():
    long = Sentence(["a"] * 100, [0] * 100, [])
    assert list(windows_of([[long]], {"a": 1}, 64, {"prose": 1}, CASES, random.Random(0))) == []


def test_documents_are_seen_as_often_as_their_set_says(corpus):
    tags = Tags(["LOC", "PER"])
    sets = [(SetRules(name), read_set([corpus], SetRules(name), tags)) for name in ("train.txt", "valid.txt")]
    documents = list(seen([(SetRules("train.txt", share=2.5), sets[0][1]), sets[1]], random.Random(0)))
    assert len(documents) == 2.5 * len(sets[0][1]) + len(sets[1][1])
    assert all(2 <= sum(each is document for each in documents) <= 3 for document in sets[0][1])
    by_rules = [(SetRules("train.txt", share=0.5), sets[0][1])]
    assert len(list(seen(by_rules, random.Random(0)))) == 0.5 * len(sets[0][1])


def test_a_set_lies_in_the_first_folder_that_has_it(corpus, tmp_path):
    rules, tags = SetRules("train.txt"), Tags(["LOC", "PER"])
    other = tmp_path / "other"
    other.mkdir()
    assert read_set([other, corpus], rules, tags) == read_set([corpus], rules, tags)
    (other / "train.txt").write_text("Ada B-PER\n")
    assert [[sentence.words for sentence in each] for each in read_set([other, corpus], rules, tags)] == [[["Ada"]]]
    with pytest.raises(OSError, match="missing"):
        read_set([other, corpus], SetRules("missing.txt"), tags)


def test_the_shipped_models_recipe_can_be_read():
    recipe = read_recipe(Path(__file__).parent.parent / "tools/english-minilm-l6.json")
    assert recipe.averaged == (4, 5, 6) and recipe.shapes and recipe.name == "english-minilm-l6"


def test_cases():
    assert [in_case("McAda", case) for case in ("as it is", "lower", "upper", "title")] == [
        "McAda", "mcada", "MCADA", "McAda"]
    assert in_case("ada", "title") == "Ada"


def test_a_renamed_document_has_other_names_where_its_own_were(corpus):
    tags = Tags(["LOC", "PER"])
    documents = read_set([corpus], SetRules("train.txt"), tags)
    names = {"PER": [["Marie", "van", "Dyk"]], "LOC": [["Oslo"]]}
    for document, new in zip(documents, renamed(documents, names, tags, {"PER": 1.0}, random.Random(0)), strict=True):
        for before, after in zip(document, new, strict=True):
            assert [span.label for span in before.spans] == [span.label for span in after.spans] == ["PER", "LOC"]
            person, place = (after.words[span.start:span.stop] for span in after.spans)
            assert person == ["Marie", "van", "Dyk"]
            assert place == before.words[before.spans[1].start:before.spans[1].stop]
            assert [word for word in after.words if word not in {*person, *place}] == ["went", "to", "."]
            (found,) = agreeing(tags, after)
            assert to_spans(found) == after.spans


def test_a_name_gets_one_other_name_in_a_document_and_keeps_a_headings_capitals():
    tags = Tags(["ORG"])
    sentence = tags.read(["IBM", "AND", "BIG", "BANK"], ["B-ORG", "O", "B-ORG", "I-ORG"], SetRules("x"))
    names = {"ORG": [["Acme", "Inc"], ["Slack"], ["Ford"]]}
    for document in renamed([[sentence] * 3] * 9, names, tags, {"ORG": 1.0}, random.Random(0)):
        assert document == [document[0]] * 3
        first, second = (document[0].words[span.start:span.stop] for span in document[0].spans)
        assert first in names["ORG"] and [word.title() for word in second] in names["ORG"] and second[0].isupper()
    kept = [document for document in renamed([[sentence]] * 99, names, tags, {"ORG": 0.2}, random.Random(0))
            if document == [sentence]]
    assert 40 < len(kept) < 85


def test_what_lists_hold_is_cut_as_the_splitter_cuts_it():
    for text in itertools.chain(*phrases.CELLS.values(), *phrases.HEADS.values(), phrases.SAYINGS, phrases.HEADINGS,
                                phrases.SEARCHES, phrases.HEADLINES, map(" ".join, phrases.TITLES)):
        assert [text[start:end] for start, end in split_words(text).offsets] == text.split()
    marked = (f"{before}PER{after}" for before, after in phrases.MARKS)
    for text in (*marked, *phrases.MAIL_HEADS, *phrases.NOTES, *phrases.REMARKS, *phrases.SIGNATURES):
        found = [word for word in split_words(text) if word in phrases.LABELS]
        assert found == re.findall(r"(?<![A-Z])(?:PER|LOC|ORG|MISC)(?![A-Z])", text), text


def test_a_list_of_names_counts_as_much_as_the_sets_that_are_read(corpus, tmp_path):
    (tmp_path / "names.conll").write_text("Zoe B-PER\n\nOslo B-LOC\n\nYan B-PER\n")
    tags = Tags(["LOC", "PER"])
    sets = [(rules, read_set([corpus, tmp_path], rules, tags)) for rules in (
        SetRules("train.txt"), SetRules("names.conll", share=0.0))]
    names = names_of(sets)
    assert {label: Counter(map(tuple, each)) for label, each in names.items()} == {
        "PER": Counter({tuple(name.split()): 1 for name in NAMES}) | {("Zoe",): 1, ("Yan",): 1},
        "LOC": {("Berlin",): 1, ("New", "York"): 1, ("Oslo",): 2}}
    assert [sentence.words for document in seen(sets[1:], random.Random(0)) for sentence in document] == []


def test_listings_hold_whole_names_and_nothing_else_is_one(corpus):
    tags = Tags(["LOC", "PER"])
    rules = SetRules("train.txt")
    names = names_of([(rules, read_set([corpus], rules, tags))])
    assert set(map(tuple, names["PER"])) <= {tuple(name.split()) for name in NAMES}
    windows = list(listings(names, tags, 200, CASES, random.Random(3)))
    mask = tags.mask()
    for window in windows:
        (found,) = ([tags.names[int(np.flatnonzero(mask[number])[0])] for number in window.allowed],)
        for span in to_spans(found):
            name = [word.casefold() for word in window.words[span.start:span.stop]]
            assert name in [[word.casefold() for word in each] for each in names[span.label]]
            assert set(window.breaks[span.start + 1:span.stop]) <= {SPACE}
    assert len(windows) == 200 and len({tuple(window.words) for window in windows}) > 150
    assert list(listings({"TOOL": [["x"]]}, tags, 5, CASES, random.Random(0))) == []


@pytest.mark.parametrize("change, message", [
    ({"epochs": 0}, "epochs: expected at least 1"), ({"layouts": {"verse": 1}}, "layouts: expected sentences, lines"),
    ({"cases": {"lower": 0}}, "cases: expected weights"), ({"seed": "1"}, "seed: expected int, got '1'"),
    ({"train": [{"labels": {}}]}, r"train\[0\].path: missing"), ({"colour": 1}, "colour: unknown key"),
    ({"valid": None}, "valid: expected"), ({"averaged": ["5"]}, "averaged: expected"),
    ({"averaged": [1, 9]}, "averaged: expected epochs, 0 to 8, got 1, 9")])
def test_a_recipe_that_cannot_be_is_named(tmp_path, change, message):
    recipe = {"name": "x", "start": "y", "train": [{"path": "a"}], "valid": [{"path": "b"}]}
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    assert read_recipe(path) == Recipe("x", (SetRules("a"),), (SetRules("b"),), "y")
    path.write_text(json.dumps(recipe | change), encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        read_recipe(path)


def test_without_pytorch_one_sentence_says_so(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.delitem(__import__("sys").modules, "nerlite.training.trainer", raising=False)
    monkeypatch.delitem(__import__("sys").modules, "nerlite.training.network", raising=False)
    status = main(["train", str(corpus / "train.txt"), "--valid", str(corpus / "valid.txt"), "--out",
                   str(tmp_path / "m")])
    assert (status, capsys.readouterr().err.count("\n")) == (2, 1)
    assert not (tmp_path / "m").exists()


@pytest.fixture(scope="module")
def trained(tiny_model, corpus, tmp_path_factory):
    """The model directory of a run of three epochs from a tiny model of other tags, and its checkpoints' folder."""
    torch = pytest.importorskip("torch")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("run") / "places"
    assert main(["train", str(corpus / "train.txt"), "--valid", str(corpus / "valid.txt"), "--out", str(out), "--from",
                 str(tiny_model), "--epochs", "3", "--dtype", "float32"]) == 0
    yield out
    torch.set_num_threads(n_threads)


def test_a_run_writes_a_model_of_the_files_labels(trained):
    config = read_config(trained / "config.json")
    assert (config.name, config.tags) == ("places", tag_names(["LOC", "PER"], "BIOES"))
    assert config.breaks is not None
    card = (trained / "README.md").read_text(encoding="utf-8")
    assert "Finds LOC, PER" in card and "CoNLL-2003" not in card
    assert nerlite.load(trained, backend="numpy").labels == ["LOC", "PER"]


def test_training_for_int8_computes_as_int8_does():
    torch = pytest.importorskip("torch")
    from nerlite.training.network import Linear

    torch.manual_seed(0)
    layer = Linear(40, 24)
    layer.quantized = True
    x = torch.randn(9, 40) * torch.logspace(-3, 3, 9)[:, None]
    weight = layer.weight.detach().numpy().T
    scale = np.abs(weight).max(0) / INT8_LIMIT
    weight = np.rint(weight / scale).astype(np.int8)
    reference = numpy_ops.Linear(LinearParameters(weight, layer.bias.detach().numpy(), scale))
    np.testing.assert_allclose(layer(x).detach().numpy(), reference(x.numpy(), np.array([0, 9])), rtol=1e-4, atol=1e-4)
    x.requires_grad_()
    layer(x).sum().backward()
    rounded = weight.astype(np.float32) * scale
    np.testing.assert_allclose(x.grad[0], rounded.sum(1), rtol=1e-4, atol=1e-5)  # as if nothing were rounded


def test_the_engine_gives_what_training_saw(trained, corpus):
    """The engine's emissions for a text are those of the network that was trained, so F1 is the same."""
    torch = pytest.importorskip("torch")
    from nerlite.pieces import PieceEncoder
    from nerlite.training.network import Network, state_of
    from nerlite.training.trainer import Reader, tag_texts

    config = read_config(trained / "config.json")
    pieces = PieceEncoder(trained / "tokenizer.json", config.window, breaks=config.breaks)
    tags = Tags(["LOC", "PER"])
    network = Network(config, pieces.line_id)
    tensors = float_tensors(read_tensors(config, trained / "model.safetensors"))
    network.load_state_dict(state_of(tensors, config, config, pieces.line_id))
    documents = read_set([corpus], SetRules("valid.txt"), tags)
    texts = [([word for sentence in document for word in sentence.words],
              [kind for sentence in document for kind in (PARAGRAPH, *[SPACE] * (len(sentence.words) - 1))])
             for document in documents]
    with torch.no_grad():
        found = tag_texts(network, texts, Reader(config, pieces, tags), tags.names)
    ner = nerlite.load(trained, backend="numpy")
    answers = ner.documents_of([[sentence.words for sentence in document] for document in documents])
    assert [to_spans(each) for each in found] == [to_spans(document.tags) for document in answers]
    assert any(document.entities for document in answers)


def test_a_run_goes_on_where_it_stopped(trained, tiny_model, corpus, tmp_path, capsys):
    arguments = ["train", str(corpus / "train.txt"), "--valid", str(corpus / "valid.txt"), "--from", str(tiny_model),
                 "--epochs", "3", "--dtype", "float32", "--name", "places", "--checkpoints",
                 str(trained.with_name("places.checkpoints"))]
    assert main([*arguments, "--out", str(tmp_path / "again")]) == 2
    assert "best.pt and last.pt" in capsys.readouterr().err
    assert main([*arguments, "--out", str(tmp_path / "again"), "--resume"]) == 0
    assert (tmp_path / "again/model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    assert main([*arguments, "--out", str(tmp_path / "other"), "--resume", "--seed", "2"]) == 2
    assert "not those of this recipe and data" in capsys.readouterr().err


def test_labels_of_the_valid_file_must_be_known(tiny_model, corpus, tmp_path, capsys):
    pytest.importorskip("torch")
    valid = tmp_path / "valid.txt"
    valid.write_text("Acme B-ORG\n\n", encoding="utf-8")
    assert main(["train", str(corpus / "train.txt"), "--valid", str(valid), "--out", str(tmp_path / "m"), "--from",
                 str(tiny_model)]) == 2
    assert "label 'ORG': expected one of LOC, PER" in capsys.readouterr().err


def test_a_network_takes_a_model_whole_and_gives_it_back(tiny_model):
    pytest.importorskip("torch")
    from nerlite.training.network import Network, state_of, tensors_of

    config = read_config(tiny_model / "config.json")
    tensors = float_tensors(read_tensors(config, tiny_model / "model.safetensors"))
    network = Network(config)
    network.load_state_dict(state_of(tensors, config, config, None))
    back = tensors_of(network)
    assert set(back) == set(expected_tensors(config))
    assert all(np.array_equal(back[name], tensors[name]) for name in tensors if not name.startswith("crf."))


def test_dropout_keeps_the_mean_and_drops_the_same_backward():
    torch = pytest.importorskip("torch")
    from nerlite.training.network import Dropout

    torch.manual_seed(0)
    for rate, shape in ((0.1, (4000, 96)), (0.3, (1000, 383)), (0.0, (7, 3))):
        dropout, x = Dropout(rate), torch.ones(shape, requires_grad=True)
        y = dropout(x)
        y.sum().backward()
        assert (y == 0).float().mean().item() == pytest.approx(rate, abs=0.004)
        assert y.mean().item() == pytest.approx(1, abs=0.01)
        assert torch.equal(x.grad, y)
        assert dropout.eval()(x) is x


def test_the_mean_of_epochs_is_kept_where_the_recipe_says_so(tiny_model, corpus, tmp_path):
    torch = pytest.importorskip("torch")
    from nerlite.training.trainer import train

    recipe = Recipe("places", (SetRules("train.txt"),), (SetRules("valid.txt"),), str(tiny_model), epochs=4,
                    averaged=(0, 1, 3), listings=0)
    lines = []
    train(recipe, [corpus], tmp_path, tmp_path / "out", dtype="float32", report=lines.append)
    assert not any(line.startswith("epoch 4/") for line in lines)
    start, first, third, kept = (torch.load(tmp_path / f"{name}.pt")["network"]
                                 for name in ("epoch-0", "epoch-1", "epoch-3", "best"))
    for name, weights in kept.items():
        torch.testing.assert_close(weights, (start[name] + first[name] + third[name]) / 3)
    assert "after epoch 0 and 1 and 3 of 4" in (tmp_path / "out/README.md").read_text(encoding="utf-8")


def test_a_recipe_reads_other_names_in_a_headings_capitals(tiny_model, corpus, tmp_path):
    pytest.importorskip("torch")
    from nerlite.training.trainer import train

    (tmp_path / "heads.txt").write_text("IN O\nNEW B-LOC\nYORK I-LOC\n\nIN O\nBERLIN B-LOC\n", encoding="utf-8")
    (tmp_path / "names.txt").write_text("Reykjavik B-LOC\n\nOulu B-LOC\n", encoding="utf-8")
    sets = (SetRules("train.txt"), SetRules("heads.txt", share=9.0), SetRules("names.txt", share=0.0))
    recipe = Recipe("places", sets, (SetRules("valid.txt"),), str(tiny_model), epochs=1, frozen_epochs=0, listings=9,
                    renamed={"LOC": 1.0, "PER": 0.5})
    train(recipe, [corpus, tmp_path], tmp_path / "a", tmp_path / "out", dtype="float32", report=print)
    assert (tmp_path / "out/config.json").exists()


def test_a_recipe_makes_documents_agree(tiny_model, corpus, tmp_path):
    pytest.importorskip("torch")
    from nerlite.training.trainer import train

    recipe = Recipe("places", (SetRules("train.txt"),), (SetRules("valid.txt"),), str(tiny_model), epochs=1,
                    frozen_epochs=0, agreement=True, listings=0)
    train(recipe, [corpus], tmp_path / "a", tmp_path / "out", dtype="float32", report=print)
    assert read_config(tmp_path / "out/config.json").agreement
    going_on = recipe._replace(start=str(tmp_path / "out"), agreement=False)
    train(going_on, [corpus], tmp_path / "b", tmp_path / "more", dtype="float32", report=print)
    assert read_config(tmp_path / "more/config.json").agreement
