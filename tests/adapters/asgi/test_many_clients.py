"""Hundreds of slow clients of one stored result: each costs the server little, and the others nothing."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
pytest.importorskip("starlette", reason="no web framework: starlette is not installed")
pytest.importorskip("uvicorn", reason="no web server: uvicorn is not installed")

from mesbatch.store import DirectoryStore, ResultWriter, new_job_id
from mesbatch.units import KiB, MiB
from tests.adapters.test_faults import memory_of
from tests.rig.cage_or_skip import cage_or_skip
from tests.rig.site import Setting
from tests.rig.uvicorn import uvicorn

pytestmark = pytest.mark.slow

CLIENTS = 500
EACH = 256 * KiB
CAGE = 384 * MiB
COLUMNS = [{"name": f"COLUMN_{n}", "type": "varchar"} for n in range(14)]


def store_large_result(directory: Path, chunks: int = 60, rows: int = 5_000) -> str:
    """Store a finished result of *chunks* of 1 MB, as the incident's dashboard has them."""
    store, job_id = DirectoryStore(directory / "jobs"), new_job_id()
    store.create(job_id, {"status": "started", "domains": "history", "owner": ""})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    writer.start("history", COLUMNS)
    for number in range(chunks):
        some = [{column["name"]: f"{number * rows + n:08d}" for column in COLUMNS} for n in range(rows)]
        writer.publish("history", json.dumps(some, separators=(",", ":")).encode(), rows=rows, last_key=number)
    writer.end("history")
    writer.finish()
    store.change(job_id, {"status": "finished"})
    return job_id


def slow_client(site, job_id: str, first: int, accept_encoding: str) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", site.port))
    head = f"GET /api/trace/job/{job_id}/stream?from={first} HTTP/1.1\r\nHost: x\r\n"
    connection.sendall(f"{head}Accept-Encoding: {accept_encoding}\r\n\r\n".encode())
    return connection


@pytest.fixture
def cage():
    with cage_or_skip(CAGE) as cage:
        yield cage


@pytest.mark.timeout(240)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_500_slow_clients_of_a_finished_stream_cost_a_quarter_of_a_mib_each(encoding, cage, lots_database, tmp_path):
    setting = Setting(lots_database, tmp_path)
    with (
        uvicorn(setting, "tests.adapters.served:make_asgi", cage.popen, "--factory") as site,
        ExitStack() as stack,
    ):
        job_id = store_large_result(tmp_path)
        whole = len(site.get(f"/job/{job_id}/stream", Accept_Encoding=encoding).body)
        before, waits = memory_of(site), []
        clients = [stack.enter_context(slow_client(site, job_id, number % 50, encoding)) for number in range(CLIENTS)]
        for _ in range(6):
            for client in clients:
                assert client.recv(2_000)
            begun = time.monotonic()
            assert site.ask("GET", "/api/lots").status == 200
            waits.append(time.monotonic() - begun)
        each = (memory_of(site) - before) / CLIENTS
        told = f"{encoding}: {each / KiB:.0f} KiB each, {memory_of(site) / MiB:.0f} MiB in all; a whole answer has "
        print(f"{told}{whole / MiB:.0f} MiB; another route was answered in {max(waits) * 1e3:.0f} ms at most")
        assert each <= EACH
        assert not cage.kills()
