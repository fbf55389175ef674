"""Spark NLP's text rules against Spark NLP's own answers, and against a literal reading of its source.

fixtures/sparknlp_docs.jsonl.gz is cut from the golden data: its first line has the model's vocabulary, tags and
transitions; then one document a line, with the annotations of Spark NLP 3.2.1's LightPipeline, the NER graph's scores,
and under "3.4" what version 3.4.4 says where it differs. The documents are those that show the rules: awkward Unicode,
random mixtures, and lengths around the limit of 126 pieces.
"""

import functools
import gzip
import json
import re
import struct
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from nerlite.config import SparkNLPConfig
from nerlite.sparknlp import SparkPieceEncoder, split, tag_document, to_annotations
from nerlite.sparknlp.java import utf16_positions
from nerlite.sparknlp.pieces import BASIC_TOKEN, Inputs
from nerlite.sparknlp.tagging import SparkDocument
from nerlite.text import join_words

SETTINGS = SparkNLPConfig(include_confidence=True)


def read_json_lines(path: Path) -> list[Any]:
    content = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()]


MODEL, *CUT = read_json_lines(Path(__file__).parent / "fixtures" / "sparknlp_docs.jsonl.gz")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SparkPieceEncoder]:
    """A function: window, and settings that differ from SETTINGS → the encoder with the golden model's vocabulary."""
    path = write_vocabulary(MODEL["vocabulary"], tmp_path_factory.mktemp("golden") / "tokenizer.json")

    @functools.cache
    def encoder_for(window: int = 512, **changes: Any) -> SparkPieceEncoder:
        return SparkPieceEncoder(path, window, SETTINGS._replace(**changes))

    return encoder_for


@pytest.fixture(scope="module")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[SparkNLPConfig], SparkPieceEncoder]:
    path = write_vocabulary(SMALL_VOCABULARY, tmp_path_factory.mktemp("small") / "tokenizer.json")
    return functools.cache(lambda settings: SparkPieceEncoder(path, 512, settings))


def write_vocabulary(vocabulary: list[str], path: Path) -> Path:
    Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]")).save(str(path))
    return path


def given_words(words: list[str]) -> tuple[str, list[str], list[tuple[int, int]]]:
    joined = join_words(words)
    return joined.text, joined[:], joined.offsets


def test_cut_of_golden_documents(encoder: Callable[..., SparkPieceEncoder]) -> None:
    check_documents(CUT, encoder)


def test_all_golden_documents(data: Path, encoder: Callable[..., SparkPieceEncoder]) -> None:
    texts, answers, later = (read_json_lines(data / "sparknlp" / name)
                             for name in ("docs.jsonl", "light.jsonl.gz", "light-3.4.4.jsonl.gz"))
    assert len(texts) == 379
    with np.load(data / "sparknlp" / "stages.npz") as scores:
        check_documents([answer | {"text": text["text"], "scores": scores.get(f"{text['id']}/scores", [])}
                         | ({} if answer == changed else {"3.4": changed})
                         for text, answer, changed in zip(texts, answers, later, strict=True)], encoder)


def check_documents(goldens: list[dict[str, Any]], encoder: Callable[..., SparkPieceEncoder]) -> None:
    ties = set()
    for golden in goldens:
        words, offsets = split(golden["text"])
        for version in ("3.2", "3.4"):
            expected = golden | golden.get(version, {})
            inputs = encoder(version=version).inputs(golden["text"], words, offsets)
            assert embeddings(inputs, encoder) == [
                (row["begin"], row["end"], row["result"], row["metadata"]["token"], row["metadata"]["isWordStart"],
                 row["metadata"]["pieceId"]) for row in expected["embeddings"]], (golden["id"], version)
            if version in golden:  # the scores are those of 3.2
                scores, best = told_scores(inputs, expected["ner"])
            else:
                scores = np.array(golden["scores"], np.float32).reshape(-1, len(MODEL["tags"]))
                best = viterbi(scores)
            document = tag_document(inputs, scores, best, MODEL["tags"], SETTINGS._replace(version=version))
            if take_ties(document, scores[inputs.is_word_start], expected["ner"]):
                ties.add(golden["id"])
            found = to_annotations(document)
            for column, golden_column in (("document", "document"), ("token", "token"), ("ner", "ner"),
                                          ("ner_chunk", "entities")):
                rows = [{"type" if key == "annotatorType" else key: value for key, value in row.items()}
                        for row in found[column]]
                assert rows == expected[golden_column], (golden["id"], version, column)
    assert ties == {"awkward-025"}


