from __future__ import annotations

from collections import Counter, defaultdict
from threading import Thread

import pytest

from mesbatch.client import JobClient, JobStream, follow_store
from mesbatch.errors import CorruptChunk, JobFailed, JobNotFound, ReadInterrupted, RequestRefused
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.job import ending
from mesbatch.jobs.run import run_job
from mesbatch.sink.stream import ByteStream
from mesbatch.store import DirectoryStore, new_job_id
from tests.client.web import Web
from tests.jobs.functions import DOMAINS, FUNCTIONS, KEYS, expected, make_database


class Waiting(LocalJobs):
    """Jobs that are accepted and never run."""

    def start(self):
        pass


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("client") / "moves.db")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("mesbatch.client.stream.FIRST_PAUSE", 0.001)


@pytest.fixture
def web(tmp_path):
    jobs = Waiting(FUNCTIONS, DirectoryStore(tmp_path / "store"), app="nowhere:jobs")
    with jobs, Web(jobs) as web:
        yield web


def submitted(web, database, *, run=True, **more):
    spec = JobSpec(function="events", domains=DOMAINS, arguments={"path": database}, batch_size=500, **more)
    job_id = web.jobs.submit(spec, KEYS).job_id
    if run:
        run_job(web.jobs.store, job_id, FUNCTIONS, "me")
    return job_id


def rows_of(stream):
    rows = defaultdict(list)
    with stream:
        for records in stream:
            values = (row.values() if isinstance(row, dict) else row for row in records.rows)
            rows[records.domain] += map(tuple, values)
    return {domain: Counter(found) for domain, found in rows.items()}


@pytest.mark.parametrize("shape", ["objects", "arrays"])
def test_a_finished_job_is_read_over_http_and_from_its_store(web, database, shape):
    job_id = submitted(web, database, shape=shape, profile="query_tool")
    for stream in (JobClient(web.url).follow(job_id), follow_store(web.jobs.store, job_id)):
        assert rows_of(stream) == expected(database)
        assert stream.meta["profile"] == "query_tool"
        assert [column["name"] for column in stream.columns["holds"]] == ["cid", "reason"]
        assert stream.aggregation == {"rows": {"moves": 4978, "holds": 754}, "total": 503540}
        assert stream.warning is None


@pytest.mark.parametrize("first_cut", [0, 10, 200, 1_000, 9_999, 30_000, 60_000, 100_000, 180_000])
def test_a_stream_that_breaks_anywhere_is_asked_for_again(web, database, first_cut):
    job_id = submitted(web, database)
    web.cuts = [first_cut, 300, 20_000, 0, 0, 50_000, 1]
    assert rows_of(JobClient(web.url).follow(job_id)) == expected(database)
    firsts = [int(path.rpartition("=")[2]) for path in web.asked]
    assert firsts == sorted(firsts)
    assert len(firsts) > 3


def test_a_job_that_still_runs_is_followed(web, database):
    job_id = submitted(web, database, run=False)
    worker = Thread(target=lambda: run_job(web.jobs.store, job_id, FUNCTIONS, "me"))
    told = []
    stream = JobClient(web.url).follow(job_id, on_progress=told.append)
    worker.start()
    assert rows_of(stream) == expected(database)
    worker.join()


def test_a_server_that_is_busy_for_a_while_is_asked_again(web, database):
    job_id = submitted(web, database)
    web.busy = 3
    assert rows_of(JobClient(web.url).follow(job_id)) == expected(database)


def test_a_server_that_stays_away_is_not_asked_for_ever(web, database):
    job_id = submitted(web, database)
    web.cuts = [30_000, *[0] * 10_000]
    with pytest.raises(ReadInterrupted, match=r"broke off after [\d,]+ rows, and nothing came for 0.2 s"):
        rows_of(JobClient(web.url).follow(job_id, patience=0.2))


def test_a_job_that_failed_ends_the_stream_with_its_words(web, database):
    job_id = submitted(web, database, run=False)
    web.jobs.store.change(job_id, ending("failed", "job-timeout", "it took too long"))
    with pytest.raises(JobFailed, match="it took too long"):
        rows_of(JobClient(web.url).follow(job_id))


def test_a_chunk_that_is_gone_ends_the_stream(web, database):
    job_id = submitted(web, database)
    chunk = web.jobs.store.manifest(job_id).chunks[3]
    web.jobs.store.objects.remove(f"{job_id}/chunks/{chunk.token:08d}/{chunk.position:08d}")
    with pytest.raises(JobFailed, match="is gone"):
        rows_of(JobClient(web.url).follow(job_id))


def test_a_job_of_somebody_else_is_not_found(web, database):
    job_id = submitted(web, database, owner="ann")
    assert JobClient(web.url, headers={"X-User": "ann"}).status(job_id)["status"] == "finished"
    for client in (JobClient(web.url), JobClient(web.url, headers={"X-User": "bob"})):
        with pytest.raises(JobNotFound):
            client.status(job_id)
        with pytest.raises(JobNotFound):
            rows_of(client.follow(job_id))
    with pytest.raises(JobNotFound):
        rows_of(follow_store(web.jobs.store, new_job_id()))


def test_a_job_is_submitted_waited_for_and_cancelled(web, database):
    client = JobClient(web.url)
    web.job_id = submitted(web, database, run=False)
    assert client.submit("query_tool", KEYS, DOMAINS) == web.job_id
    with pytest.raises(RequestRefused, match="INVALID_PARAMS no ids") as refused:
        client.submit("query_tool", [], DOMAINS)
    assert refused.value.status == 400
    with pytest.raises(TimeoutError):
        client.wait(web.job_id, timeout=0)
    client.cancel(web.job_id)
    assert client.wait(web.job_id)["status"] == "cancelled"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host/api", ""])
def test_only_http_is_spoken(url):
    with pytest.raises(ValueError, match="http"):
        JobClient(url)


META, END = b'{"type":"meta"}\n', b'{"type":"complete","total_records":2,"domains":{"h":{"rows":2,"checksum":"%b"}}}\n'
ONE, TWO = (b'{"type":"records","domain":"h","batch":%d,"count":1,"data":[{"ID":%d}]}\n' % (n - 1, n) for n in (1, 2))


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([META, ONE, END % b"8230d2f7"], "1 rows came, and the job wrote 2"),
        ([META, ONE, ONE, END % b"8230d2f7"], "2 rows of 'h' came with the checksum"),
        ([META, TWO, ONE, END % b"00000000"], "2 rows of 'h' came with the checksum"),
        ([META, ONE.replace(b'"count":1', b'"count":2')], "has 1 rows, and says 2"),
    ],
)
def test_rows_that_are_not_those_of_the_job_are_refused(lines, error):
    with pytest.raises(CorruptChunk, match=error):
        list(JobStream(lambda first: ByteStream((line for line in lines), None)))


def test_lines_of_the_first_implementation_are_read():
    lines = [
        b'{"type": "meta", "job_id": "trace-evt-0123456789ab"}\n',
        b'{"type": "domain_start", "domain": "h", "total": 1}\n',
        b'{"type": "records", "domain": "h", "batch": 0, "count": 1, "data": [{"ID": 1}]}\n',
        b'{"type": "domain_end", "domain": "h", "count": 1}\n',
        b'{"type": "warning", "code": "EVENTS_PARTIAL_FAILURE", "failed_domains": ["holds"]}\n',
        b'{"type": "complete", "total_records": 1}\n',
    ]
    stream = JobStream(lambda first: ByteStream((line for line in lines), None))
    assert rows_of(stream) == {"h": Counter([(1,)])}
    assert stream.warning["failed_domains"] == ["holds"]
