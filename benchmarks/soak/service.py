"""Gunicorn, a worker of RQ, Valkey and PostgreSQL, the first two in a cage; what they hold, and what befalls them."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from benchmarks.soak.samples import Sample, open_files, rss, threads
from mesbatch.admission import MachineLimiter
from mesbatch.demo.warehouse import build_warehouse
from mesbatch.units import MiB
from tests.rig.cgroup import MemoryCage
from tests.rig.postgres import PrivatePostgres
from tests.rig.site import Setting, Site, gunicorn, worker
from tests.rig.valkey import PrivateValkey

LIMIT = 384 * MiB
CIDS = 20_000
AWAY_SECONDS = 5.0
SESSIONS = "from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
VARIABLES = {  # small numbers, so that each kind of answer comes often, and a job is forgotten within a quarter
    "EVENT_FETCHER_CACHE_SKIP_CID_THRESHOLD": "1000",
    "TRACE_ASYNC_CID_THRESHOLD": "4000",
    "TRACE_EVENTS_CID_LIMIT": "10000",
    "TRACE_JOB_TTL_SECONDS": "60",
    "TRACE_JOB_TIMEOUT_SECONDS": "90",
}


@dataclass
class Service:
    """The running service; *site* is its web server and *worker* the process that starts a work-horse for each job."""

    site: Site
    worker: int
    cage: MemoryCage
    postgres: PrivatePostgres
    valkey: PrivateValkey
    permits: MachineLimiter
    last_keys: int = 0

    def sample(self, at: float) -> Sample:
        """Look at everything that could grow."""
        web = [self.site.pid, *self.site.workers()]
        return Sample(
            at, rss(web), rss([self.worker]), self.permits.in_flight.permits,
            open_files([*web, self.worker]), threads([*web, self.worker]), self.connections(), self.redis_keys(),
        )  # fmt: skip

    def connections(self) -> int:
        with psycopg.connect(self.postgres.url, autocommit=True) as admin:
            return int(admin.execute(f"select count(*) {SESSIONS}").fetchone()[0])  # type: ignore[index]

    def redis_keys(self) -> int:
        """Count the keys; while Valkey is away they are those of before."""
        with suppress(redis.RedisError), redis.Redis.from_url(self.valkey.url, socket_timeout=1) as client:
            self.last_keys = int(client.dbsize())  # type: ignore[arg-type]
        return self.last_keys

    @property
    def faults(self) -> dict[str, Callable[[], None]]:
        """The faults by name, in the order in which they befall it."""
        return {
            "one database session ended": self._end_a_session,
            "work-horse killed": self._kill_horse,
            "Valkey restarted": self._restart_valkey,
            "all database sessions ended": self._end_all_sessions,
            "Valkey silent": self._silence_valkey,
            "Valkey's connections cut": self._cut_valkey,
        }

    def _end_a_session(self) -> None:
        self._terminate("order by random() limit 1")

    def _end_all_sessions(self) -> None:
        self._terminate("")

    def _terminate(self, which: str) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as admin:
            admin.execute(f"select pg_terminate_backend(pid) from (select pid {SESSIONS} {which}) as others")

    def _kill_horse(self) -> None:
        until = time.monotonic() + AWAY_SECONDS
        while not (horses := _children(self.worker)) and time.monotonic() < until:
            time.sleep(0.05)
        for horse in horses:
            with suppress(ProcessLookupError):
                os.kill(horse, signal.SIGKILL)

    def _restart_valkey(self) -> None:
        self.valkey.kill()
        time.sleep(1)
        self.valkey.start()

    def _silence_valkey(self) -> None:
        self.valkey.pause()
        time.sleep(AWAY_SECONDS)
        self.valkey.resume()

    def _cut_valkey(self) -> None:
        with redis.Redis.from_url(self.valkey.url) as client:
            client.client_kill_filter(_type="normal", skipme=True)


@contextmanager
def running() -> Iterator[Service]:
    """Run the service on a warehouse of `CIDS` lots; Valkey keeps its data over a restart, as a deployment's does."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        postgres = stack.enter_context(PrivatePostgres())
        build_warehouse(postgres.url, CIDS)
        valkey = stack.enter_context(PrivateValkey(kept=True))
        setting = Setting(postgres.url, folder, valkey.url, VARIABLES)
        cage = stack.enter_context(MemoryCage(LIMIT))
        horses = stack.enter_context(worker(setting, popen=cage.popen))
        site = stack.enter_context(gunicorn(setting, popen=cage.popen))
        site.ask("GET", "/api/lots")
        permits = MachineLimiter(next(folder.glob("*/permits")), 1, 1)
        stack.callback(permits.close)
        yield Service(site, horses, cage, postgres, valkey, permits)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []
