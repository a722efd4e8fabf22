"""Faults of clients, the same for both adapters: one that leaves, one that is slow or dead, one that comes back."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Event

import pytest

pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")

import psycopg

from mesbatch.admission import MachineLimiter
from mesbatch.store import DirectoryStore, ResultWriter, new_job_id
from mesbatch.units import MiB
from tests.adapters.conftest import serve
from tests.rig.until import until

NDJSON = "application/x-ndjson"
LOTS = [f"lot{n:04d}" for n in range(1_000)]
# ASGI servers tell at once that a client left; a WSGI application learns it by its second write after that.
SECONDS = {"asgi": 1.0, "flask": 5.0}


def connect(site, domain: str, accept: str = NDJSON, version: str = "1.1") -> socket.socket:
    """Ask for the rows of *domain*, and leave them unread."""
    body = json.dumps({"profile": "query_tool", "container_ids": LOTS, "domains": [domain]}).encode()
    head = (
        f"POST /api/trace/events HTTP/{version}\r\nHost: x\r\nContent-Type: application/json\r\nAccept: {accept}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", site.port))
    connection.sendall(head.encode() + body)
    return connection


def hang_up(connection: socket.socket, *, reset: bool) -> None:
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def active(database: str) -> int:
    """Count the reads that go on; of a cursor of the server, the last FETCH is shown."""
    with psycopg.connect(database, autocommit=True) as con:
        found = con.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and state in ('active', 'idle in transaction') and query ~ 'lot in|^FETCH'"
        ).fetchone()
    return int(found[0])


def permits(directory: Path) -> int:
    with closing(MachineLimiter(directory / "permits", 8, 512 * MiB)) as limiter:
        return limiter.in_flight.permits


def memory_of(site) -> int:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in site.workers())
    return pages * os.sysconf("SC_PAGE_SIZE")


# -- 36: the client leaves


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("domain", ["rows", "silent"])
def test_a_client_that_leaves_gives_cursor_permit_and_connection_back(served, domain, reset):
    connection = connect(served.site, domain)
    if domain == "rows":
        for _ in range(5):
            assert connection.recv(10_000)
    until(lambda: permits(served.directory) == 1 and active(served.database) == 1)
    hang_up(connection, reset=reset)
    left = time.monotonic()
    until(lambda: permits(served.directory) == 0 and active(served.database) == 0)
    assert time.monotonic() - left < SECONDS[served.adapter]


# -- 37: a slow client, and a dead one


def test_a_client_of_1_kb_a_second_costs_no_memory(served):
    assert served.site.events(LOTS[:20], ["rows"], Accept=NDJSON).status == 200
    before, peak = memory_of(served.site), 0
    with connect(served.site, "rows") as connection:
        for _ in range(20):
            assert connection.recv(200)
            peak = max(peak, memory_of(served.site))
            Event().wait(0.2)
    assert peak - before < 24 * MiB  # of an answer of 68 MiB
    until(lambda: permits(served.directory) == 0)


@pytest.mark.parametrize("adapter", ["flask", "asgi"])
def test_a_deadline_ends_the_answer_of_a_dead_client(adapter, lots_database, tmp_path):
    with (
        serve(adapter, lots_database, tmp_path, ANSWER_SECONDS="1.5") as site,
        connect(site, "rows") as connection,
    ):
        assert connection.recv(100)
        until(lambda: permits(tmp_path) == 1)
        begun = time.monotonic()
        until(lambda: permits(tmp_path) == 0 and active(lots_database) == 0)
        assert time.monotonic() - begun < 5


# -- 38: a stream that is resumed


def store_result(directory: Path, chunks: int = 9) -> str:
    """Store a finished result of two domains."""
    store, job_id = DirectoryStore(directory / "jobs"), new_job_id()
    store.create(job_id, {"status": "started", "domains": "rows,odd", "owner": ""})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    for domain in ("rows", "odd"):
        writer.start(domain, [{"name": "ID"}, {"name": "PAD"}])
    for number in range(chunks):
        rows = [{"ID": number * 1_000 + n, "PAD": "x" * 200} for n in range(1_000)]
        domain = "odd" if number % 3 == 2 else "rows"
        writer.publish(domain, json.dumps(rows, separators=(",", ":")).encode(), rows=1_000, last_key=number)
    for domain in ("rows", "odd"):
        writer.end(domain)
    writer.finish()
    store.change(job_id, {"status": "finished"})
    return job_id


def test_a_stream_that_is_resumed_anywhere_gives_the_same_bytes(served):
    job_id = store_result(served.directory)
    whole = [
        line for line in served.site.get(f"/job/{job_id}/stream").body.splitlines(keepends=True)
        if not line.startswith(b'{"type":"meta"')
    ]  # fmt: skip
    assert json.loads(whole[-1])["total_records"] == 9_000
    records = [at for at, line in enumerate(whole) if line.startswith(b'{"type":"records"')]
    for first, at in enumerate(records):
        with closing(socket.create_connection(("127.0.0.1", served.site.port), timeout=20)) as connection:
            connection.sendall(f"GET /api/trace/job/{job_id}/stream HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            with suppress(TimeoutError):
                connection.recv(first * 100_000 + 1)  # and leaves, wherever that is
        rest = served.site.get(f"/job/{job_id}/stream?from={first}").body.splitlines(keepends=True)[1:]
        lines_between = [line for line in rest if b'"records"' in line[:20]]
        assert lines_between == [whole[n] for n in records[first:]]
        assert rest[-1] == whole[-1]
        assert rest[rest.index(lines_between[0]) :] == whole[at:]
