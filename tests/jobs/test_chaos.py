"""A hundred jobs while their neighbours misbehave: workers, work-horses, web processes and Redis itself."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

import pytest

pytest.importorskip("rq", reason="rq is not installed")
pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
pytest.importorskip("flask", reason="no web framework: flask is not installed")

import redis

from mesbatch.errors import JobNotFound
from mesbatch.store import ResultReader
from mesbatch.store.protocol import ENDED
from tests.jobs.functions import DOMAINS, KEYS, expected
from tests.jobs.rig import COMMAND, Workers, importable, kill, until
from tests.rig.valkey import PrivateValkey

JOBS, WORKERS = 100, 2
TIMEOUT = 240.0  # of each job
FOUND_SECONDS = 30.0  # after its deadline: a lease of 2 s, a look every 2 s, and 5 s of patience with Redis
CODES = {"result-store-full", "job-keeps-dying", "job-timeout"}  # with which a job may fail here

APP = """
from flask import Flask

from mesbatch.adapters.flask import Limits, trace_blueprint
from mesbatch.admission import AdmissionPolicy, MachineLimiter
from mesbatch.admission.trace_table import trace_rules
from mesbatch.jobs.rq import RQJobs
from mesbatch.store.redis import RedisStore
from tests.jobs.functions import connect, trace

TRACE = trace(0.0)

def events(work):
    nap = 0.0005 if len(work.keys) > 100 else 0.0
    return trace(nap).read(lambda: connect({path!r}), work.keys, work.domains, max_bytes=work.max_bytes,
                           on_failure=work.on_failure)

store = RedisStore({url!r}, lease_seconds={lease!r}, ttl=900, patience=5)
jobs = RQJobs({{"events": events}}, store, app="{module}:jobs", url={url!r}, queue="{module}", max_connections=2)
limiter = MachineLimiter({permits!r}, 4, 2**28)
policy = AdmissionPolicy(trace_rules(cache_limit=10, async_threshold=100, cid_limit=200))
app = Flask("chaos")
app.register_blueprint(trace_blueprint(TRACE, policy, limiter, jobs, lambda: "ann", limits=Limits(timeout={timeout!r})))
"""


def children_of(pid):
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


class Deployment:
    """Gunicorn with two processes, two workers of RQ and a Redis whose data are kept, and what may befall them."""

    def __init__(self, folder, database, server, seed):
        self.chance, self.server, self.befell = random.Random(seed), server, Counter()
        self.permits = str(folder / "permits")
        self.module = importable(folder, APP, path=database, url=server.url, permits=self.permits, timeout=TIMEOUT)
        self.application = import_module(self.module)
        self.processes = Workers()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._folder, self._log = str(folder), (folder / "log").open("ab")
        self._quiet = {"stdout": subprocess.DEVNULL, "stderr": self._log}
        self.web = self.processes.start(
            "-m", "gunicorn", "-w", "2", "-k", "gthread", "--threads", "4", "-b", f"127.0.0.1:{self.port}",
            "--no-control-socket", f"{self.module}:app", **self._quiet,
        )  # fmt: skip
        self.workers = [self.start_worker() for _ in range(WORKERS)]

    def start_worker(self):
        return self.processes.start("-c", COMMAND, "worker", "--app", f"{self.module}:jobs", **self._quiet)

    def ask(self, method, path, body=None, accept="application/json"):
        """Send one request, again while the neighbours misbehave; return the status and the body."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
            with suppress(OSError, HTTPException):
                headers = {"Content-Type": "application/json", "Accept": accept}
                connection.request(method, path, None if body is None else json.dumps(body), headers)
                response = connection.getresponse()
                data = response.read()
                if response.status not in {413, 500, 503}:  # no worker listens just now, or Redis does not answer
                    connection.close()
                    return response.status, data
                self.befell[f"answered {response.status}"] += 1
            connection.close()
            time.sleep(0.2)
        pytest.fail(f"{method} {path}: no answer for 90 s")

    def befall(self):
        """Let something happen to a neighbour, chosen by chance."""
        what = self.chance.choice(["horse", "horse", "worker", "web", "restart", "fill", "cut"])
        self.befell[what] += 1
        match what:
            case "horse":
                for horse in children_of(self.chance.choice(self.workers).pid):
                    kill(horse)
            case "worker":
                at = self.chance.randrange(WORKERS)
                kill(self.workers[at].pid)
                self.workers[at] = self.start_worker()
            case "web":
                if pids := children_of(self.web.pid):
                    kill(self.chance.choice(pids))
            case "restart":
                self.server.kill()
                time.sleep(self.chance.uniform(0, 2))
                self.server.start()
            case "fill":
                with redis.Redis.from_url(self.server.url) as client, suppress(redis.RedisError):
                    client.config_set("maxmemory", 1)
                    time.sleep(self.chance.uniform(0, 1))
                    client.config_set("maxmemory", 0)
            case "cut":
                with redis.Redis.from_url(self.server.url) as client, suppress(redis.RedisError):
                    client.client_kill_filter(_type="normal", skipme=True)

    def misbehave(self, calm):
        while not calm.wait(self.chance.uniform(0.5, 2.5)):
            self.befall()

    def has_ended(self, job_id):
        """Return whether a job has ended; that of a web process which was killed before its 202 ends when asked for."""
        with suppress(JobNotFound):
            return self.application.jobs.get(job_id, owner="ann").ended
        return True

    def close(self):
        self.processes.close()
        self._log.close()
        self.application.jobs.close()
        self.application.store.close()
        self.application.limiter.close()
        sys.path.remove(self._folder)