def embeddings(inputs: Inputs, encoder: Callable[..., SparkPieceEncoder]) -> list[tuple[int, int, str, str, str, str]]:
    rows = utf16_positions(inputs.text, np.array(inputs.offsets, np.int64).reshape(-1, 2)).tolist()
    result = []
    for sequence, window in zip(inputs.sequences, inputs.windows, strict=True):
        assert window == (0, len(inputs.word_ids), 0, len(inputs.word_ids))
        pieces = sequence.piece_ids
        if inputs.truncated_at is not None:  # Spark names the piece that [SEP]'s vector stands in for
            pieces = [pieces[0], *encoder(4096).encode(inputs.words).ids.tolist()]
        for row, text, word, is_start in zip(sequence.first_pieces, sequence.words, inputs.word_ids,
                                             inputs.is_word_start, strict=True):
            begin, end = rows[word]
            result.append((begin, end - 1, inputs.words[word], text, str(bool(is_start)).lower(), str(pieces[row])))
    return result


def viterbi(scores: np.ndarray) -> np.ndarray:
    transitions = np.array(MODEL["transitions"], np.float32)
    state, back = scores[:1].sum(0), []
    for row in scores[1:]:
        paths = state[:, None] + transitions
        back.append(paths.argmax(0))
        state = row + paths.max(0)
    best = [int(state.argmax())]
    for step in reversed(back):
        best.append(int(step[best[-1]]))
    return np.array(best[::-1][:len(scores)], np.int64)


def told_scores(inputs: Inputs, ner: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Scores and tags that say what Spark's annotations do."""
    n_tags = len(MODEL["tags"])
    scores, best = np.zeros((len(inputs.word_ids), n_tags)), np.zeros(len(inputs.word_ids), np.int64)
    for entry, row in zip(np.flatnonzero(inputs.is_word_start), ner, strict=True):
        confidence = min(float(row["metadata"]["confidence"]), 1 - 1e-9)
        best[entry] = MODEL["tags"].index(row["result"])
        scores[entry, 0] = np.log(confidence / (1 - confidence) * (n_tags - 1))
    return scores, best


def take_ties(document: SparkDocument, scores: np.ndarray, ner: list[dict[str, Any]]) -> bool:
    """Take Spark's rounding where a probability is so near a tie that the last bit of a score decides."""
    taken = False
    for (word, own), row, told in zip(document.confidences.items(), scores.astype(float), ner, strict=True):
        expected = np.float32(told["metadata"]["confidence"])
        if own["confidence"] != expected:
            assert 1e4 / np.exp(row - row.max()).sum() % 1 == pytest.approx(0.5, abs=1e-3)
            assert own["confidence"] == pytest.approx(expected, abs=1.1e-4)
            document.confidences[word] = {"confidence": expected}
            taken = True
    return taken


@pytest.mark.parametrize(("name", "n_untagged"), [("conll_test", 71), ("conll_valid", 124)])
def test_given_words_without_a_tag(data: Path, encoder: Callable[..., SparkPieceEncoder], name: str, n_untagged: int
                                   ) -> None:
    """On CoNLL's own words, exactly those that Spark NLP leaves without a tag have no entry."""
    for block in gzip.decompress((data / "sparknlp" / f"{name}.tsv.gz").read_bytes()).decode().strip().split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n")]
        inputs = encoder().inputs(*given_words([row[0] for row in rows]))
        tagged = set(inputs.word_ids[inputs.is_word_start].tolist())
        assert [row[2] == "-" for row in rows] == [word not in tagged for word in range(len(rows))]
        n_untagged -= len(rows) - len(tagged)
    assert n_untagged == 0


LETTERS = [*"abEéeİßΣ가각が中豈😀\U0001D15E.!-$'“ \n\t", "\u0301", "\u0327", "\u0345", "\u2008", "\ud83d", "\ude00",
           "\u05be", "\u00a0", "\u3000", "\u2028", "\u0007", "\u001c", "\u0085", "\ufffd", "\u2187", "\u2188"]
SMALL_VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abeiσ中豈か😀ß.$'", "ab", "aa", "ᄀ",
                    *("##" + piece for piece in ("a", "b", "e", "i", "ab", "ß", "σ", "ς", "😀", "ᅡ", "ᆨ", "\u3099"))]
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=40).map("".join)


@given(TEXTS)
def test_split_is_the_tokenizers_regex(text: str) -> None:
    context = re.escape(".,;:!?*-()\"'")
    rule = re.compile(rf"\A([{context}]*)([^{context}](?:.*[^{context}])*)([{context}]*)\Z")
    expected = []
    for candidate in re.finditer("[^\u2187]+", re.sub("[\t\n\v\f\r ]", "\u2187", text)):
        match, start = rule.match(candidate[0]), candidate.start()
        spans = [match.span(group) for group in (1, 2, 3)] if match else [(0, len(candidate[0]))]
        expected += [(start + left, start + right) for left, right in spans if left < right]
    words, offsets = split(text)
    assert offsets == expected
    assert words == [text[start:end] for start, end in offsets]


