"""The example's web service, in a server of its own, under load, and told to stop in the middle of it."""

import contextlib
import http.client
import json
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

import nerlite

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXTS = ["Angela Merkel flew from Berlin to Washington.", "", "Łódź 🙂 and New York 🗽 with Obama.",
         "The German team of Acme Corp. won in Paris. " * 20]


@pytest.fixture
def service():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, "--port", str(port), "--no-access-log",
               "service:app"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.1)
        yield process, port
        process.kill()


def post(connection, body, method="POST"):
    connection.request(method, "/", body)
    response = connection.getresponse()
    return response.status, response.read()


def load(port, n_requests, n_clients):
    """Return (number, status, body, seconds) of each request that was answered."""
    numbers, done = iter(range(n_requests)), []

    def client():
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            for number in numbers:  # a range's iterator gives each number to one thread alone
                started = time.perf_counter()
                status, body = post(connection, TEXTS[number % len(TEXTS)].encode())
                done.append((number, status, body, time.perf_counter() - started))

    clients = [threading.Thread(target=client) for _ in range(n_clients)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    return done


def test_a_thousand_requests_twenty_at_a_time(service, capsys):
    _, port = service
    ner = nerlite.load()
    expected = [ner(text).to_dict() for text in TEXTS]
    started = time.perf_counter()
    done = load(port, 1000, 20)
    seconds = time.perf_counter() - started
    assert sorted(number for number, *_ in done) == list(range(1000))
    for number, status, body, _ in done:
        assert status == 200
        assert json.loads(body) == expected[number % len(TEXTS)]
    cuts = statistics.quantiles([each[-1] * 1e3 for each in done], n=100)
    with capsys.disabled():
        print(f"\n1,000 requests, 20 at a time: {1000 / seconds:,.0f} a second, "  # noqa: T201
              f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms")


def test_what_is_taken_is_answered_when_it_is_told_to_stop(service):
    process, port = service
    text = "Angela Merkel flew from Berlin to Washington. " * 300
    expected = nerlite.load()(text).to_dict()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)))
                       for _ in range(20)]
        for connection in connections:
            connection.request("POST", "/", text)
        answers = [connections[0].getresponse()]  # the others, sent with it, have been taken
        process.send_signal(signal.SIGTERM)
        answers += [connection.getresponse() for connection in connections[1:]]
        assert [(answer.status, json.loads(answer.read()) == expected) for answer in answers] == [(200, True)] * 20
        assert process.wait(60) in (0, -signal.SIGTERM)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    log = process.stderr.read()
    assert "Traceback" not in log, log


def test_bad_requests_are_refused(service):
    _, port = service
    for body, method, status in ((None, "GET", 405), (b"\xff", "POST", 400), (b"x" * 1_000_001, "POST", 413),
                                 (b"EU", "POST", 200)):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            assert post(connection, body, method)[0] == status
