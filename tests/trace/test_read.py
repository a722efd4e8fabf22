from __future__ import annotations

import gc
import sqlite3
import threading
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace

import pytest

from mesbatch import Query, Trace
from mesbatch.errors import DatabaseTimeout, InvalidKey, KeyColumnError, ReadInterrupted, StatementError, UnknownSource
from mesbatch.keys.collect import collect_keys
from tests.rig.faulty import Faults
from tests.rig.threads import threads_of_reads

KEYS = [f"c{n}" for n in range(20)]
QUERIES = {
    "moves": Query("select * from moves where cid in (:keys)"),
    "holds": Query("select reason, cid as lot from holds where cid in (:keys)", key="lot"),
    "jobs": Query("select job, cids from jobs", key="cids", separator=","),
}
MOVES = [(f"c{n % 30}", n) for n in range(300)]
HOLDS = [(f"c{n}", "dust") for n in range(5, 25)]
JOBS = [(1, "c1,c2"), (2, "c25, c3"), (3, "c25"), (4, ""), (5, None), (6, "c19,c19"), (7, "c1")]


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table moves (cid text, n int)")
        con.execute("create table holds (cid text, reason text)")
        con.execute("create table jobs (job int, cids text)")
        con.executemany("insert into moves values (?, ?)", MOVES)
        con.executemany("insert into holds values (?, ?)", HOLDS)
        con.executemany("insert into jobs values (?, ?)", JOBS)
    return str(tmp_path / "t.db")


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    assert threads_of_reads() == []


def by_domain(reader):
    rows = defaultdict(list)
    with reader:
        for domain, batch in reader:
            rows[domain] += batch.rows
    return {domain: Counter(found) for domain, found in rows.items()}


EXPECTED = {
    "moves": Counter(row for row in MOVES if row[0] in KEYS),
    "holds": Counter((reason, cid) for cid, reason in HOLDS if cid in KEYS),
    "jobs": Counter([(1, "c1,c2"), (2, "c25, c3"), (6, "c19,c19"), (7, "c1")]),
}


@pytest.mark.parametrize("domains_at_once", [1, 2, 5])
@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("lazily", [False, True], ids=["a list", "an iterator"])
def test_every_domain_gives_the_rows_of_its_keys(path, domains_at_once, parallel, lazily):
    faults = Faults(path)
    keys = iter(KEYS * 2) if lazily else KEYS * 2
    reader = Trace(QUERIES).read(
        faults, keys, domains_at_once=domains_at_once, parallel=parallel, batch_size=7, max_bytes=100_000
    )
    assert by_domain(reader) == EXPECTED
    assert reader.key_count == 20
    assert all(manifest.complete for manifest in reader.manifests.values())
    assert {domain: manifest.rows for domain, manifest in reader.manifests.items()} == {
        domain: rows.total() for domain, rows in EXPECTED.items()
    }
    assert [column.name for column in reader.descriptions["holds"]] == ["reason", "lot"]
    assert faults.alive == 0


def test_the_callers_connection_reads_one_domain_after_the_other(path):
    with closing(sqlite3.connect(path)) as con:
        seen = [domain for domain, _ in Trace(QUERIES).read(con, KEYS, ["jobs", "moves"], batch_size=7)]
    assert seen == sorted(seen)
    assert set(seen) == {"jobs", "moves"}


class Count:
    def __init__(self, fail_at=None, error=ZeroDivisionError):
        self.rows, self.fail_at, self.error = Counter(), fail_at, error

    def add(self, domain, batch):
        self.rows[domain] += batch.num_rows
        if self.fail_at is not None and self.rows.total() >= self.fail_at:
            raise self.error

    def result(self):
        return dict(self.rows)