@given(TEXTS, st.sampled_from([1, 2, 3, 5, 8, 128]), st.sampled_from(["3.2", "3.4"]), st.booleans())
def test_inputs_are_those_of_the_source(small_encoder: Callable[[SparkNLPConfig], SparkPieceEncoder], text: str,
                                        limit: int, version: Any, cased: bool) -> None:
    settings = SparkNLPConfig(version=version, case_sensitive=cased, max_sentence_length=limit)
    words, offsets = split(text)
    inputs = small_encoder(settings).inputs(text, words, offsets)
    piece_ids, entries = source_inputs(text, words, offsets, settings)
    assert inputs.word_ids.tolist() == [word for word, _, _ in entries]
    assert inputs.is_word_start.tolist() == [is_start for _, is_start, _ in entries]
    assert len(inputs.sequences) == bool(entries)
    for sequence in inputs.sequences:
        assert sequence.piece_ids == piece_ids
        assert sequence.first_pieces == [row for _, _, row in entries]
        assert sequence.words == [words[word] if cased else words[word].lower() for word, _, _ in entries]


def test_every_character_of_the_bmp_parts_basic_tokens_as_in_the_source() -> None:
    for character in map(chr, [*range(0xD800), *range(0xE000, 0x10000)]):
        expected = [begin for _, begin in basic_tokens(["x", character, "y"], cased=True)]
        assert [match.start() for match in BASIC_TOKEN.finditer(f"x{character}y")] == expected, hex(ord(character))


