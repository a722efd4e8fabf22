"""Backends of jobs with real workers in real processes, driven alike."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from mesbatch.jobs import Job, Jobs, JobSpec
from mesbatch.store import Chunk
from tests.jobs.functions import DOMAINS, KEYS
from tests.rig.valkey import PrivateValkey

LEASE_SECONDS = 2.0  # of the tests: a dead worker is found within LEASE_SECONDS + 5
ROOT = Path(__file__).parents[2]


class Rig(Protocol):
    """One backend: *jobs* to ask, and workers to start and to kill."""

    name: str
    jobs: Jobs

    def start_worker(self, memory_limit: int | None = None) -> subprocess.Popen[bytes]: ...
    def submit(self, spec: JobSpec, keys: list[str] | None, inputs: dict[str, Any] | None = None) -> str: ...
    def wipe(self) -> None:
        """Empty the store at once, as a restart of Redis does."""

    def remove_chunk(self, job_id: str, chunk: Chunk) -> None: ...
    def stop_workers(self) -> None: ...
    def close(self) -> None: ...


def spec(path: str, function: str = "events", *, nap: float | None = None, **more: Any) -> JobSpec:
    arguments = {"path": path, **more.pop("arguments", {})}
    if nap is not None:
        arguments["nap"] = nap
    return JobSpec(**{"function": function, "domains": DOMAINS, "batch_size": 200, "arguments": arguments, **more})


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """Wait until *condition* gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.02)
    return found


def kinds_of(error: type[Exception]) -> Iterator[type[Exception]]:
    """Give out *error* and every class below it."""
    yield error
    for kind in error.__subclasses__():
        yield from kinds_of(kind)


def wait_for_end(jobs: Jobs, job_id: str, seconds: float = 60.0) -> Job:
    def ended() -> Job | None:
        job = jobs.get(job_id)
        return job if job.ended else None

    found: Job = until(ended, seconds, "the end of the job")
    return found


def wait_for_rows(jobs: Jobs, job_id: str, rows: int = 1) -> Job:
    def read() -> Job | None:
        job = jobs.get(job_id)
        return job if job.ended or published(jobs, job_id) >= rows else None

    found: Job = until(read, 30, "the first rows")
    return found


def published(jobs: Jobs, job_id: str) -> int:
    """Count the rows that can be read."""
    return sum(entry.chunk.rows for entry in jobs.store.journal(job_id, 0, 9_999))


