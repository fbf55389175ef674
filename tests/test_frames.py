"""Data frames of entities, in pandas; tests/integration has the other libraries."""

from array import array

import pandas as pd
import pytest

import nerlite
from nerlite.document import Document, Entity
from nerlite.frames import add_entities

COLUMNS = {"document": "int64", "text": "str", "label": "str", "start": "int64", "end": "int64", "score": "float64"}


class Capitals:
    """A tagger whose entities are the texts' capital letters."""

    def pipe(self, texts):
        for text in texts:
            yield Document(text, array("I"), [Entity(each, "CAP", i, i + 1, 0.5)
                                              for i, each in enumerate(text) if each.isupper()])


@pytest.fixture
def documents():
    return list(Capitals().pipe(["aB cD", "", "E"]))


def test_a_row_an_entity(documents):
    frame = nerlite.to_frame([*documents, None, documents[2]])
    assert list(frame.columns) == list(COLUMNS)
    assert frame.dtypes.map(str).to_dict() == pd.DataFrame(
        {name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()}).dtypes.map(str).to_dict()
    assert frame.to_dict("split")["data"] == [[0, "B", "CAP", 1, 2, 0.5], [0, "D", "CAP", 4, 5, 0.5],
                                              [2, "E", "CAP", 0, 1, 0.5], [4, "E", "CAP", 0, 1, 0.5]]


def test_a_frame_of_no_entities_has_its_columns(documents):
    for nothing in ([], [documents[1]], [(documents[1], "id")], [None]):
        frame = nerlite.to_frame(nothing)
        assert len(frame) == 0
        assert frame.dtypes.equals(nerlite.to_frame(documents).dtypes)


def test_a_pairs_context_is_its_document(documents):
    frame = nerlite.to_frame(zip(documents, ["x", "y", "z"], strict=True))
    assert list(frame["document"]) == ["x", "x", "z"]


def test_what_is_no_document_is_refused(documents):
    with pytest.raises(TypeError, match="expected an iterable of documents, got one document"):
        nerlite.to_frame(documents[0])
    with pytest.raises(TypeError, match="documents: expected documents, got str at 1"):
        nerlite.to_frame([documents[0], "text"])
    with pytest.raises(ValueError, match="library: expected 'pandas' or 'polars', got 'dask'"):
        nerlite.to_frame(documents, "dask")


@pytest.mark.parametrize("dtype", ["str", "object", "string"])
def test_a_column_more(dtype):
    frame = pd.DataFrame({"id": [7, 8, 9], "body": pd.Series(["aB", None, "c"], dtype=dtype)}).set_axis([5, 5, 6])
    tagged = add_entities(frame, "body", Capitals(), into="found")
    assert list(frame.columns) == ["id", "body"]
    assert tagged[["id", "body"]].equals(frame)
    assert list(tagged["found"]) == [[{"text": "B", "label": "CAP", "start": 1, "end": 2, "score": 0.5}], None, []]
    assert list(add_entities(tagged, "body", Capitals(), into="found")["found"]) == list(tagged["found"])
    assert list(add_entities(frame[:0], "body", Capitals())["entities"]) == []


def test_a_column_that_is_none_is_refused():
    frame = pd.DataFrame([["x", "y"], [3, None]], columns=["a", "b"])
    with pytest.raises(ValueError, match="column: expected one of the frame's, 'a', 'b', got 'text'"):
        add_entities(frame, "text", Capitals())
    with pytest.raises(ValueError, match="column: expected one of the frame's, 'b', 'b', got 'b'"):
        add_entities(frame.set_axis(["b", "b"], axis=1), "b", Capitals())
    with pytest.raises(TypeError, match="column 'a': expected texts and nulls, got int in row 1"):
        add_entities(frame, "a", Capitals())
    with pytest.raises(TypeError, match=r"expected a pandas or Polars DataFrame or a pyarrow Table, got .*list"):
        add_entities([["x"]], "a", Capitals())


def test_the_real_tagger_tags_frames(tiny_model):
    tagger = nerlite.load(tiny_model, backend="numpy")
    texts = ["the john of berlin " * 9, "x", "EU rejects German call."]
    tagged = add_entities(pd.DataFrame({"text": texts}), "text", tagger)
    assert list(tagged["entities"]) == [tagger(text).to_dict()["entities"] for text in texts]
    assert len(nerlite.to_frame(tagger.pipe(texts))) == tagged["entities"].map(len).sum() > 0
