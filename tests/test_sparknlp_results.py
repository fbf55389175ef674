"""What Spark NLP makes of the network's scores, and the shapes in which it gives results."""

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from nerlite.config import SparkNLPConfig
from nerlite.document import Document, Entity
from nerlite.sparknlp import SparkDocument, SparkPieceEncoder, predict, split, tag_document, to_annotations
from nerlite.sparknlp.java import float_to_string, utf16_length, utf16_positions
from nerlite.sparknlp.tagging import chunks
from nerlite.tags import Span
from nerlite.text import Words, join_words

TAGS = ("O", "B-PER", "I-PER", "<unused3>")
Tag = Callable[..., SparkDocument]


@pytest.fixture(scope="module")
def tag(tmp_path_factory: pytest.TempPathFactory) -> Tag:
    """A function that tags words, or a text, by given scores and tags; keywords are settings."""
    path = tmp_path_factory.mktemp("words") / "tokenizer.json"
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "John", "Smith", "ab", "i"]
    Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]")).save(str(path))

    def of(source: str | list[str], scores: object, best: list[int], tags: tuple[str, ...] = TAGS, **settings: object
           ) -> SparkDocument:
        config = SparkNLPConfig(**{"include_confidence": True, **settings})
        words = Words(source, chain(*split(source)[1])) if isinstance(source, str) else join_words(source)
        inputs = SparkPieceEncoder(path, 512, config).inputs(words.text, words[:], words.offsets)
        return tag_document(inputs, np.array(scores, np.float64), np.array(best), tags, config)

    return of


SCORES = np.log([[0.5, 0.25, 0.12345, 0.12655], [1e-4, 0.3, 0.3, 0.3999]]).tolist()
# An exponential that is infinite, and a sum that is zero.
EXTREMES = [[800, 0, 0, 0], [-800] * 4]


def test_confidence_is_the_rounded_maximum_over_all_columns(tag: Tag) -> None:
    document = tag(["John"] * 4, SCORES + EXTREMES, [1, 2, 3, 0])
    assert document.tags == ["B-PER", "I-PER", "O", "O"]
    assert [row["metadata"] for row in to_annotations(document)["ner"]] == [
        {"word": "John", "confidence": confidence, "sentence": "0"} for confidence in ("0.5", "0.3999", "0.0", "0.0")]


def test_chunk_confidence_is_a_mean_in_float32(tag: Tag) -> None:
    document = tag(["John"] * 2, SCORES, [1, 2])
    assert document.entities == [Entity("John John", "PER", 0, 9, float(np.float32(0.44994998)))]
    assert to_annotations(document)["ner_chunk"] == [
        {"annotatorType": "chunk", "begin": 0, "end": 8, "result": "John John",
         "metadata": {"entity": "PER", "sentence": "0", "chunk": "0", "confidence": "0.44994998"}}]


def test_all_confidence_scores(tag: Tag) -> None:
    found = to_annotations(tag(["John"] * 4, SCORES + EXTREMES, [1, 2, 3, 0], include_all_confidence_scores=True))
    assert [row["metadata"] for row in found["ner"][:3]] == [
        {"word": "John", "O": "0.5", "B-PER": "0.25", "I-PER": "0.1235", "sentence": "0"},
        {"word": "John", "O": "1.0E-4", "B-PER": "0.3", "I-PER": "0.3", "sentence": "0"},
        {"word": "John", "O": "0.0", "B-PER": "0.0", "I-PER": "0.0", "sentence": "0"}]
    assert found["ner_chunk"][0]["metadata"]["confidence"] == "0.275"  # of the tags' own scores


def test_without_confidence(tag: Tag) -> None:
    document = tag(["John"] * 2, SCORES, [1, 2], include_confidence=False)
    assert document.entities[0].score == pytest.approx(0.44995)
    found = to_annotations(document)
    assert found["ner"][0]["metadata"] == {"word": "John", "sentence": "0"}
    assert found["ner_chunk"][0]["metadata"] == {"entity": "PER", "sentence": "0", "chunk": "0"}


def test_uncased_models_lower_the_words(tag: Tag) -> None:
    found = to_annotations(tag("AB İ", np.zeros((2, 4)), [1, 1], case_sensitive=False))
    assert [row["metadata"]["word"] for row in found["ner"]] == ["ab", "i\u0307"]
    assert [row["result"] for row in found["token"]] == ["AB", "İ"]
    assert [row["result"] for row in found["ner_chunk"]] == ["AB", "İ"]


def test_white_list_renumbers_the_chunks(tag: Tag) -> None:
    tags = ("O", "B-PER", "B-LOC", "I-LOC")
    document = tag(["John", "in", "New", "York"], np.zeros((4, 4)), [1, 0, 2, 3], tags, white_list=("LOC",))
    assert document.tags == ["B-PER", "O", "B-LOC", "I-LOC"]
    assert document.entities == [Entity("New York", "LOC", 8, 16, 0.25)]
    assert to_annotations(document)["ner_chunk"][0]["metadata"]["chunk"] == "0"


@pytest.mark.parametrize(("tags", "spans"), [
    ("B-PER I-ORG", [(0, 2, "PER")]),
    ("I-ORG I-PER O", [(0, 2, "ORG")]),
    ("O I-X B-X B-X", [(1, 2, "X"), (2, 3, "X"), (3, 4, "X")]),
    ("X B-PER E-PER S-LOC", [(1, 4, "PER")]),
    ("O O", []),
])
def test_chunks(tags: str, spans: list[tuple[int, int, str]]) -> None:
    assert chunks(tags.split()) == [Span(*span) for span in spans]


