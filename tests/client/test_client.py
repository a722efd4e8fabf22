from __future__ import annotations

import time
import tracemalloc
from collections import Counter, defaultdict
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from threading import Thread

import pytest

from mesbatch.batch import Column
from mesbatch.client import JobClient, JobStream, follow_store
from mesbatch.client.http import POLL_SECONDS
from mesbatch.codec.checksum import Checksum
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import CorruptChunk, JobFailed, JobNotFound, ReadInterrupted, RequestRefused
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.job import ending
from mesbatch.jobs.run import run_job
from mesbatch.sink.stream import ByteStream
from mesbatch.store import DirectoryStore, new_job_id
from mesbatch.store.stored_lines import stored_lines
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
        ([META, ONE, TWO, END % b"8230d2f7"], "2 rows of 'h' came with the checksum"),
        ([META, ONE, ONE], "batch 1 of 'h' is missing: batch 0 came"),
        ([META, TWO, ONE], "batch 0 of 'h' is missing: batch 1 came"),
        ([META, ONE, b'{"type":"domain_end","domain":"h","count":2}\n'], "1 rows of 'h' came .* the job wrote 2"),
        ([META, ONE.replace(b'"count":1', b'"count":2')], "has 1 rows, and says 2"),
    ],
)
def test_rows_that_are_not_those_of_the_job_are_refused(lines, error):
    with pytest.raises(CorruptChunk, match=error):
        list(JobStream(lambda first: ByteStream((line for line in lines), None)))


def test_a_line_of_a_type_that_we_do_not_know_may_have_any_members():
    new = b'{"type":"new","domain":null,"batch":"x","count":[],"checksum":1,"data":5}\n'
    lines = [META, new, ONE, TWO, END % b"0347f4f7"]
    assert [one.rows for one in JobStream(lambda first: ByteStream((line for line in lines), None))] == [
        [{"ID": 1}],
        [{"ID": 2}],
    ]


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


class Given:
    """Lines of one answer after the other, and the places that were asked for."""

    def __init__(self, *answers):
        self._answers, self.asked = list(answers), []

    def __call__(self, first):
        self.asked.append(first)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return ByteStream((line for line in answer), None)


META = b'{"type":"meta","job_id":"j"}\n'
RECORDS = b'{"type":"records","domain":"d","batch":0,"count":1,"data":[{"ID":1}]}\n'
COMPLETE = b'{"type":"complete","total_records":1,"domains":{"d":{"rows":1,"checksum":"8230d2f7"}}}\n'


def test_the_time_that_the_consumer_takes_is_no_lack_of_patience():
    given = Given([META, RECORDS], [META, COMPLETE])
    for _ in JobStream(given, patience=0.2):
        time.sleep(0.4)
    assert given.asked == [0, 1]


@pytest.mark.parametrize("greeting", [[META], [META, b'{"type":"progress","rows":0}\n']])
def test_a_server_that_sends_nothing_but_its_greeting_is_given_up(greeting):
    began = time.monotonic()
    with pytest.raises(ReadInterrupted, match=r"nothing came for 0\.3 s"):
        list(JobStream(Given(greeting), patience=0.3))
    assert time.monotonic() - began < 5


def test_a_job_that_waits_is_waited_for():
    waiting = [META, *[b'{"type":"progress","rows":0}\n'] * 2]
    given = Given(*[waiting] * 30, [META, RECORDS, COMPLETE])
    heard = []
    assert len(list(JobStream(given, patience=0.05, on_progress=heard.append))) == 1
    assert all(line["percent"] is None for line in heard)


DAMAGED = [
    b"<html>\n", b"\xff\xfe\n", b'{"type":1}\n', b'{"type":"complete"}\n', b'{"type":"aggregation"}\n', b"[]\n",
    b'{"type":"records","domain":"d","count":1,"data":{"ID":1}}\n', b'{"type":"records","data":' + b"[" * 100_000,
    b'{"type":"complete","total_records":1,"domains":{"d":{"rows":1}}}\n',
]  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED, ids=lambda line: line[:24])
def test_a_damaged_line_is_asked_for_again_and_an_error_in_the_end(line):
    assert len(list(JobStream(Given([META, line], [META, RECORDS, COMPLETE])))) == 1
    with pytest.raises(ReadInterrupted, match="damaged"):
        list(JobStream(Given([META, line]), patience=0.1))


class Once:
    """A server that answers each POST alike, and each GET by the next of *statuses*."""

    def __init__(self, status, kind, body, statuses=()):
        self.accepted, self.sent, remaining = [], 0, list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.accepted.append(self.headers["Accept"])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(sum(map(len, body))))
                self.end_headers()
                with suppress(OSError):
                    for part in body:
                        self.wfile.write(part)
                        outer.sent += len(part)

            def do_GET(self):
                code, told = remaining.pop(0)
                data = dumps(told).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def lines_of(batches, rows):
    encoder = RowEncoder((Column("ID"), Column("TEXT")))
    checksum, position = Checksum(), 0
    yield META
    for number in range(batches):
        data = encoder.encode_list([(position + n, "x" * 100) for n in range(rows)])
        position += rows
        checksum.update_list(data)
        yield b'{"type":"records","domain":"d","batch":%d,"count":%d,"data":%s}\n' % (number, rows, data)
    yield b'{"type":"complete","total_records":%d,"domains":{"d":{"rows":%d,"checksum":"%s"}}}\n' % (
        position, position, checksum.hexdigest().encode()
    )  # fmt: skip


