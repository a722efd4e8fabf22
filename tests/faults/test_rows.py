"""Faults of the table that had no test of their own, one test or more for each row, with red controls."""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
import tracemalloc
from collections import Counter
from contextlib import closing

import pytest

from mesbatch import Query, Trace, read_sql_iter
from mesbatch.errors import ConnectionLost, InvalidText, ReadInterrupted, SnapshotTooOld
from mesbatch.events import PartRetried
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore
from tests.faults.crowd import Crowd
from tests.jobs import test_run
from tests.rig.postgres import PrivatePostgres, RigUnavailable

pytestmark = pytest.mark.slow

KEYED = "select k, n from t where k in (:keys)"


# -- row 4: the database restarts in mid-job


@pytest.fixture
def own_postgres():
    pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    try:
        with PrivatePostgres() as server:
            yield server
    except RigUnavailable as error:
        pytest.skip(str(error))


def fill(url, keys, each, filler=""):
    """Make *each* rows of each of so many *keys*; with a *filler* they are more than sockets hold."""
    import psycopg

    with psycopg.connect(url) as con:
        con.execute(
            f"create table moves as select 'k' || lpad((n / {each})::text, 4, '0') as cid, n % {each} as n{filler} "
            f"from generate_series(0, {keys * each - 1}) n"
        )


def test_row_4_a_job_goes_on_when_its_database_restarts(own_postgres, tmp_path):
    keys = [f"k{n:04d}" for n in range(4_000)]
    note = "x" * 1_000
    rows = [(key, n, note) for key in keys for n in range(5)]
    fill(own_postgres.url, 4_000, 5, f", repeat('x', {len(note)}) as note")
    store, events = DirectoryStore(tmp_path / "jobs"), []

    def heard(domain, event):
        events.append(event)
        if len(events) == 2:
            own_postgres.restart("immediate")

    def read(work, path):
        trace = Trace({"moves": Query("select * from moves where cid in (:keys)")})
        return trace.read(
            own_postgres.url, work.keys, work.domains, max_bytes=work.max_bytes, batch_size=50, on_event=heard
        )

    job_id = test_run.submitted(store, "", keys, domains=("moves",), batch_size=1_000)
    assert run_job(store, job_id, {"read": read}, "worker") == "finished"
    assert test_run.rows_of(store, job_id)["moves"] == Counter(rows)
    assert any(isinstance(event, PartRetried) for event in events)


def test_row_4_red_control_one_query_does_not_survive_the_restart_and_the_pool_recovers(own_postgres):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    fill(own_postgres.url, 4_000, 5, ", repeat('x', 1000) as note")
    engine = sqlalchemy.create_engine(own_postgres.url.replace("postgresql://", "postgresql+psycopg://"))
    with read_sql_iter("select * from moves", engine, batch_size=50) as reader:
        next(reader)
        own_postgres.restart("immediate")
        with pytest.raises((ReadInterrupted, ConnectionLost)):
            list(reader)
    with read_sql_iter("select count(*) from moves", engine) as reader:
        assert next(reader).rows == [(20_000,)]
    engine.dispose()


# -- row 5: a serialization failure


@pytest.fixture
def flaky(postgres):
    """Make a function that fails once, as a serialization conflict does, at its third call."""
    postgres.execute("create sequence calls")
    postgres.execute("create table t as select n % 20 as k, n from generate_series(1, 200) n")
    postgres.execute(
        "create function flaky(n int) returns int language plpgsql volatile as $$ begin "
        "if nextval('calls') = 30 then raise exception using errcode = '40001', message = 'conflict'; end if; "
        "return n; end $$"
    )
    postgres.commit()


