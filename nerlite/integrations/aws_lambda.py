"""An AWS Lambda function: `nerlite.integrations.aws_lambda.handler`.

It answers API Gateway (REST and HTTP APIs), function URLs and load balancers, whose events have a body, and direct
invocations, whose event is the request itself. A request is {"text": "…"} or {"texts": ["…", …]}, or in a body of
type text/plain the text alone; the answer is {"entities": […]}, or {"documents": [{"entities": […]}, …]} in the order
of the texts. What is wrong with a request is a 4xx with {"error": "…"}, and to a direct invocation a RequestError.

Environment: NERLITE_MODEL names the model as in `nerlite.load`; NERLITE_MAX_CHARACTERS is the most that a request's
texts may have together, by default 200,000: at 5,000 words/s, less than API Gateway's 29 seconds.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from typing import Any

import nerlite
from nerlite import environment

MAX_CHARACTERS = 200_000


class RequestError(ValueError):
    """A request that cannot be answered; status: HTTP's code for what is wrong with it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def handler(event: Any, context: Any = None) -> dict[str, Any]:
    """Answer an event; raises RequestError where it is a direct invocation that cannot be answered."""
    if not isinstance(event, dict) or "requestContext" not in event:
        return _answer(event)
    try:
        return _response(200, _answer(_request(event)))
    except RequestError as error:
        return _response(error.status, {"error": str(error)})


@functools.cache
def tagger() -> nerlite.Tagger:
    """Return the function's tagger; it reads its model at the first call."""
    return nerlite.load(environment.read("NERLITE_MODEL") or None)


def _request(event: Mapping[str, Any]) -> Any:
    """Return the request that an event's body holds."""
    method = event.get("httpMethod") or event["requestContext"].get("http", {}).get("method")
    if method != "POST":
        raise RequestError(405, f"expected POST, got {method}")
    body = event.get("body") or ""
    try:
        data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        text = data.decode("utf-8-sig")
    except ValueError:
        raise RequestError(400, "body: expected UTF-8") from None
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "text/plain":
        return {"text": text}
    if kind != "application/json":
        raise RequestError(415, f"content-type: expected application/json or text/plain, got {kind:.80}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"body: expected JSON: {error}") from None


def _answer(request: Any) -> dict[str, Any]:
    if not isinstance(request, dict) or ("text" in request) == ("texts" in request):
        raise RequestError(400, 'expected an object with a key "text" or "texts"')
    texts = [request["text"]] if "text" in request else request["texts"]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RequestError(400, "text: expected a string; texts: expected a list of strings")
    most = int(environment.read("NERLITE_MAX_CHARACTERS") or MAX_CHARACTERS)
    if (n_characters := sum(map(len, texts))) > most:
        raise RequestError(413, f"expected at most {most:,} characters in all texts, got {n_characters:,}")
    found = [{"entities": [entity.to_dict() for entity in document.entities]} for document in tagger().pipe(texts)]
    return found[0] if "text" in request else {"documents": found}


def _response(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


if environment.read("AWS_LAMBDA_RUNTIME_API"):
    tagger()  # while the function starts, when Lambda gives it more CPU than its memory entitles it to
