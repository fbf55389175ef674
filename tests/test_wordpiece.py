"""tokenizer.json: what the library makes of the parts that a model needs, and one error for all else in it."""

import copy
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from nerlite import wordpiece
from nerlite.errors import ModelError
from nerlite.pieces import PieceEncoder
from nerlite.wordpiece import NORMALIZERS, PRE_TOKENIZERS, parse_tokenizer, read_tokenizer

WORDS = ["the", "THE", "Berlin", "berlin1990", "Ünder", "U.S.", "[SEP]", "[sep]", "日本", "x" * 101, "\u0301",
         "a\u200bb", "ﬁx", "ﷺ", "new york", "th\te", "\x00", "İ", ""]
BOOLS = {bool: (False, True), type(None): (None,)}


@pytest.fixture(scope="module")
def data(tiny_model):
    """A tokenizer of 93 pieces."""
    data = json.loads((tiny_model / "tokenizer.json").read_text(encoding="utf-8"))
    data["model"]["vocab"] = {piece: index for piece, index in data["model"]["vocab"].items() if index < 93}
    return data


def kinds(table):
    """Each part in each of its settings."""
    for kind, (_, settings) in table.items():
        for values in itertools.product(*([value for each in types for value in BOOLS[each]]
                                          for types in settings.values())):
            yield {"type": kind, **dict(zip(settings, values, strict=True))}


@pytest.mark.parametrize("part", [
    *(("normalizer", each) for each in (None, *kinds(NORMALIZERS))),
    *(("pre_tokenizer", each) for each in (None, *kinds(PRE_TOKENIZERS))),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}),
    ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
                                                             {"type": "Digits", "individual_digits": True}]}),
], ids=str)
def test_each_kind_of_part_does_what_the_library_does(data, part):
    text = json.dumps({**data, part[0]: part[1]})
    ours, theirs = parse_tokenizer(text, "file"), Tokenizer.from_str(text)
    for words in (WORDS, WORDS[::-1]):
        a, b = (each.encode(words, is_pretokenized=True, add_special_tokens=False) for each in (ours, theirs))
        assert (a.ids, a.word_ids) == (b.ids, b.word_ids)


def added(content, **changes):
    return {"id": 93, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True,
            "special": False} | changes


def test_added_tokens_are_the_librarys(data):
    tokens = [added("berl"), added("[SEP]", id=3, special=True, normalized=False), added("ß", id=94, single_word=True)]
    text = json.dumps({**data, "added_tokens": tokens})
    ours, theirs = parse_tokenizer(text, "file"), Tokenizer.from_str(text)
    assert ours.get_vocab() == theirs.get_vocab()
    assert list(map(repr, ours.get_added_tokens_decoder().values())) == list(
        map(repr, theirs.get_added_tokens_decoder().values()))
    assert ours.encode(WORDS, is_pretokenized=True).ids == theirs.encode(WORDS, is_pretokenized=True).ids


def changed(data, path, value):
    data = copy.deepcopy(data)
    *folders, last = path.split(".")
    part = data
    for folder in folders:
        part = part[folder]
    part[last] = value
    return data