def test_row_5_a_serialization_failure_of_a_keyed_read_is_read_again(flaky, postgres_schema_url, monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    events = []
    sql = "select k, flaky(n) as n from t where k in (:keys)"
    with read_sql_iter(
        sql, postgres_schema_url, keys=range(20), key="k", splittable=True, batch_size=20, on_event=events.append
    ) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert Counter(rows) == Counter((n % 20, n) for n in range(1, 201))
    assert any(isinstance(event, PartRetried) for event in events)


def test_row_5_a_serialization_failure_of_one_query_is_an_error_that_may_be_tried_again(flaky, postgres_schema_url):
    with (
        read_sql_iter("select k, flaky(n) as n from t", postgres_schema_url) as reader,
        pytest.raises((SnapshotTooOld, ReadInterrupted)) as caught,
    ):
        list(reader)
    assert caught.value.retryable


# -- row 7: too many binds


@pytest.mark.parametrize("count", [0, 1, 999, 1_000, 1_001, 32_766, 32_767, 65_535, 65_536, 200_000])
def test_row_7_no_statement_has_more_binds_than_its_database_takes(tmp_path, count):
    binds = []

    class Counting(sqlite3.Cursor):
        def execute(self, sql, params=()):
            binds.append(len(params))
            return super().execute(sql, params)

    class Connection(sqlite3.Connection):
        def cursor(self, factory=Counting):
            return super().cursor(factory)

    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k int primary key, n int)")
        con.executemany("insert into t values (?, ?)", ((n, -n) for n in range(0, 200_000, 7)))
    with read_sql_iter(
        KEYED, lambda: sqlite3.connect(path, factory=Connection), keys=range(count), strategy="in-list"
    ) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert rows == [(n, -n) for n in range(0, count, 7)]
    assert max(binds, default=0) <= 32_766
    assert bool(binds) == bool(count)


def test_row_7_red_control_one_list_of_all_keys_is_refused():
    with closing(sqlite3.connect(":memory:")) as con:
        con.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
        with pytest.raises(sqlite3.OperationalError, match="too many SQL variables"):
            con.execute(f"select 1 where 1 in ({','.join('?' * 32_767)})", range(32_767))


# -- rows 10, 26, 28 and 40: an application


@pytest.fixture
def application(tmp_path):
    pytest.importorskip("flask", reason="no web framework: flask is not installed")
    from tests.adapters.flask.application import Application

    made = Application(tmp_path, wait=0.1)
    yield made
    made.jobs.close()


def post(application, data):
    return application.client.post("/api/trace/events", data=data, content_type="application/json", buffered=False)


def body_of(ids: bytes) -> bytes:
    return b'{"profile":"query_tool","domains":["moves"],"container_ids":[' + ids + b"]}"


def peak_of(work):
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_row_10_a_body_of_50_mb_is_refused_for_less_than_twice_its_size(application):
    data = body_of(b",".join(b'"%016d"' % n for n in range(2_700_000)))
    assert len(data) > 50_000_000
    post(application, body_of(b'"a"')).close()
    answer, peak = peak_of(lambda: post(application, data))
    with closing(answer):
        assert (answer.status_code, answer.json["code"]) == (413, "BODY_TOO_LARGE")
    assert peak < 2 * len(data)
    assert application.opened == application.closed <= 1
    _, naive = peak_of(lambda: json.loads(data))
    assert naive > 2 * len(data), "the red control: to parse it costs more"


def test_row_10_ten_million_keys_are_refused_before_they_are_parsed(application):
    data = body_of(b",".join(map(b"%d".__mod__, range(10_000_000))))
    answer, peak = peak_of(lambda: post(application, data))
    with closing(answer):
        assert answer.status_code == 413
    assert peak < 2 * len(data)
    assert application.opened == 0


def test_row_10_a_key_of_a_megabyte_is_refused(application):
    answer = post(application, body_of(b'"' + b"k" * 1_000_000 + b'"'))
    with closing(answer):
        assert (answer.status_code, answer.json["code"]) == (400, "INVALID_PARAMS")
    assert application.limiter.in_flight.permits == 0


