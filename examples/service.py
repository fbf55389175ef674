"""A web service in forty lines: `uvicorn --app-dir examples service:app`, then POST a text to it.

    curl --data 'Angela Merkel flew from Berlin to Washington.' localhost:8000

Any ASGI server runs it. A thread a core tags, one text each, while the event loop goes on taking requests; a request
that finds too many before it is told to come again. When the server is told to stop it answers what it has taken.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import nerlite

LONGEST, MOST_WAITING = 1_000_000, 256
JSON, TEXT = b"application/json", b"text/plain; charset=utf-8"
ner = nerlite.load(threads=1)
threads = ThreadPoolExecutor(nerlite.load().threads)
waiting = 0


async def app(scope, receive, send):
    if scope["type"] == "http":
        status, kind, body = await answer(scope, receive)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def answer(scope, receive):
    global waiting
    data, message = b"", {"more_body": True}
    while message.get("more_body") and len(data) <= LONGEST:
        message = await receive()
        data += message.get("body", b"")
    if scope["method"] != "POST":
        return 405, TEXT, b"expected POST with a text as its body\n"
    if len(data) > LONGEST:
        return 413, TEXT, b"expected at most %d bytes\n" % LONGEST
    if waiting >= MOST_WAITING:
        return 503, TEXT, b"too many requests at a time, try again\n"
    try:
        waiting += 1
        document = await asyncio.get_running_loop().run_in_executor(threads, ner, data.decode())
        return 200, JSON, document.to_json().encode()
    except UnicodeDecodeError:
        return 400, TEXT, b"expected UTF-8\n"
    finally:
        waiting -= 1
