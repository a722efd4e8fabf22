"""A job over 1.14 million keys, split over two hosts; one of them is cut off in the middle."""

from __future__ import annotations

import time
from contextlib import ExitStack
from importlib import import_module

import pytest

from mesbatch.client import follow_store
from mesbatch.jobs import JobSpec
from tests.jobs.rig import COMMAND, Workers, importable, until, wait_for_end
from tests.rig.hosts import ADDRESS, hosts
from tests.rig.postgres import PrivatePostgres, RigUnavailable
from tests.rig.proxy import TcpProxy
from tests.rig.valkey import PrivateValkey

pytest.importorskip("rq")
psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")

KEYS = 1_140_000
APP = """
from mesbatch import Query, Trace
from mesbatch.jobs.rq import RQJobs
from mesbatch.store.redis import RedisStore

TRACE = Trace({{"moves": Query("select cid, n, note from moves where cid in (:keys)")}})

def moves(work):
    return TRACE.read({database!r}, work.keys, work.domains, max_bytes=work.max_bytes)

store = RedisStore({url!r}, patience=5)
jobs = RQJobs({{"moves": moves}}, store, app="{module}:jobs", url={url!r}, queue="{module}", max_connections=2)
"""


@pytest.fixture(scope="module")
def servers():
    with ExitStack() as stack:
        try:
            postgres = stack.enter_context(PrivatePostgres(shared_buffers="256MB"))
            valkey = stack.enter_context(PrivateValkey())
            both = stack.enter_context(hosts(2))
        except RigUnavailable as error:
            pytest.skip(str(error))
        with psycopg.connect(postgres.url) as connection:
            connection.execute("create table moves (cid text, n int, note text)")
            connection.execute(
                "insert into moves select lpad(to_hex(i), 16, '0'), n, 'lot ' || i from generate_series(1, %s) i, "
                "generate_series(1, i %% 1000 * 7919 %% 4) n where i %% 17 > 0",
                [KEYS],
            )
            connection.execute("create index on moves (cid)")
            connection.execute("analyze moves")
        yield postgres, valkey, both


def keys():
    return (f"{number:016x}" for number in range(1, KEYS + 1))


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("cut", [False, True], ids=["both stay", "one is cut off"])
def test_a_job_over_two_hosts_is_row_exact(servers, tmp_path, cut):
    postgres, valkey, both = servers
    with ExitStack() as stack:
        to_postgres = stack.enter_context(TcpProxy(postgres.port, host=ADDRESS))
        to_valkey = stack.enter_context(TcpProxy(valkey.port, host=ADDRESS))
        database = f"postgresql://postgres@{ADDRESS}:{to_postgres.port}/postgres"
        url = f"redis://{ADDRESS}:{to_valkey.port}/0"
        app = importable(tmp_path, APP, database=database, url=url)
        jobs = stack.enter_context(import_module(app).jobs)
        stack.callback(jobs.store.close)
        workers = Workers()
        stack.callback(workers.close)
        for host in both:
            workers.start("-c", COMMAND, "worker", "--app", f"{app}:jobs", enter=host.enter)
        until(lambda: len(jobs.listening.workers()) == 2, 30, "two workers")
        job_id = jobs.submit(JobSpec(function="moves", domains=("moves",), shards=4), keys()).job_id
        if cut:
            until(lambda: both_at_work(jobs, job_id), 120, "both hosts at work")
            both[1].cut_off()
        begin = time.monotonic()
        assert wait_for_end(jobs, job_id, 600).status == "finished"
        print(f"finished {time.monotonic() - begin:.1f} s later")
        assert tally_of_job(jobs, job_id) == tally_of_table(postgres.url)


def both_at_work(jobs, job_id):
    children = jobs.store.facts(job_id)["children"].split(",")
    return sum(bool(jobs.store.holder(child)) and len(jobs.store.journal(child, 0, 5)) == 5 for child in children) == 2


def tally_of_job(jobs, job_id):
    """Count the rows, add up their hashes, and check that keys ascend."""
    count, total, last = 0, 0, ""
    with follow_store(jobs.store, job_id) as stream:
        for records in stream:
            for row in records.rows:
                assert last <= row["cid"]
                last = row["cid"]
                count, total = count + 1, total + hash((row["cid"], row["n"], row["note"]))
    return count, total


def tally_of_table(url):
    count, total = 0, 0
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for row in cursor.stream("select cid, n, note from moves", size=1_000):
            count, total = count + 1, total + hash(row)
    return count, total
