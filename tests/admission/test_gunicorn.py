"""Real server with two worker processes of four threads each, and 200 requests at once."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Event

import pytest

from mesbatch.admission import MachineLimiter
from mesbatch.admission.claims import InFlight
from tests.admission.hands import ROOT
from tests.admission.test_limiters import most_at_once

pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")

PERMITS = 3
REQUESTS = 200


@pytest.fixture
def server(tmp_path):
    with gunicorn(tmp_path) as server:
        yield server


def test_200_requests_at_once_never_hold_more_than_the_limit(server, tmp_path):
    answers = ask_at_once(server.port, REQUESTS, "/")

    statuses = Counter(status for status, _ in answers)
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= PERMITS
    assert all(5 <= int(retry_after) <= 10 for status, retry_after in answers if status == 503)
    spans = read_spans(tmp_path)
    assert len(spans) == statuses[200]
    assert most_at_once(spans) <= PERMITS
    assert MachineLimiter(tmp_path / "permits", PERMITS, 100).in_flight == InFlight(0, 0, 0)


def test_without_the_limiter_more_are_read_at_once(server, tmp_path):
    """Check the red control: the same load goes beyond the limit where nothing keeps it."""
    answers = ask_at_once(server.port, 60, "/unlimited")

    assert {status for status, _ in answers} == {200}
    assert most_at_once(read_spans(tmp_path)) > PERMITS


def test_clients_that_hang_up_give_their_permits_back(server, tmp_path):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    limiter = MachineLimiter(tmp_path / "permits", PERMITS, 100)
    assert ask_at_once(server.port, 1, "/")[0][0] in {200, 503}

    until = time.monotonic() + 20
    while limiter.in_flight != InFlight(0, 0, 0):
        assert time.monotonic() < until, f"still held: {limiter.in_flight}"
        Event().wait(0.01)


def test_a_killed_worker_gives_its_permits_back(server, tmp_path):
    limiter = MachineLimiter(tmp_path / "permits", PERMITS, 100)
    with ThreadPoolExecutor(30) as pool:
        for _ in range(30):
            pool.submit(ask, server.port, "/")
        until = time.monotonic() + 20
        while limiter.in_flight.permits < PERMITS:
            assert time.monotonic() < until
        for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
            os.kill(int(child), 9)
        limiter.permit(10, timeout=20).release()


@dataclass
class Server:
    """Address of a server, and the id of its first process."""

    port: int
    pid: int


@contextmanager
def gunicorn(directory: Path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = f"""
        -m gunicorn --bind 127.0.0.1:{port} --workers 2 --threads 4 --worker-class gthread --no-control-socket
        --log-level error
    """.split()
    application = f"tests.admission.wsgi:Application({str(directory)!r}, {PERMITS})"
    with subprocess.Popen([sys.executable, *command, application], env=environment, cwd=directory) as process:
        try:
            until = time.monotonic() + 30
            while not listens(port):
                assert process.poll() is None
                assert time.monotonic() < until
                Event().wait(0.05)
            yield Server(port, process.pid)
        finally:
            process.terminate()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def ask_at_once(port: int, number: int, path: str) -> list[tuple[int, str | None]]:
    barrier = Barrier(number)

    def one(principal: int) -> tuple[int, str | None]:
        barrier.wait(60)
        return ask(port, f"{path}?user{principal % 7}")

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def ask(port: int, path: str) -> tuple[int, str | None]:
    """Send one request, read its answer to the end, and return status and Retry-After."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("Retry-After")
    finally:
        connection.close()


def read_spans(directory: Path) -> list[tuple[float, float, int]]:
    lines = (directory / "spans").read_text().splitlines()
    return [(float(start), float(end), 1) for start, end in map(str.split, lines)]
