"""Documents in the hands of other libraries: each test runs where its library is installed."""

from array import array

import pytest

from nerlite.document import Document, Entity
from nerlite.frames import add_entities, add_function, to_frame


@pytest.fixture
def document() -> Document:
    return Document("John \U0001f600 Bo\nx", array("I", [0, 4, 5, 6, 7, 9, 10, 11]),
                    [Entity("John", "PER", 0, 4, 0.75), Entity("Bo", "ORG", 7, 9, 0.5)])


@pytest.fixture
def answers(document):
    """A function that returns what a FastAPI application answers with for a function's result."""
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")

    def answer(result, **options):
        app = fastapi.FastAPI()
        app.get("/", **options)(lambda: result)
        client = testclient.TestClient(app)
        assert client.get("/openapi.json").status_code == 200
        response = client.get("/")
        assert response.status_code == 200
        return response.json()

    return answer


def test_fastapi_answers_with_a_documents_json(answers, document):
    expected = document.to_dict()
    assert document.words, "what is made when it is asked for is no part of the answer"
    assert answers(document) == answers(document, response_model=Document) == expected
    assert answers(document.entities) == answers(document.entities, response_model=list[Entity]) == expected["entities"]
    assert answers({"documents": (document, document)}) == {"documents": [expected, expected]}


def test_seqeval_takes_tags(document):
    metrics = pytest.importorskip("seqeval.metrics")
    assert metrics.f1_score([document.tags, document.tags], [document.tags, document.tags]) == 1.0


def test_nervaluate_takes_tags_and_entities(document):
    nervaluate = pytest.importorskip("nervaluate")
    labels = ["PER", "ORG"]
    missing = document.only(document.entities[:1])
    for gold, predicted, loader in (([document.tags], [missing.tags], "list"),
                                    ([document.to_dict()["entities"]], [missing.to_dict()["entities"]], "dict")):
        result = nervaluate.Evaluator(gold, predicted, tags=labels, loader=loader).evaluate()["overall"]["strict"]
        assert (result.correct, result.missed) == (1, 1)


class Capitals:
    """A tagger whose entities are the texts' capital letters."""

    def pipe(self, texts):
        for text in texts:
            yield Document(text, array("I"), [Entity(each, "CAP", i, i + 1, 0.5)
                                              for i, each in enumerate(text) if each.isupper()])


B = {"text": "B", "label": "CAP", "start": 1, "end": 2, "score": 0.5}


def test_polars_has_a_frame_and_a_column_of_structs():
    pl = pytest.importorskip("polars")
    documents = list(Capitals().pipe(["aB", "c"]))
    frame = to_frame([None, *documents], "polars")
    assert frame.rows(named=True) == [{"document": 1, **B}]
    assert to_frame([], "polars").schema == to_frame(documents[1:], "polars").schema == frame.schema
    assert to_frame([(documents[0], "x")], "polars")["document"].to_list() == ["x"]
    texts = pl.DataFrame({"id": [2 ** 60, None, 3], "text": ["aB", None, "c"]})
    tagged = add_entities(texts, "text", Capitals())
    assert tagged.drop("entities").equals(texts)
    assert tagged["entities"].to_list() == [[B], None, []]
    assert add_entities(texts[:0], "text", Capitals()).schema == tagged.schema
    assert tagged.explode("entities").drop_nulls("entities").unnest("entities", separator=".").row(0)[2] == "B"


def test_arrow_has_a_column_of_structs():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"id": [2 ** 60, None, 3], "text": ["aB", None, "c"]})
    tagged = add_entities(table, "text", Capitals())
    assert tagged.drop_columns("entities").equals(table)
    assert tagged["entities"].to_pylist() == [[B], None, []]
    assert add_entities(tagged[:0], "text", Capitals()).schema == tagged.schema
    with pytest.raises(TypeError, match="column 'id': expected texts and nulls, got int in row 0"):
        add_entities(table, "id", Capitals())


def test_duckdb_has_a_function():
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        add_function(connection, Capitals())
        connection.execute("CREATE TABLE texts AS SELECT i AS id, CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 "
                           "THEN 'aB' ELSE 'c' END AS text FROM range(5000) AS r(i)")
        rows = connection.sql("SELECT *, entities(text) FROM texts ORDER BY id").fetchall()
        assert rows == [(i, *[(None, None), ("aB", [B]), ("c", [])][i % 3]) for i in range(5000)]
        found = connection.sql("SELECT e.label, e.text, count(*) FROM (SELECT unnest(entities(text)) AS e FROM texts) "
                               "GROUP BY ALL").fetchall()
        assert found == [("CAP", "B", 1667)]
        assert connection.sql("SELECT entities(NULL)").fetchall() == [(None,)]
