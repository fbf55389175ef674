"""Documents in the hands of other libraries: each test runs where its library is installed."""

from array import array

import pytest

from nerlite.document import Document, Entity


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
