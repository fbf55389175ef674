"""The Lambda handler: events as API Gateway, function URLs and direct invocations send them."""

import base64
import json
import subprocess
import sys

import pytest

import nerlite
from nerlite.integrations import aws_lambda
from nerlite.integrations.aws_lambda import RequestError, handler

TEXT = "My name is John and I work for Acme in Zürich."


@pytest.fixture(scope="module")
def found():
    return [entity.to_dict() for entity in nerlite.load()(TEXT).entities]


def rest(body, kind="application/json", method="POST", **more):
    """An event of a REST API, payload version 1.0."""
    return {"resource": "/", "path": "/", "httpMethod": method, "headers": kind and {"Content-Type": kind},
            "requestContext": {"resourceId": "x", "httpMethod": method}, "body": body, "isBase64Encoded": False, **more}


def http(body, kind="application/json", method="POST", **more):
    """An event of an HTTP API or a function URL, payload version 2.0."""
    return {"version": "2.0", "routeKey": "$default", "rawPath": "/", "headers": kind and {"content-type": kind},
            "requestContext": {"http": {"method": method, "path": "/"}}, "body": body, "isBase64Encoded": False, **more}


def answer(response, status=200):
    assert response["statusCode"] == status
    assert response["headers"] == {"content-type": "application/json"}
    return json.loads(response["body"])


@pytest.mark.parametrize("event", [rest, http])
def test_bodies(event, found):
    one, many = json.dumps({"text": TEXT}), json.dumps({"texts": [TEXT, "", TEXT]})
    encoded = base64.b64encode(json.dumps({"text": TEXT}, ensure_ascii=False).encode()).decode()
    assert answer(handler(event(one))) == {"entities": found}
    assert answer(handler(event(one, kind=None))) == {"entities": found}
    assert answer(handler(event(many))) == {"documents": [{"entities": found}, {"entities": []}, {"entities": found}]}
    assert answer(handler(event(encoded, isBase64Encoded=True))) == {"entities": found}
    assert answer(handler(event(TEXT, kind="text/plain; charset=utf-8"))) == {"entities": found}
    assert answer(handler(event(None, kind="text/plain"))) == {"entities": []}
    assert answer(handler(event('{"texts": []}'))) == {"documents": []}


def test_direct_invocations(found):
    assert handler({"text": TEXT}) == {"entities": found}
    assert handler({"texts": [TEXT]}, object()) == {"documents": [{"entities": found}]}
    for wrong in (None, [], "text", {}, {"text": None}):
        with pytest.raises(RequestError, match="expected"):
            handler(wrong)


@pytest.mark.parametrize("event", [rest, http])
@pytest.mark.parametrize(("status", "what", "arguments"), [
    (405, "expected POST, got GET", {"method": "GET"}),
    (415, "content-type: expected application/json or text/plain, got image/png", {"kind": "image/png"}),
    (400, "body: expected JSON", {"body": "{"}),
    (400, "body: expected JSON", {"body": None}),
    (400, "body: expected JSON", {"body": "[" * 100_000}),
    (400, "body: expected UTF-8", {"body": "%%%", "isBase64Encoded": True}),
    (400, "body: expected UTF-8", {"body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True}),
    (400, "body: expected UTF-8", {"body": "ü", "isBase64Encoded": True}),
    (400, "body: expected UTF-8", {"body": "\ud800"}),
    (400, 'expected an object with a key "text" or "texts"', {"body": "[]"}),
    (400, 'expected an object with a key "text" or "texts"', {"body": '{"text": "", "texts": []}'}),
    (400, "texts: expected a list of strings", {"body": '{"texts": "EU"}'}),
    (400, "texts: expected a list of strings", {"body": '{"texts": ["EU", null]}'}),
    (400, "text: expected a string", {"body": '{"text": ["EU"]}'}),
    (413, "expected at most 200,000 characters in all texts, got 200,001", {"body": f'{{"text": "{"x" * 200_001}"}}'}),
])
def test_what_is_wrong_is_said(event, status, what, arguments):
    response = handler(event(**{"body": '{"text": ""}'} | arguments))
    assert what in answer(response, status)["error"]


def test_the_limit_is_of_all_texts_and_can_be_set(monkeypatch):
    monkeypatch.setenv("NERLITE_MAX_CHARACTERS", "7")
    assert answer(handler(rest('{"texts": ["EU", "Paris"]}')))["documents"]
    refused = answer(handler(rest('{"texts": ["EU!", "Paris"]}')), 413)
    assert refused == {"error": "expected at most 7 characters in all texts, got 8"}


def test_a_lone_surrogate_is_answered():
    response = handler(rest('{"text": "\\ud800 John lives in Berlin"}'))
    assert [entity["text"] for entity in answer(response)["entities"]][-1] == "Berlin"
    response["body"].encode()


def test_the_model_is_read_while_the_function_starts_and_only_there(monkeypatch):
    """In a process of its own, as a module is imported once."""
    code = "import nerlite.integrations.aws_lambda as each; print(each.tagger.cache_info().currsize)"
    found = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()]
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    found += [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()]
    assert found == ["0", "1"]


def test_the_model_is_the_environments(monkeypatch):
    monkeypatch.setenv("NERLITE_MODEL", "no-such-model")
    aws_lambda.tagger.cache_clear()
    with pytest.raises(nerlite.ModelError, match="no-such-model"):
        handler(rest('{"text": ""}'))
    monkeypatch.undo()
    assert answer(handler(rest('{"text": ""}'))) == {"entities": []}