@pytest.mark.parametrize("domains_at_once", [1, 2])
def test_the_budget_of_a_trace_may_be_set_while_it_reads(path, domains_at_once):
    reader = Trace(QUERIES).read(Faults(path), KEYS, domains_at_once=domains_at_once, max_bytes=100_000)
    with reader:
        next(reader)
        reader.max_bytes = 50_000
        assert reader.max_bytes == 50_000
        assert [one.max_bytes for one in reader._work.readers.values()] == [50_000 // domains_at_once] * 3
        with pytest.raises(ValueError, match="max_bytes"):
            reader.max_bytes = 0


def test_an_aggregation_is_fed_batch_by_batch(path):
    reader = Trace(QUERIES).read(Faults(path), KEYS, aggregation=Count(), batch_size=7)
    assert reader.aggregation is None
    by_domain(reader)
    assert reader.aggregation == {domain: rows.total() for domain, rows in EXPECTED.items()}


@pytest.mark.parametrize(("error", "raised"), [(ZeroDivisionError, ZeroDivisionError), (StopIteration, RuntimeError)])
@pytest.mark.parametrize("domains_at_once", [1, 2])
def test_an_aggregation_that_fails_ends_the_trace(path, error, raised, domains_at_once):
    faults = Faults(path)
    reader = Trace(QUERIES).read(
        faults, KEYS, aggregation=Count(20, error), batch_size=7, domains_at_once=domains_at_once
    )
    with pytest.raises(raised):
        list(reader)
    assert faults.alive == 0
    assert list(reader) == []
    assert not any(manifest.status == "reading" for manifest in reader.manifests.values())


@pytest.fixture
def failing(path, monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    return {**QUERIES, "missing": Query("select * from missing where cid in (:keys)")}


@pytest.mark.parametrize("domains_at_once", [1, 3])
def test_a_domain_that_fails_ends_the_trace(path, failing, domains_at_once):
    faults = Faults(path)
    with pytest.raises(sqlite3.OperationalError) as caught:
        by_domain(Trace(failing).read(faults, KEYS, domains_at_once=domains_at_once))
    assert "while reading domain 'missing'" in caught.value.__notes__
    assert faults.alive == 0


@pytest.mark.parametrize("domains_at_once", [1, 3])
def test_a_domain_may_fail_where_that_was_asked_for(path, failing, domains_at_once):
    reader = Trace(failing).read(Faults(path), KEYS, on_failure="partial", domains_at_once=domains_at_once)
    assert by_domain(reader) == EXPECTED
    assert {domain: manifest.status for domain, manifest in reader.manifests.items()} == {
        **dict.fromkeys(QUERIES, "complete"), "missing": "failed",
    }  # fmt: skip
    (failed,) = reader.manifests["missing"].failed
    assert failed.count == 20
    assert failed.error == "OperationalError: no such table: missing"


def test_a_failure_at_any_row_is_complete_or_told_in_the_manifest(path, monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    for n in range(1, 260, 7):
        for times in (1, None):
            faults = Faults(path, fail_at=n, times=times)
            reader = Trace(QUERIES).read(faults, KEYS, on_failure="partial", batch_size=7)
            rows = by_domain(reader)
            for domain, manifest in reader.manifests.items():
                came = rows.get(domain, Counter())
                assert came <= EXPECTED[domain]
                assert manifest.rows == came.total()
                assert manifest.complete == (came == EXPECTED[domain])
                assert manifest.complete or manifest.failed
            assert faults.alive == 0


@pytest.mark.parametrize("domains_at_once", [1, 2])
def test_a_trace_that_is_left_gives_everything_back(path, domains_at_once):
    faults = Faults(path)
    with Trace(QUERIES).read(faults, KEYS, batch_size=7, domains_at_once=domains_at_once) as reader:
        next(reader)
    reader.close()
    assert faults.alive == 0
    assert list(reader) == []


@pytest.mark.filterwarnings("ignore:a BatchReader was neither:ResourceWarning")
@pytest.mark.parametrize("domains_at_once", [1, 2])
def test_a_trace_that_is_garbage_warns_and_stops_its_threads(path, domains_at_once):
    faults = Faults(path)
    readers = [Trace(QUERIES).read(faults, KEYS, batch_size=7, domains_at_once=domains_at_once)]
    next(readers[0])
    with pytest.warns(ResourceWarning, match="a TraceReader was neither read to its end nor closed"):
        readers.clear()
    assert faults.alive == 0


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((KEYS, ["nothing"]), {}, ValueError), ((KEYS,), {"domains_at_once": 0}, ValueError),
        ((["a", ""],), {}, InvalidKey),
        ((KEYS,), {"max_bytes": 0}, ValueError), ((KEYS,), {"timeout": -1}, ValueError),
    ],
)  # fmt: skip
def test_mistakes_are_found_before_any_domain_is_read(path, arguments, options, error):
    faults = Faults(path)
    with pytest.raises(error):
        Trace(QUERIES).read(faults, *arguments, **options)
    assert faults.opened == 0


def test_the_callers_connection_is_not_read_in_parallel(path):
    with closing(sqlite3.connect(path)) as con, pytest.raises(ValueError, match="domains_at_once=2"):
        Trace(QUERIES).read(con, KEYS, domains_at_once=2)


def test_a_statement_without_keys_is_refused_for_all_domains_at_once(path):
    queries = {**QUERIES, "wrong": Query("select 1")}
    with pytest.raises(StatementError, match="no :keys"):
        Trace(queries).read(Faults(path), iter(KEYS))
    with pytest.raises(UnknownSource):
        Trace(QUERIES).read(5, KEYS)


@pytest.mark.parametrize("options", [{"separator": ","}, {"separator": "", "key": "cids"}], ids=str)
def test_a_separator_needs_a_column_to_split(options):
    with pytest.raises(KeyColumnError, match="separator"):
        Query("select 1", **options)


def test_a_list_of_keys_is_one_row_or_one_for_each_key_that_was_asked_for():
    con = sqlite3.connect(":memory:")
    con.execute("create table t (job int, cids text)")
    lists = ["a,b", "b, a ,b,x", "x", None, "", "c"]
    con.executemany("insert into t values (?, ?)", enumerate(lists))
    sql = "select job, cids, cids as held from t"

    def found(**options):
        reader = Trace({"jobs": Query(sql, key="cids", separator=",", **options)}).read(con, ["a", "b", "c"])
        rows = [row for _, batch in reader for row in batch.rows]
        assert reader.manifests["jobs"].rows == len(rows)
        assert reader.manifests["jobs"].complete
        return rows

    assert found() == found(per_key=False) == [(0, "a,b", "a,b"), (1, "b, a ,b,x", "b, a ,b,x"), (5, "c", "c")]
    assert found(per_key=True) == [
        (0, "a", "a,b"), (0, "b", "a,b"), (1, "b", "b, a ,b,x"), (1, "a", "b, a ,b,x"), (5, "c", "c"),
    ]  # fmt: skip
    with pytest.raises(KeyColumnError, match="name its separator"):
        Query(sql, key="cids", per_key=True)


def test_rows_for_each_key_come_in_batches_no_longer_than_those_that_were_read():
    con = sqlite3.connect(":memory:")
    con.execute("create table t (job int, cids text)")
    keys = [f"k{n:03d}" for n in range(100)]
    con.executemany("insert into t values (?, ?)", [(n, ",".join(keys)) for n in range(50)])
    query = Query("select job, cids from t", key="cids", separator=",", per_key=True)
    reader = Trace({"jobs": query}).read(con, keys, batch_size=10)
    sizes = [batch.num_rows for _, batch in reader]
    assert (sum(sizes), max(sizes)) == (5_000, 10)


def test_a_domain_may_name_its_strategy(path):
    statements = []
    with closing(sqlite3.connect(path)) as con:
        con.set_trace_callback(statements.append)
        queries = {"moves": replace(QUERIES["moves"], strategy="array"), "holds": QUERIES["holds"]}
        assert by_domain(Trace(queries).read(con, KEYS)) == {name: EXPECTED[name] for name in queries}
    assert any("from moves" in text and "json_each" in text for text in statements)
    assert not any("from holds" in text and "json_each" in text for text in statements)
    with pytest.raises(StatementError, match="strategy='array'"):
        replace(QUERIES["jobs"], strategy="array")


def test_a_failure_after_rows_of_a_scan_ends_the_trace_with_what_is_missing(path):
    faults = Faults(path, fail_at=5)
    reader = Trace({"jobs": QUERIES["jobs"]}).read(faults, KEYS, batch_size=2)
    with pytest.raises((ReadInterrupted, sqlite3.OperationalError)) as caught:
        by_domain(reader)
    assert any("rows were delivered before" in note for note in caught.value.__notes__)
    assert reader.manifests["jobs"].status == "failed"


def test_it_says_by_which_column_each_domain_is_ordered(path):
    with Trace(QUERIES).read(Faults(path), KEYS) as reader:
        assert by_domain(reader) == EXPECTED
    assert reader.key_columns == {"moves": "cid", "holds": "lot", "jobs": None}


@pytest.mark.parametrize("lazily", [False, True], ids=["a list", "an iterator"])
def test_keys_that_were_collected_before_serve_several_traces(path, lazily):
    keys = collect_keys(iter(KEYS) if lazily else KEYS)
    for _ in range(2):
        assert by_domain(Trace(QUERIES).read(Faults(path), keys)) == EXPECTED
    assert by_domain(Trace(QUERIES).read(Faults(path), keys.above("c18"), ["holds"])) == {
        "holds": Counter((reason, cid) for cid, reason in HOLDS if cid in KEYS and cid > "c18")
    }
    keys.close()


@pytest.mark.parametrize("domains_at_once", [1, 2])
def test_an_interruption_from_another_thread_ends_a_trace_that_blocks(path, domains_at_once):
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n) select 'c1' as cid, i from n where i < 0"
    trace = Trace({"slow": Query(f"select * from ({slow}) where cid in (:keys)", key="cid")})
    with trace.read(lambda: sqlite3.connect(path, check_same_thread=False), KEYS) as reader:
        timer = threading.Timer(0.2, reader.interrupt)
        timer.start()
        with pytest.raises(DatabaseTimeout, match="interrupted"):
            list(reader)
        timer.join()
