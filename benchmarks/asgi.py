"""``python -m benchmarks.asgi``: latency of another route beside four reads, under uvicorn and in bare asyncio.

Under uvicorn the four reads are streams of ours, or threads that send their bytes past it: the difference is ours.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg

from tests.adapters.served import SETUP, Service, make_asgi
from tests.rig.postgres import PrivatePostgres
from tests.rig.site import Setting, Site, await_answer, free_port
from tests.rig.uvicorn import uvicorn

SECONDS, READS = 12.0, 4
DRAINS = "MESBATCH_BENCH_DRAINS"  # ports for `make`, as JSON
LOTS = [f"lot{n:04d}" for n in range(1_000)]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"


def take(port: int) -> None:
    """Take the bytes of one read of `bare`."""
    with socket.create_server(("127.0.0.1", port)) as server:
        connection, _ = server.accept()
        while connection.recv(1 << 20):
            pass


def start_reads(drains: Sequence[int]) -> None:
    """Start a thread for each of *drains*, ports, which reads, encodes, and sends the bytes to a process there."""
    from mesbatch.trace.ndjson import trace_lines

    service = Service(os.environ["DATABASE_URL"], Path(os.environ["TMPDIR"]))

    def read(drain: int) -> None:
        with socket.create_connection(("127.0.0.1", drain)) as taker:
            while True:
                with trace_lines(service.trace.read(service.database, LOTS, ["rows"])) as lines:
                    for line in lines:
                        taker.sendall(line)

    for drain in drains:
        Thread(target=read, args=(drain,), daemon=True).start()


def bare(port: int, *drains: int) -> None:
    """Serve one route by nothing but asyncio, beside reads."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
                await writer.drain()

    async def serve() -> None:
        start_reads(drains)
        async with await asyncio.start_server(answer, "127.0.0.1", port) as server:
            await server.serve_forever()

    asyncio.run(serve())


def make() -> Any:
    """Make the application of the tests, beside reads."""
    start_reads(json.loads(os.environ[DRAINS]))
    return make_asgi()


def client(port: int) -> None:
    """Take the same rows again and again."""
    body = json.dumps({"profile": "query_tool", "container_ids": LOTS, "domains": ["rows"]})
    headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
    with suppress(OSError, http.client.HTTPException):  # the server ends first
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", "/api/trace/events", body, headers)
            response = connection.getresponse()
            while response.read(1 << 20):
                pass


def waits(site: Site) -> str:
    """Ask the other route again and again, and tell its latency in ms."""
    found, until = [], time.monotonic() + SECONDS
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    while time.monotonic() < until:
        begun = time.monotonic()
        connection.request("GET", "/api/lots")
        connection.getresponse().read()
        found.append((time.monotonic() - begun) * 1e3)
        time.sleep(0.005)
    found.sort()
    return " | ".join(f"{found[int(len(found) * part)]:.1f}" for part in (0.5, 0.9, 0.99)) + f" | {len(found)}"


def main() -> None:
    """Print a table."""
    with ExitStack() as stack:
        url = stack.enter_context(PrivatePostgres()).url
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with psycopg.connect(url, autocommit=True) as con:
            con.execute(SETUP)
        setting = Setting(url, directory)

        def run(*arguments: object) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "benchmarks.asgi", *map(str, arguments)]
            process = subprocess.Popen(command, env=setting.environment())
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        print("| server, reads | p50 ms | p90 ms | p99 ms | requests |\n|---|---|---|---|---|")
        for reads in (0, READS):
            port, drains = free_port(), [free_port() for _ in range(reads)]
            takers = [run("take", drain) for drain in drains]
            time.sleep(3 * bool(takers))
            process = run("bare", port, *drains)
            await_answer(port, process)
            print(f"| bare asyncio, {reads} | {waits(Site(port, process))} |", flush=True)
            for one in (process, *takers):
                one.kill()
        drains = [free_port() for _ in range(READS)]
        takers = [run("take", drain) for drain in drains]
        time.sleep(3)
        os.environ[DRAINS] = json.dumps(drains)
        with uvicorn(setting, "benchmarks.asgi:make", subprocess.Popen, "--factory") as site:
            print(f"| uvicorn and Starlette, {READS} | {waits(site)} |", flush=True)
        with uvicorn(setting, "tests.adapters.served:make_asgi", subprocess.Popen, "--factory") as site:
            print(f"| uvicorn and Starlette, 0 | {waits(site)} |", flush=True)
            for _ in range(READS):
                run("client", site.port)
            time.sleep(2)
            print(f"| uvicorn and Starlette, {READS} streams | {waits(site)} |", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", *ports]:
            bare(*map(int, ports))
        case ["take", port]:
            take(int(port))
        case ["client", port]:
            client(int(port))
        case _:
            main()
