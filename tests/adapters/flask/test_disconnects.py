"""Clients that leave, or are slow, behind a real gunicorn: they leave nothing behind."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")

import psycopg

from mesbatch.admission import MachineLimiter
from mesbatch.admission.claims import InFlight
from mesbatch.demo.queries import DOMAINS
from mesbatch.units import MiB
from tests.rig.site import Site
from tests.rig.until import until

NDJSON = "application/x-ndjson"


def request_of(ids: list[str], accept: str) -> bytes:
    body = json.dumps({"profile": "query_tool", "container_ids": ids, "domains": list(DOMAINS)}).encode()
    head = (
        "POST /api/trace/events HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nContent-Length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


def leave_after(site: Site, ids: list[str], accept: str, nbytes: int, seconds: float) -> None:
    """Read at most *nbytes* of the answer for at most *seconds*, and hang up without a word."""
    deadline = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(request_of(ids, accept))
        connection.settimeout(0.02)
        while nbytes > 0 and time.monotonic() < deadline:
            with suppress(TimeoutError):
                nbytes -= len(connection.recv(min(nbytes, 65_536)) or b"x" * nbytes)


def reads_in_database(url: str) -> int:
    """Count connections that read from the warehouse, or hold a transaction open."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and state in ('active', 'idle in transaction', 'idle in transaction (aborted)')"
        ).fetchone()
        return int(found[0])


def open_files(site: Site) -> int:
    """Count the open files of gunicorn's workers, without sockets."""
    found = 0
    for pid in site.workers():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found += not str(descriptor.readlink()).startswith("socket:")
    return found


def leave_at_random(site: Site, setting, ids: list[str], times: int) -> None:
    chance = random.Random(7)
    site.events(ids[:10], ["holds"])
    files = open_files(site)
    for _ in range(times):
        accept = chance.choice([NDJSON, "application/json"])
        leave_after(site, ids, accept, chance.choice([0, 1, 500, 100_000, 5_000_000]), chance.choice([0.0, 0.1, 0.6]))
    limiter = MachineLimiter(setting.directory / f"mesbatch-{os.geteuid()}" / "permits", 5, 40 * MiB)
    until(lambda: limiter.in_flight == InFlight(0, 0, 0), 10)
    limiter.close()
    until(lambda: reads_in_database(setting.database) == 0, 10)
    until(lambda: open_files(site) <= files, 10)
    answer = site.events(ids[:10], ["holds"])
    assert answer.status == 200


def test_clients_that_leave_at_random_moments_leave_nothing(site, setting, ids):
    leave_at_random(site, setting, ids, 20)


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_two_hundred_clients_that_leave_at_random_moments_leave_nothing(site, setting, ids):
    leave_at_random(site, setting, ids, 200)


def memory_of(site: Site) -> int:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in site.workers())
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_client_of_10_kb_a_second_costs_no_memory(site, setting, ids):
    site.events(ids[:2_000], list(DOMAINS), Accept=NDJSON)
    before, peak, taken = memory_of(site), 0, 0
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(request_of(ids, NDJSON))
        begun = time.monotonic()
        while time.monotonic() - begun < 4:
            taken += len(connection.recv(1_000))
            peak = max(peak, memory_of(site))
            Event().wait(max(0.0, taken / 10_000 - (time.monotonic() - begun)))  # its pace, not ours
    assert 30_000 <= taken <= 50_000
    assert peak - before < 32 * MiB  # of an answer of 39 MiB


def test_a_stream_is_flat_in_memory_and_another_route_is_answered_meanwhile(site, setting, ids):
    """Read a few ids here; `python -m benchmarks incident` has the 114,000 ids of the incident."""
    site.events(ids[:500], list(DOMAINS), Accept=NDJSON)
    before, peaks, waits, done = memory_of(site), [0], [], []

    def read() -> None:
        for accept in (NDJSON, "application/json"):
            answer = site.events(ids, list(DOMAINS), "mid_section_defect", Accept=accept)
            assert answer.status == 200
            done.append(len(answer.body))

    reading = Thread(target=read)
    reading.start()
    while reading.is_alive():
        begun = time.monotonic()
        assert site.ask("GET", "/api/lots").status == 200
        waits.append(time.monotonic() - begun)
        peaks.append(memory_of(site))
    reading.join()
    assert min(done) > 35 * MiB
    assert max(peaks) - before < 48 * MiB  # two processes, each read within 32
    assert sorted(waits)[int(len(waits) * 0.99)] < 0.5