@pytest.mark.parametrize(("path", "value", "message"), [
    ("model", None, "model: expected an object, got None"),
    ("model.type", "BPE", "model.type: expected WordPiece, got 'BPE'"),
    ("model.vocab", {}, r"the vocabulary lacks \[UNK\]"),
    ("model.vocab", ["[UNK]"], "model.vocab: expected an object"),
    ("model.vocab.the", -1, r"expected ids below vocab_size \(93\), got -1 for 'the'"),
    ("model.vocab.the", 2 ** 40, r"expected ids below vocab_size \(93\), got 1099511627776 for 'the'"),
    ("model.vocab.the", "1", "not a usable tokenizer: "),
    ("model.vocab.the", 1.5, "not a usable tokenizer: "),
    ("model.vocab.\ud800", 1, "not a usable tokenizer: "),
    ("model.unk_token", "<unk>", "the vocabulary lacks <unk>"),
    ("model.unk_token", None, "the vocabulary lacks None"),
    ("model.continuing_subword_prefix", "#" * 17, "continuing_subword_prefix: expected at most 16 characters"),
    ("model.max_input_chars_per_word", 10 ** 9, "max_input_chars_per_word: expected 1 to 1000, got 1000000000"),
    ("model.max_input_chars_per_word", True, "max_input_chars_per_word: expected 1 to 1000, got True"),
    ("normalizer", {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000},
     "normalizer: expected BertNormalizer, .*, got 'Replace'"),
    ("normalizer", {"type": "Prepend", "prepend": "a"}, "got 'Prepend'"),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": ""}, "got 'Precompiled'"),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": []}]}, "got 'Sequence'"),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "NFKD"}] * 9}, "a sequence of at most 8"),
    ("normalizer", {"type": "Sequence"}, "a sequence of at most 8, got None"),
    ("normalizer", {"type": []}, r"got \[\]"),
    ("normalizer", {"type": "BertNormalizer", "lowercase": 1}, "got 'lowercase': 1"),
    ("normalizer", {"type": "NFC", "x": 1}, "NFC: expected no settings, got 'x': 1"),
    ("normalizer", "NFC", "normalizer: expected an object, got 'NFC'"),
    ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(a|a)*b"}, "behavior": "Isolated", "invert": False},
     "pre_tokenizer: expected BertPreTokenizer, .*, got 'Split'"),
    ("added_tokens", {}, None), ("added_tokens", "x", "added_tokens: expected a list"),
    ("added_tokens", [1], r"added_tokens\[0\]: expected an object"),
    ("added_tokens", [added("x" * 1001)], r"added_tokens\[0\]: expected 1 to 1,000 characters"),
    ("added_tokens", [added("")], r"added_tokens\[0\]: expected 1 to 1,000 characters"),
    ("added_tokens", [added("new", id=5)], r"expected the id of 'new' \(93\), below vocab_size \(93\), got 5"),
    ("added_tokens", [added("the", lstrip=1)], r"added_tokens\[0\]: expected content, single_word"),
    ("added_tokens", [added("the", more=1)], r"added_tokens\[0\]: expected content, single_word"),
    ("added_tokens", [added("the")] * 10_001, "added_tokens: expected a list of at most 10,000"),
])
def test_what_no_model_needs_is_refused_before_the_library_sees_it(data, path, value, message):
    text = json.dumps(changed(data, path, value))
    if message is None:
        parse_tokenizer(text, "file", 93)
        return
    with pytest.raises(ModelError, match=f"^file: .*{message}"):
        parse_tokenizer(text, "file", 93)


@pytest.mark.parametrize("path", ["truncation", "padding", "post_processor", "decoder"])
def test_what_is_not_used_is_not_read(data, path):
    parse_tokenizer(json.dumps(changed(data, path, {"type": "of no kind"})), "file")


@pytest.mark.parametrize(("content", "message"), [
    (b"{", "not a readable tokenizer.json"), (b"[" * 100_000, "not a readable tokenizer.json"),
    (b"\xff", "not a readable tokenizer.json"), (b"[]", "the file: expected an object"),
    (b'{"model": ' + b"1" * 5000 + b"}", "not a readable tokenizer.json"),
    (b'{"model": {"vocab": {"[UNK]": 0}}}', r"the vocabulary lacks \[CLS\], \[SEP\]"),
])
def test_an_unusable_file_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"tokenizer\.json: {message}"):
        PieceEncoder(path, 32)


class PanicException(BaseException):
    """As the library raises where its own code fails."""


PanicException.__module__ = "pyo3_runtime"


def test_the_librarys_panics_are_errors_and_interrupts_stay_what_they_are(tiny_model, monkeypatch):
    path = tiny_model / "tokenizer.json"
    for error, expected in ((PanicException("index out of bounds"), ModelError), (Exception("bad"), ModelError),
                            (KeyboardInterrupt(), KeyboardInterrupt), (MemoryError(), MemoryError)):
        def fail(*_, error=error, **__):
            raise error

        encoder = PieceEncoder(path, 32)
        encoder._cut = fail
        with pytest.raises(expected):
            encoder.encode(["the"])
        monkeypatch.setattr(wordpiece, "Tokenizer", fail)
        with pytest.raises(expected):
            read_tokenizer(path)
        monkeypatch.undo()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(
                        ["model", "vocab", "type", "normalizer", "normalizers", "added_tokens", "content", "[UNK]"]),
                        each, max_size=4), max_leaves=20))
def test_any_json_is_a_tokenizer_or_an_error(value):
    try:
        parse_tokenizer(json.dumps(value), "file")
    except ModelError as error:
        assert str(error).startswith("file: ")
