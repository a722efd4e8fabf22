"""Scenarios: jobs in each store, whole and joined from shards, which another worker goes on with."""

from __future__ import annotations

import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mesbatch.client import follow_store
from mesbatch.errors import JobNotFound, MesbatchError
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.recovery import waiting_jobs
from mesbatch.jobs.run_and_join import run_and_join
from mesbatch.store import DirectoryStore, Lease
from mesbatch.store.protocol import ENDED
from tests.faults.points import Dead, points
from tests.faults.scenario import Scenario
from tests.jobs import test_run
from tests.jobs.test_run import rows_of, submitted

DOMAINS = ("moves", "holds")
KEYS = test_run.KEYS[:8]  # the last has more rows than a chunk
BATCH_SIZE, SHARDS = 12, 2
TRUTH = {
    domain: Counter({row: n for row, n in test_run.EXPECTED[domain].items() if row[0] in KEYS}) for domain in DOMAINS
}
MOVES = list(TRUTH["moves"].elements())
ATTEMPTS = 6  # of workers, one after the other: each finds the job that the one before left


def refused_to_remove() -> bool:
    """Return whether a removal failed: what cannot be removed waits for a sweep, or expires."""
    failed = points.failed
    return failed is not None and ("remove" in failed.family or bool(failed.functions & {"remove_shards", "remove"}))


class Stores:
    """A kind of store: *open* gives one on the same data, as another process would have it."""

    def __init__(self, folder: Path, fixture: Callable[[str], Any]) -> None:
        self.folder = folder

    def open(self) -> Any:
        return DirectoryStore(self.folder, lease_seconds=60)

    def names(self) -> list[str]:
        """Name what is in the store, after a sweep, but for its own directories."""
        DirectoryStore(self.folder).objects.sweep(-1.0)
        found = [str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()]
        return [name for name in found if not name.startswith(".unfinished/clock-")]  # one for each process

    def close(self) -> None:
        pass


class Redises(Stores):
    def __init__(self, folder: Path, fixture: Callable[[str], Any]) -> None:
        import redis

        self.url, self.prefix = fixture("valkey_server").url, f"faults_{uuid.uuid4().hex}"
        self.connect, self.stores = redis.Redis.from_url, list[Any]()

    def open(self) -> Any:
        from mesbatch.store.redis import RedisStore

        self.stores.append(RedisStore(self.url, prefix=self.prefix, lease_seconds=60, patience=0.02))
        return self.stores[-1]

    def names(self) -> list[str]:
        with self.connect(self.url) as client:
            return [name.decode() for name in client.scan_iter(f"{self.prefix}*")]

    def close(self) -> None:
        for store in self.stores:
            store.close()
        self.stores.clear()


class Objects(Stores):
    def __init__(self, folder: Path, fixture: Callable[[str], Any]) -> None:
        pytest.importorskip("obstore", reason="no obstore: the extra s3 is not installed")
        from obstore.store import MemoryStore

        self.storage = MemoryStore()

    def open(self) -> Any:
        from mesbatch.store.object import ObjectStore

        return ObjectStore(self.storage, lease_seconds=60)

    def names(self) -> list[str]:
        import obstore

        return [str(one["path"]) for part in obstore.list(self.storage) for one in part]