def running(deployment):
    """Wait until web server and workers are there, and end them with the block."""
    try:
        until(lambda: len(deployment.application.jobs.listening.workers()) == WORKERS, 60, "the workers")
        until(lambda: children_of(deployment.web.pid), 60, "the web server")
    except BaseException:
        deployment.close()
        raise
    return closing(deployment)


def rows_of(store, job_id):
    result = ResultReader(store, job_id)
    return {
        domain: Counter(tuple(row.values()) for row in json.loads(b"".join(result.page(domain).data)))
        for domain in result.manifest.domains
    }


def submit(deployment):
    """Submit all jobs, and read a few keys at once beside each; return the keys of each job."""
    asked = {}
    for number in range(JOBS):
        keys = random.Random(number).sample(KEYS, 300)
        body = {"profile": "query_tool", "container_ids": keys, "domains": list(DOMAINS)}
        status, data = deployment.ask("POST", "/api/trace/events", body)
        assert status == 202, data
        asked[json.loads(data)["job_id"]] = keys
        small = {**body, "container_ids": keys[:20]}
        status, _ = deployment.ask("POST", "/api/trace/events", small, "application/x-ndjson")
        assert status == 200
    return asked


def wait_for_all(deployment, job_ids, calm):
    """Ask for each job until it has ended, and be *calm* once most of them have; return their statuses."""
    ended, deadline = {}, time.monotonic() + 2 * TIMEOUT
    while len(ended) < len(job_ids):
        assert time.monotonic() < deadline, f"{len(job_ids) - len(ended)} jobs have no end"
        for job_id in job_ids - ended.keys():
            status, data = deployment.ask("GET", f"/api/trace/job/{job_id}")
            assert status == 200, data
            if (job := json.loads(data))["status"] in ENDED:
                ended[job_id] = job
        if len(ended) > 0.9 * len(job_ids):
            calm.set()
        time.sleep(0.2)
    return ended


def compare(store, database, asked, jobs):
    """Return the numbers of rows that finished *jobs* have lost and doubled."""
    lost = doubled = 0
    for job_id, job in jobs.items():
        if job["status"] == "finished":
            found, wanted = rows_of(store, job_id), expected(database, asked[job_id])
            for domain in DOMAINS:
                lost += (wanted[domain] - found.get(domain, Counter())).total()
                doubled += (found.get(domain, Counter()) - wanted[domain]).total()
    return lost, doubled


def is_late(facts):
    return float(facts["completed_at"]) > float(facts["deadline"]) + FOUND_SECONDS


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_jobs_lose_no_row_and_no_permit_and_all_end_in_time(tmp_path, database, seed):
    began, calm = time.monotonic(), Event()
    with PrivateValkey(kept=True) as server, running(Deployment(tmp_path, database, server, seed)) as deployment:
        neighbours = Thread(target=deployment.misbehave, args=(calm,))
        neighbours.start()
        try:
            asked = submit(deployment)
            jobs = wait_for_all(deployment, asked.keys(), calm)
        finally:
            calm.set()
            neighbours.join()
        application = deployment.application
        lost, doubled = compare(application.store, database, asked, jobs)
        late = [job_id for job_id in jobs if is_late(application.store.facts(job_id))]
        statuses = Counter(job["status"] for job in jobs.values())
        codes = Counter(job["code"] for job in jobs.values() if job["status"] != "finished")
        print(
            f"\nseed {seed}: {dict(statuses)} {dict(codes)}; rows lost {lost}, doubled {doubled}; late {len(late)}; at "
            f"most {max(job['attempt'] for job in jobs.values())} attempts; befell {dict(deployment.befell)}; "
            f"{time.monotonic() - began:.0f} s",
            file=sys.__stderr__,
        )
        assert (lost, doubled, late) == (0, 0, [])
        assert statuses.keys() <= {"finished", "failed"}
        assert codes.keys() <= CODES
        assert statuses["finished"] > JOBS / 2
        with application.jobs.read_limit() as limit:
            until(lambda: limit._limiter.in_flight.permits == 0, 30, "the last permit to read")
        until(lambda: application.limiter.in_flight.permits == 0, 30, "the last permit of the web server")
        until(lambda: all(map(deployment.has_ended, application.store.job_ids())), TIMEOUT, "the end of unknown jobs")