def test_annotations_of_any_document() -> None:
    text = "😀 John!"
    document = Document(text, array("q", [0, 1, 2, 6, 6, 7]), [Entity("John", "PER", 2, 6, 0.75)])
    found = to_annotations(document)
    assert [(row["begin"], row["end"], row["result"]) for row in found["token"]] == [
        (0, 1, "😀"), (3, 6, "John"), (7, 7, "!")]
    assert found["document"] == [
        {"annotatorType": "document", "begin": 0, "end": 7, "result": text, "metadata": {}}]
    assert found["ner"][1] == {"annotatorType": "named_entity", "begin": 3, "end": 6, "result": "B-PER",
                               "metadata": {"word": "John", "sentence": "0"}}
    assert found["ner_chunk"][0]["metadata"] == {"entity": "PER", "sentence": "0", "chunk": "0", "confidence": "0.75"}
    empty = to_annotations(Document("", array("q"), []))
    assert empty["document"][0]["end"] == -1
    assert [empty[column] for column in ("token", "ner", "ner_chunk")] == [[], [], []]


class Known:
    """A tagger of texts whose answers are given."""

    def __init__(self, *documents: Document) -> None:
        self._documents = {document.text: document for document in documents}

    def pipe(self, texts: Iterable[str]) -> Iterator[Document]:
        return (self._documents[text] for text in texts)


@pytest.fixture
def known(tag: Tag) -> Known:
    return Known(tag("John Smith \u0301 !", [*SCORES, [0, 0, 0, 0]], [1, 2, 0]), tag("", np.zeros((0, 4)), []))


def test_predict_a_row_a_chunk(known: Known) -> None:
    pytest.importorskip("pandas")
    frame = predict(known, ["", "John Smith \u0301 !"])
    assert frame.to_dict("records") == [{"document": "John Smith \u0301 !", "entities": "John Smith",
                                         "entities_class": "PER", "entities_confidence": 0.44994998}]
    assert frame.index.tolist() == [1]
    assert list(predict(known, "").columns) == list(frame.columns)
    positions = predict(known, "John Smith \u0301 !", positions=True)
    assert positions[["entities_begin", "entities_end"]].to_numpy().tolist() == [[0, 9]]


def test_predict_a_row_a_token(known: Known) -> None:
    pytest.importorskip("pandas")
    frame = predict(known, ["John Smith \u0301 !", ""], "token", positions=True)
    assert list(frame.columns) == ["document", "token", "token_begin", "token_end", "ner_iob", "ner_iob_confidence"]
    assert frame.index.tolist() == [0] * 4
    assert frame["token"].tolist() == ["John", "Smith", "\u0301", "!"]
    assert frame["token_end"].tolist() == [3, 9, 11, 13]
    assert frame["ner_iob"].tolist() == ["B-PER", "I-PER", "O", "O"]
    assert frame["ner_iob_confidence"].fillna(-1).tolist() == [0.5, 0.3999, -1, 0.25]


def test_predict_a_row_a_document(known: Known) -> None:
    pytest.importorskip("pandas")
    assert predict(known, ["John Smith \u0301 !", ""], "document").to_dict("records") == [
        {"document": "John Smith \u0301 !", "token": ["John", "Smith", "\u0301", "!"],
         "ner_iob": ["B-PER", "I-PER", "O", "O"], "ner_iob_confidence": [0.5, 0.3999, None, 0.25],
         "entities": ["John Smith"], "entities_class": ["PER"], "entities_confidence": [0.44994998]},
        {"document": "", "token": [], "ner_iob": [], "ner_iob_confidence": [],
         "entities": [], "entities_class": [], "entities_confidence": []}]


def test_predict_refuses_another_level(known: Known) -> None:
    pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="output_level: expected 'token', 'chunk' or 'document', got 'sentence'"):
        predict(known, "", "sentence")


def test_predict_refuses_pairs(known: Known) -> None:
    pytest.importorskip("pandas")
    known.pipe = lambda texts: ((document, None) for document in known._documents.values())  # type: ignore
    with pytest.raises(TypeError, match=r"texts: expected str, got a \(text, context\) pair"):
        predict(known, [("", None)])  # type: ignore


def test_predict_says_that_it_needs_pandas(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        predict(known, "")


@pytest.mark.parametrize(("value", "printed"), [
    (0.9998, "0.9998"), (1, "1.0"), (1e-4, "1.0E-4"), (9e-4, "9.0E-4"), (0.001, "0.001"), (0.47595, "0.47595"),
    (0.99345005, "0.99345005"), (0, "0.0"), (1.25e7, "1.25E7"), (123456.7, "123456.7"), (1.23e-7, "1.23E-7"),
])
def test_floats_are_printed_as_on_a_jvm(value: float, printed: str) -> None:
    assert float_to_string(np.float32(value)) == printed


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_positions_in_utf16(text: str) -> None:
    expected = [len(text[:i].encode("utf-16-le", "surrogatepass")) // 2 for i in range(len(text) + 1)]
    assert utf16_positions(text, np.arange(len(text) + 1)).tolist() == expected
    assert utf16_length(text) == expected[-1]
