"""The example's dashboard behind a real gunicorn, with a real worker, as a deployment runs them."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GUNICORN = ("-m", "gunicorn", "-c", str(ROOT / "deploy" / "gunicorn.conf.py"), "--log-level", "error")
START_SECONDS = 60.0
EVERYTHING_A_JOB = dict.fromkeys(  # variables of a site without limits and thresholds
    ("EVENT_FETCHER_CACHE_SKIP_CID_THRESHOLD", "TRACE_ASYNC_CID_THRESHOLD", "TRACE_EVENTS_CID_LIMIT"), "0"
)
Popen = Callable[..., subprocess.Popen[Any]]


@dataclass
class Answer:
    """One response, read to its end; *pieces* is the number of reads that it took."""

    status: int
    headers: Message  # names in any case, as HTTP has them
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass
class Site:
    """A running web server, as its clients see it; *pid* is gunicorn's first process."""

    port: int
    process: subprocess.Popen[Any]
    user: str = "ann"

    @property
    def pid(self) -> int:
        return self.process.pid

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return list(map(int, children))

    def open(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 300
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """A response whose body is still to be read; the caller closes the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        connection.request(method, path, data, {"X-User": self.user, **kind, **(headers or {})})
        return connection, connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; the names of *headers* are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection, response = self.open(method, path, body, named)
        try:
            data = response.read()
            if response.headers.get("Content-Encoding") == "gzip":
                data = zlib.decompress(data, 16 + zlib.MAX_WBITS)
            return Answer(response.status, response.headers, data)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", f"/api/trace{path}", **headers)

    def events(
        self, ids: list[Any], domains: list[str], profile: str = "query_tool", query: str = "", **headers: str
    ) -> Answer:
        body = {"profile": profile, "container_ids": ids, "domains": domains}
        return self.ask("POST", f"/api/trace/events{query}", body, **headers)

    def finished(self, job_id: str, seconds: float = 240.0) -> dict[str, Any]:
        """The status of a job once it has ended."""
        until = time.monotonic() + seconds
        while (found := self.get(f"/job/{job_id}").json)["status"] in {"queued", "started"}:
            assert time.monotonic() < until, f"the job is {found} after {seconds} s"
            time.sleep(0.05)
        return found


@dataclass
class Setting:
    """The places where a site keeps its data, and its variables that differ from the defaults."""

    database: str
    directory: Path
    redis: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        found = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "DATABASE_URL": self.database,
            "TMPDIR": str(self.directory),
            "MALLOC_ARENA_MAX": "2",  # as deploy/ has it
        }
        if self.redis:
            found |= {"REDIS_URL": self.redis, "TRACE_WORKER_ENABLED": "true"}
        return found | self.variables


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """End *process* on leaving, by force where it does not end by itself."""
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


@contextmanager
def gunicorn(
    setting: Setting, app: str = "examples.dashboard.after:app", popen: Popen = subprocess.Popen, *options: str
) -> Iterator[Site]:
    """Run the application behind gunicorn, and end it with its workers."""
    port = free_port()
    command = [sys.executable, *GUNICORN, "--bind", f"127.0.0.1:{port}", *options, app]
    process = popen(command, env=setting.environment(), cwd=ROOT)
    with ended(process):
        await_answer(port, process)
        yield Site(port, process)


@contextmanager
def worker(
    setting: Setting, app: str = "examples.dashboard.after:jobs", popen: Popen = subprocess.Popen
) -> Iterator[int]:
    """Start a worker for the site's jobs, wait until it listens, and return its process id."""
    import redis

    command = [sys.executable, "-c", "from mesbatch.cli import main; main()", "worker", "--app", app]
    environment = setting.environment()
    queue = environment.get("TRACE_WORKER_QUEUE", "trace-events")
    process = popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(setting.redis) as client:
            while not client.zcard(f"mesbatch:workers:{queue}"):
                assert process.poll() is None, "the worker died at its start"
                assert time.monotonic() < until, "the worker does not listen"
                time.sleep(0.05)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def await_answer(port: int, process: subprocess.Popen[Any]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError):
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/api/lots")
                connection.getresponse().read()
            return
        assert process.poll() is None, "gunicorn died at its start"
        assert time.monotonic() < until, "gunicorn does not answer"
        time.sleep(0.05)