class JobRun(Scenario):
    """A worker's run of a job, and the reading of its result."""

    modes = (*Scenario.modes, "dead", "jump")
    kind: ClassVar[type[Stores]]
    truth: Any = TRUTH

    @contextmanager
    def opened(self, folder: Path, fixture: Callable[[str], Any]) -> Iterator[None]:
        if self.kind is Redises:
            pytest.importorskip("redis", reason="no redis client: redis is not installed")
        patch = fixture("monkeypatch").setattr
        patch("mesbatch.jobs.heart.LOOK_SECONDS", 60)  # operations are counted alike in every run
        patch("mesbatch.jobs.publishing.PROGRESS_SECONDS", 0)
        patch("mesbatch.jobs.patience.PATIENCE_SECONDS", 0.02)
        patch("mesbatch.jobs.patience.FIRST_PAUSE", 0.001)
        patch("mesbatch.store.redis_server.FIRST_PAUSE", 0.001)
        self.folder, self.path = folder, str(folder / "t.db")
        with closing(sqlite3.connect(self.path)) as con, con:
            con.execute("create table moves (cid text, n int)")
            con.execute("create table holds (cid text, n int)")
            con.executemany("insert into moves values (?, ?)", MOVES)
            con.executemany("insert into holds values (?, ?)", TRUTH["holds"].elements())
        self.fixture = fixture
        self.stores: Stores | None = None
        yield
        self.end()

    def begin(self, folder: Path) -> None:
        self.stores = self.kind(folder, self.fixture)
        self.store = self.stores.open()
        self.job_id = self.submit()

    def end(self) -> None:
        if self.stores is not None:
            self.stores.close()

    def submit(self) -> str:
        return submitted(self.store, self.path, KEYS, domains=DOMAINS, batch_size=BATCH_SIZE)

    def run(self) -> None:
        test_run.run(self.store, self.job_id)

    def act(self) -> Any:
        self.run()
        return self.rows()

    def rows(self) -> Any:
        """Read the result twice: page by page, and as the stream whose checksums its client compares."""
        if self.store.facts(self.job_id)["status"] != "finished":
            raise MesbatchError(f"the job is {self.store.facts(self.job_id)['status']}")
        with follow_store(self.store, self.job_id) as stream:
            assert sum(len(records.rows) for records in stream) == sum(rows.total() for rows in TRUTH.values())
        assert stream.aggregation["total"] == sum(n for _, n in MOVES)
        return rows_of(self.store, self.job_id)

    def check(self, came: Any, error: BaseException | None) -> None:
        super().check(came, error)
        facts = self.store.facts(self.job_id)
        if facts["status"] == "finished":
            assert self.rows() == self.truth, "finished, and not whole"
        elif facts["status"] in ENDED:
            assert facts.get("code"), f"it ended as {facts['status']} without a code"
            assert facts.get("error"), f"it ended as {facts['status']} without a reason"

    def again(self) -> Any:
        """Let the next worker go on as it would after the lease of the dead one, or submit anew what has failed."""
        if self.store.facts(self.job_id)["status"] in ENDED - {"finished"}:
            self._delete()
            self.job_id = self.submit()
        for _ in range(ATTEMPTS):
            facts = self.store.facts(self.job_id)
            if facts["status"] == "finished":
                break
            for found in self.others():
                known = int(self.store.facts(found).get("token", 1))
                for token in range(known, known + 3):  # facts name none of a worker that could not begin
                    self.store.release(Lease(found, "worker", token))
            for found, _ in list(waiting_jobs(self.store, self.others())):
                test_run.run(self.store, found)
        found = self.rows()
        self.after()
        self._delete()
        return found

    def others(self) -> list[str]:
        """List the jobs that the next worker may find."""
        return [self.job_id]

    def after(self) -> None:
        """Check what holds after the end."""

    def _delete(self) -> None:
        for job_id in list(self.store.job_ids()):
            with suppress(JobNotFound):
                self.store.delete(job_id)

    def left(self) -> list[str]:
        """List what is left of jobs; the claim of a submission, by which a second one finds the first, expires."""
        if refused_to_remove() or self.stores is None:
            return []
        return [name for name in self.stores.names() if "claims/" not in name and ":claim:" not in name]


class Waiting(LocalJobs):
    """Jobs that nobody runs but the scenario."""

    def start(self) -> None:
        pass


class Join(JobRun):
    """A job whose shards have been read, and are joined."""

    def split(self) -> tuple[str, list[str]]:
        spec = JobSpec(
            function="read", domains=DOMAINS, arguments={"path": self.path}, batch_size=BATCH_SIZE, shards=SHARDS
        )
        with Waiting({"read": test_run.read}, self.store, app="nowhere:jobs") as jobs:
            job_id = jobs.submit(spec, KEYS).job_id
        return job_id, self.store.facts(job_id)["children"].split(",")

    def submit(self) -> str:
        job_id, self.children = self.split()
        for child in self.children:
            assert test_run.run(self.store, child) == "finished"
        return job_id

    def after(self) -> None:
        if not refused_to_remove():
            assert list(self.store.job_ids()) == [self.job_id], "a shard is left"


class Sharded(Join):
    """A job in shards, from the first shard to the joined result."""

    def submit(self) -> str:
        job_id, self.children = self.split()
        return job_id

    def run(self) -> None:
        for child in self.children:
            run_and_join(self.store, child, {"read": test_run.read}, "worker")
        for found, _ in list(waiting_jobs(self.store, [self.job_id])):
            test_run.run(self.store, found)

    def others(self) -> list[str]:
        return [*(child for child in self.children if self._is_there(child)), self.job_id]

    def _is_there(self, job_id: str) -> bool:
        with suppress(JobNotFound):
            return bool(self.store.facts(job_id))
        return False


class Submission(JobRun):
    """The submission of a job: it is there and can be run, or an error says that it is not."""

    def begin(self, folder: Path) -> None:
        self.stores = self.kind(folder, self.fixture)
        self.store = self.stores.open()
        self.job_id = ""

    def act(self) -> Any:
        self.job_id = self.submit()
        return self.truth

    def check(self, came: Any, error: BaseException | None) -> None:
        assert bool(self.job_id) == (error is None)
        if error is None:
            assert self.store.facts(self.job_id)["status"] == "queued"
        else:
            assert isinstance(error, (MesbatchError, OSError, Dead))

    def again(self) -> Any:
        if not self.job_id:
            self._delete()
            self.job_id = self.submit()
        return super().again()


def _named(base: type[JobRun], kind: type[Stores], name: str, **more: Any) -> type[JobRun]:
    where = {Stores: "a directory", Redises: "Redis", Objects: "an object store"}[kind]
    more["forks"] = kind is not Objects  # which is in this process's memory
    return type(base.__name__, (base,), {"name": f"{name} in {where}", "kind": kind, **more})


SCENARIOS = [
    _named(base, kind, name)
    for base, name in (
        (JobRun, "a job"), (Join, "a join of shards"), (Sharded, "a job in shards"), (Submission, "a submission"),
    )
    for kind in (Stores, Redises, Objects)
]  # fmt: skip