def units(text: str) -> list[str]:
    """A string's UTF-16 units, each as a string of one character."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return [chr(unit) for unit in struct.unpack(f"<{len(raw) // 2}H", raw)]


def joined(parts: list[str]) -> str:
    return "".join(parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def source_inputs(text: str, words: list[str], offsets: list[tuple[int, int]], settings: SparkNLPConfig
                  ) -> tuple[list[int], list[tuple[int, bool, int]]]:
    """DistilBertEmbeddings step by step: piece ids, and entries (word, isWordStart, row of the vector)."""
    begins = [len(units(text[:start])) for start, _ in offsets]
    pieces = []
    for word, begin in zip(words, begins, strict=True):
        content = joined(units(word)) if settings.case_sensitive else joined(units(word)).lower()
        basic = next(basic_tokens(units(content), settings.case_sensitive), None)
        if basic:
            pieces += wordpiece(basic[0], begin + (basic[1] if settings.version == "3.2" else 0))
    pieces = pieces[:settings.max_sentence_length]
    n_read = max(0, min(settings.max_sentence_length - 2, len(pieces)))
    piece_ids = [2, *(index for index, _, _ in pieces[:n_read]), 3]
    paired = list(enumerate(pieces, 1))[:len(piece_ids) - 1]
    return piece_ids, [(begins.index(begin), is_start, row) for row, (_, begin, is_start) in paired if begin in begins]


def basic_tokens(text: list[str], cased: bool) -> Iterator[tuple[list[str], int]]:
    def is_space(unit: str) -> bool:
        if unit in "\t\n\v\f\r\x1c\x1d\x1e\x1f":
            return True
        return unicodedata.category(unit) in ("Zs", "Zl", "Zp") and unit not in "\u00a0\u2007\u202f"

    def is_filtered(unit: str) -> bool:
        return unit == "\ufffd" or (unicodedata.category(unit) == "Cc" and unit not in "\t\n\r")

    def is_single(unit: str) -> bool:
        return (unit in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" or "PUNCTUATION" in unicodedata.name(unit, "")
                or "\u4e00" <= unit <= "\u9fff" or "\u3400" <= unit <= "\u4dbf" or "\uf900" <= unit <= "\ufaff")

    i = 0
    while i < len(text):
        while i < len(text) and is_space(text[i]) and not is_single(text[i]):
            i += 1
        end = i
        while end < len(text) and not (is_filtered(text[end]) or is_single(text[end]) or is_space(text[end])):
            end += 1
        for left, right in ((i, end), (end, end + (end < len(text) and is_single(text[end])))):
            kept = [unit for unit in units(unicodedata.normalize("NFD", joined(text[left:right])))
                    if not "\u0300" <= unit <= "\u036f"]
            if kept:
                yield kept if cased else units(joined(kept).lower()), left
        i = end + 1


def wordpiece(token: list[str], begin: int) -> list[tuple[int, int, bool]]:
    pieces: list[tuple[int, int, bool]] = []
    start = 0
    while start < len(token) <= 200:
        end, prefix = len(token), "##" if start else ""
        while end > start and prefix + joined(token[start:end]) not in SMALL_VOCABULARY:
            end -= 1
        if end == start:
            return [(1, begin, True)]
        pieces.append((SMALL_VOCABULARY.index(prefix + joined(token[start:end])), begin + start, start == 0))
        start = end
    return pieces or [(1, begin, True)]


@pytest.mark.parametrize(("text", "words"), [
    ("I won't be in the U.S.A. (and", "I|won't|be|in|the|U.S.A|.|(|and"),
    ("$100 'He said', I'll", "$100|'|He|said|',|I'll"),
    ("markus-crassus. www.google.com.", "markus-crassus|.|www.google.com|."),
    ("?!?! -- ...", "?!?!|--|..."),
    ('"(Hi)!" ("x").', '"(|Hi|)!"|("|x|").'),
    ("-5 +5 3.14 1,000,000.", "-|5|+5|3.14|1,000,000|."),
    ('[x] {y} <z> "“Q”,"', '[x]|{y}|<z>|"|“Q”|,"'),
    ("a\u00a0b c\u2028d e\u2187f g\u2188h", "a\u00a0b|c\u2028d|e|f|g\u2188h"),
])
def test_split_as_on_a_jvm(text: str, words: str) -> None:
    assert split(text)[0] == words.split("|")


def test_long_texts_and_words(encoder: Callable[..., SparkPieceEncoder]) -> None:
    text = "John lives in Berlin. 😀 " * 50_000
    words, offsets = split(text)
    assert len(words) == 300_000
    inputs = encoder().inputs(text, words, offsets)
    assert len(inputs.sequences[0].piece_ids) == 128
    assert inputs.truncated_at == offsets[inputs.word_ids[-1]][0]
    word = "x" * 100_000
    inputs = encoder().inputs(word, *split(word))
    assert inputs.sequences[0].piece_ids == [101, 100, 102]
    assert inputs.truncated_at is None


def test_truncated_at_is_the_first_word_not_read_to_its_end(encoder: Callable[..., SparkPieceEncoder]) -> None:
    assert encoder().encode(["Berlin", "zzzz"]).offsets.tolist() == [0, 2, 6]
    for limit, expected in ((8, None), (7, 7), (4, 7), (3, 0), (2, 0)):
        inputs = encoder(max_sentence_length=limit).inputs(*given_words(["Berlin", "zzzz"]))
        assert inputs.truncated_at == expected, limit


def test_given_words_may_be_empty(encoder: Callable[..., SparkPieceEncoder]) -> None:
    assert encoder().inputs(*given_words(["John", "", " ", "Berlin"])).word_ids.tolist() == [0, 3]
    for words in ([], ["", "\u0301"]):
        inputs = encoder().inputs(*given_words(words))
        assert (inputs.sequences, inputs.word_ids.tolist()) == ([], [])
        document = tag_document(inputs, np.zeros((0, 2)), np.zeros(0, np.int64), ("O", "B-X"), SETTINGS)
        assert document.tags == ["O"] * len(words)


def test_windows_read_everything(encoder: Callable[..., SparkPieceEncoder]) -> None:
    n_cut = 0
    for golden in CUT:
        words, offsets = split(golden["text"])
        cut, whole = (encoder(32, max_sentence_length=32).inputs(golden["text"], words, offsets, windows=windows)
                      for windows in (False, True))
        assert whole.truncated_at is None
        if cut.truncated_at is None:
            assert whole.windows == cut.windows
            np.testing.assert_equal([sequence._asdict() for sequence in whole.sequences],
                                    [sequence._asdict() for sequence in cut.sequences])
            continue
        n_cut, n_entries = n_cut + 1, 0
        for sequence, window in zip(whole.sequences, whole.windows, strict=True):
            assert len(sequence.piece_ids) <= 32
            assert window.stop - window.start == len(sequence.words) == len(sequence.first_pieces)
            assert window.start <= window.keep_start == n_entries <= window.keep_stop <= window.stop
            kept = slice(window.keep_start - window.start, window.keep_stop - window.start)
            assert sequence.words[kept] == [words[i] for i in whole.word_ids[window.keep_start:window.keep_stop]]
            n_entries = window.keep_stop
        everything = encoder(max_sentence_length=4096).inputs(golden["text"], words, offsets)
        assert n_entries == len(whole.word_ids) == len(whole.is_word_start)
        assert (whole.word_ids[whole.is_word_start].tolist()
                == everything.word_ids[everything.is_word_start].tolist())
    assert n_cut == 10