def test_row_16_text_that_is_no_utf_8_is_named_replaced_or_written_as_base64(tmp_path):
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k text, n text)")
        con.execute("insert into t values ('a', 'fine'), ('b', cast(x'ff41' as text)), ('c', 'fine')")

    def read(wish):
        with read_sql_iter("select k, n from t order by k", lambda: sqlite3.connect(path), on_invalid_text=wish) as r:
            return [row for batch in r for row in batch.rows]

    with pytest.raises(InvalidText, match=r"column 'n'|row 2|'n'"):
        read("raise")
    assert read("replace") == [("a", "fine"), ("b", "\ufffdA"), ("c", "fine")]
    assert [row[0] for row in read("base64")] == ["a", "b", "c"]
    with closing(sqlite3.connect(path)) as con, pytest.raises(sqlite3.OperationalError, match="UTF-8"):
        con.execute("select n from t").fetchall()  # the red control


@pytest.mark.parametrize("at", [1, 2, 500, 2_000])
def test_row_26_no_memory_closes_the_cursor_gives_the_permit_back_and_is_said(application, at):
    connect, rows = application.connect, []

    def poor():
        con = connect()
        con.create_function("eat", 1, lambda n: n)

        class Cursor(sqlite3.Cursor):
            def __next__(self):
                rows.append(1)
                if len(rows) == at:
                    raise MemoryError
                return super().__next__()

        con.cursor = lambda factory=Cursor: sqlite3.Connection.cursor(con, factory)
        return con

    application.connect = poor
    answer = application.stream(["moves"])
    with closing(answer):
        data = b"".join(answer.response)
    if answer.status_code == 200:
        assert {"error", "warning"} & {json.loads(line)["type"] for line in data.splitlines()}
    else:
        assert answer.status_code in {500, 503}
    assert len(rows) >= at, "the red control: it did run out of memory"
    assert application.limiter.in_flight.permits == 0
    assert application.opened == application.closed
    application.connect = connect
    with closing(application.stream(["moves"])) as again:
        assert json.loads(b"".join(again.response).splitlines()[-1])["type"] == "complete"


def test_row_28_of_200_requests_at_once_none_is_beyond_the_limit_and_the_rest_are_told_when_to_come_back(application):
    crowd = Crowd(application)
    crowd.come(200)
    assert crowd.statuses[200] + crowd.statuses[503] == 200
    assert crowd.statuses[200] == crowd.whole > 2
    assert crowd.most <= 2
    assert crowd.statuses[503] == 0 or len(crowd.waits) > 1, "all come back in the same second"
    assert application.limiter.in_flight.permits == 0


def test_row_28_goodput_at_six_times_the_load_is_that_of_one(application):
    for _ in range(4):  # a machine that does something else meanwhile is asked again
        crowd = Crowd(application, nap=0.1)
        alone, crowded = crowd.goodput(2, 1.5), crowd.goodput(12, 1.5)
        if crowded >= 0.9 * alone:
            break
    assert crowded >= 0.9 * alone


def test_row_28_red_control_without_permits_more_read_at_once(application):
    from mesbatch.admission import ProcessLimiter

    crowd = Crowd(application, nap=0.2)
    application.limiter.limit = ProcessLimiter(100, 1 << 40).limit
    crowd.come(40)
    assert crowd.most > 2


def test_row_40_the_job_of_somebody_else_is_404_in_the_time_of_one_that_is_not_there(application):
    from mesbatch.jobs import JobSpec
    from mesbatch.store import new_job_id

    application.jobs.start = lambda: None
    spec = JobSpec(function="events", domains=("moves",), arguments={"profile": "p"}, owner="bob")
    theirs, mine = application.jobs.submit(spec, ["c01"]).job_id, None
    none = new_job_id()
    times, answers = {theirs: [], none: []}, {}
    for _ in range(150):
        for job_id, taken in times.items():
            began = time.perf_counter()
            answer = application.client.get(f"/api/trace/job/{job_id}")
            taken.append(time.perf_counter() - began)
            answers[job_id] = (answer.status_code, answer.data.replace(job_id.encode(), b""))
    assert answers[theirs] == answers[none]
    assert answers[none][0] == 404
    slow, fast = (statistics.median(times[job_id]) for job_id in (theirs, none))
    assert abs(slow - fast) < max(0.5 * fast, 0.002)
    application.user = "bob"
    mine = application.client.get(f"/api/trace/job/{theirs}")
    assert mine.status_code == 200, "the red control: it is there"