def test_rows_that_the_server_reads_at_once_are_read_flat():
    with Once(200, "application/x-ndjson", list(lines_of(200, 1_000))) as server:
        tracemalloc.start()
        with JobClient(server.url).read("p", ["a"], ["d"]) as stream:
            rows = sum(len(records.rows) for records in stream)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert rows == 200_000
    assert server.sent > 24_000_000
    assert server.accepted[0].startswith("application/x-ndjson")
    assert peak < 24_000_000 + 8_000_000  # the server's own copy of the answer lies in this process


def test_an_answer_that_was_asked_for_once_is_not_read_twice():
    *lines, _ = lines_of(3, 10)
    with Once(200, "application/x-ndjson", lines) as server, JobClient(server.url).read("p", ["a"], ["d"]) as stream:
        with pytest.raises(ReadInterrupted, match="30 rows"):
            list(stream)
        assert len(server.accepted) == 1


def test_a_read_that_becomes_a_job_is_followed(web, database):
    web.job_id = submitted(web, database)
    assert rows_of(JobClient(web.url).read("p", KEYS, DOMAINS)) == expected(database)


@pytest.mark.parametrize("call", ["submit", "read"])
def test_an_answer_that_is_not_what_was_asked_for_is_not_loaded(call):
    with Once(200, "application/json", [b"x" * 100_000] * 400) as server:
        with pytest.raises(RequestRefused, match=r"at once|not with lines"):
            getattr(JobClient(server.url), call)("p", ["a"], ["d"])
        assert server.sent < 30_000_000


def test_a_wait_survives_the_restart_of_a_web_server(monkeypatch):
    monkeypatch.setattr("mesbatch.client.http.POLL_SECONDS", 0.01)
    statuses = [(200, {"status": "started"}), (503, {}), (502, {}), (200, {"status": "finished"})]
    with Once(200, "x", [], statuses) as server:
        assert JobClient(server.url).wait("a" * 32)["status"] == "finished"


def test_a_wait_gives_up_a_server_that_stays_away_and_one_that_refuses(monkeypatch):
    monkeypatch.setattr("mesbatch.client.http.POLL_SECONDS", 0.01)
    monkeypatch.setattr("mesbatch.client.http.PATIENCE_SECONDS", 0.1)
    with Once(200, "x", [], [(503, {})] * 500) as server, pytest.raises(RequestRefused, match="503"):
        JobClient(server.url).wait("a" * 32)
    with Once(200, "x", [], [(403, {"error": "no"})]) as server, pytest.raises(RequestRefused, match="403"):
        JobClient(server.url).wait("a" * 32)


class Clock:
    """A time that only passes while somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_wait_pauses_before_it_asks_again_and_ends_after_its_timeout(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("mesbatch.client.http.time", clock)
    started = (200, {"status": "started"})
    with Once(200, "x", [], [started, (503, {}), started, (200, {"status": "finished"})]) as server:
        assert JobClient(server.url).wait("a" * 32, timeout=1.5)["status"] == "finished"
    assert clock.now == 3 * POLL_SECONDS
    with Once(200, "x", [], [started] * 20) as server, pytest.raises(TimeoutError, match=r"started after 1\.5 s"):
        JobClient(server.url).wait("a" * 32, timeout=1.5)
    assert clock.now == 7 * POLL_SECONDS


@pytest.mark.parametrize(("status", "words"), [(200, "list instead of an object"), (400, "400 Bad Request")])
def test_an_answer_whose_json_is_no_object_is_refused(status, words):
    with Once(200, "x", [], [(status, ["no"])]) as server, pytest.raises(RequestRefused, match=words):
        JobClient(server.url).status("a" * 32)


@pytest.mark.parametrize("last", [None, "domain_end"])
def test_a_stream_that_ends_before_its_last_line_is_not_whole(web, database, monkeypatch, last):
    """The server ends the answer as it should, between two lines, and never says ``complete``."""
    job_id = submitted(web, database)
    real = stored_lines

    def without_end(*arguments, **options):
        with real(*arguments, **options) as lines:
            kept = [line for line in lines if b'"type":"complete"' not in line]
        return ByteStream(iter_of(kept[:-1] if last is None else kept), None)

    def iter_of(lines):
        yield from lines

    monkeypatch.setattr("tests.client.web.stored_lines", without_end)
    with pytest.raises(ReadInterrupted, match="without its last line"):
        rows_of(JobClient(web.url).follow(job_id, patience=0.1))