def rows_of(jobs: Jobs, job_id: str) -> dict[str, Counter[tuple[Any, ...]]]:
    """Read all rows of a result, and check that a page is a part of them and that they are in the order of keys."""
    result, found = jobs.result(job_id), {}
    for domain in result.manifest.domains:
        rows = [tuple(row.values()) for row in json.loads(b"".join(result.page(domain).data))]
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        page = json.loads(b"".join(result.page(domain, offset=len(rows) // 3, limit=17).data))
        assert [tuple(row.values()) for row in page] == rows[len(rows) // 3 :][:17]
        found[domain] = Counter(rows)
    return found


def horse_of(jobs: Jobs, job_id: str) -> int:
    """Return the process that runs the job."""
    return int(jobs.store.facts(job_id)["pid"])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Workers:
    """Processes of workers, ended with their rig."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, enter: Sequence[str] = (), **options: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen([*enter, sys.executable, *command], env=environment, **options)
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        self._started.clear()


LOCAL = """
from mesbatch.jobs import LocalJobs
from mesbatch.store import DirectoryStore
from tests.jobs.functions import FUNCTIONS

def make(memory_limit=None):
    store = DirectoryStore({directory!r}, lease_seconds={lease!r})
    return LocalJobs(FUNCTIONS, store, app="{module}:jobs", memory_limit=memory_limit)

jobs = make()
"""


def importable(folder: Path, text: str, **values: Any) -> str:
    """Make a module with this *text* that every worker can import, and return its name."""
    module = f"jobs_app_{os.getpid()}_{time.monotonic_ns()}"
    (folder / f"{module}.py").write_text(text.format(lease=LEASE_SECONDS, module=module, **values))
    sys.path.insert(0, str(folder))
    return module


class LocalRig:
    """Local jobs: a worker is a process that holds a `LocalJobs`, as a web server does."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self._store = folder / "store"
        self._app, self._workers = importable(folder, LOCAL, directory=str(self._store)), Workers()
        self._folder = str(folder)
        self.jobs: Jobs = import_module(self._app).jobs  # only asked: it starts no process of its own
        self._host: subprocess.Popen[bytes] | None = None

    def start_worker(self, memory_limit: int | None = None) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        self._host = self._workers.start(
            "-m", "tests.jobs.host", self._app, json.dumps(memory_limit), stdin=pipe, stdout=pipe
        )
        assert self._host.stdout is not None
        assert self._host.stdout.readline() == b"ready\n"
        return self._host

    def submit(self, spec: JobSpec, keys: list[str] | None = KEYS, inputs: dict[str, Any] | None = None) -> str:
        assert self._host is not None
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.write(json.dumps([spec.encode().decode(), keys, inputs]).encode() + b"\n")
        self._host.stdin.flush()
        return self._host.stdout.readline().decode().strip()

    def wipe(self) -> None:
        self._store.rename(self._store.with_name(f"gone-{time.monotonic_ns()}"))
        (self._store / ".unfinished").mkdir(mode=0o700, parents=True)

    def remove_chunk(self, job_id: str, chunk: Chunk) -> None:
        (path,) = self._store.glob(f"{job_id}/chunks/*/{chunk.position:08d}")
        path.unlink()

    def stop_workers(self) -> None:
        self._workers.close()

    def close(self) -> None:
        self._workers.close()
        self.jobs.close()
        sys.path.remove(self._folder)


RQ = """
from mesbatch.jobs.rq import RQJobs
from mesbatch.store.redis import RedisStore
from tests.jobs.functions import FUNCTIONS

store = RedisStore({url!r}, lease_seconds={lease!r}, ttl=600, patience=5)
jobs = RQJobs(FUNCTIONS, store, app="{module}:jobs", url={url!r}, queue="{queue}")
"""
COMMAND = "from mesbatch.cli import main; main()"


class RqRig:
    """RQ jobs: a worker is ``mesbatch worker``."""

    name = "rq"

    def __init__(self, folder: Path, server: PrivateValkey) -> None:
        self._server, self._folder, self._workers = server, str(folder), Workers()
        self.url = server.url
        queue = f"trace-{time.monotonic_ns()}"
        self._app = importable(folder, RQ, url=server.url, queue=queue)
        self.jobs: Any = import_module(self._app).jobs

    def start_worker(self, memory_limit: int | None = None) -> subprocess.Popen[bytes]:
        before = set(self.jobs.listening.workers())
        limit = [] if memory_limit is None else ["--memory-limit", str(memory_limit)]
        worker = self._workers.start("-c", COMMAND, "worker", "--app", f"{self._app}:jobs", *limit)
        until(lambda: set(self.jobs.listening.workers()) - before, 20, "a worker")
        return worker

    def submit(self, spec: JobSpec, keys: list[str] | None = KEYS, inputs: dict[str, Any] | None = None) -> str:
        return str(self.jobs.submit(spec, keys, inputs=inputs).job_id)

    def wipe(self) -> None:
        self._server.kill()
        self._server.start()

    def remove_chunk(self, job_id: str, chunk: Chunk) -> None:
        assert self.jobs.connection.delete(f"mes_wip:trace:job:{job_id}:result:{chunk.domain}:{chunk.number}")

    def stop_workers(self) -> None:
        self._workers.close()
        for name in self.jobs.listening.workers():
            self.jobs.listening.leave(name)

    def close(self) -> None:
        self._workers.close()
        self.jobs.close()
        self.jobs.store.close()
        sys.path.remove(self._folder)


def running(rig: Rig) -> Iterator[Rig]:
    try:
        yield rig
    finally:
        rig.close()
