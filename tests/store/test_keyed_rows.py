"""Rows of finished domains by key: the same as all rows, filtered; and no chunk that cannot hold a key is read."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections import Counter
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesbatch import Query, Trace
from mesbatch.errors import ChunkLost, CorruptChunk, InvalidKey, InvalidPage, JobNotComplete, NotIndexed
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore, ResultReader, ResultWriter, new_job_id
from mesbatch.store.account import KeyColumn

# Keys by the type of their column; all but the last but one are asked for.
KEYS = {
    "char(8)": ["a", "a\t", "a\tb", "a b", "b", "zz"],
    "varchar(8)": ["a", "a ", "a\t", "a\t ", "b"],
    "date": [date(2026, 1, day) for day in range(1, 6)],
    "timestamp": [datetime(2026, 1, 1, 8, minute, second=1, microsecond=5) for minute in range(5)],
    "timestamptz": [datetime(2026, 1, 1, 8, n, tzinfo=timezone(timedelta(hours=n))) for n in range(5)],
    "numeric": [Decimal("1.50"), Decimal(2), Decimal("2.0000001"), Decimal("1E+3"), Decimal(10**30)],
    "numeric(9,3)": [Decimal("1.500"), Decimal(2), Decimal("2.125"), Decimal(1000), Decimal(1001)],
    "numeric(9)": [1, 2, 3, 10, 20],
    "bigint": [-(2**63), -1, 0, 7, 2**63 - 1],
    "float8": [-1.5, 0.1, 1.0, 1e16, 1e300],
    "uuid": [uuid.UUID(int=n << 64) for n in range(1, 6)],
    "bytea": [b"a", b"a\t", b"a b", b"b", b"\xff"],
}


MEMORY = Path("/dev/shm")  # where small files are written and synced in no time


class Waiting(LocalJobs):
    """Jobs that are accepted, and not run."""

    def start(self):
        pass


def finished(store, con, keys, sql="select * from t where k in (:keys)", **more):
    """Run a job over *con* in this process, and return the reader of its result."""
    trace = Trace({"d": Query(sql, **more.pop("query", {}))})

    def read(work):
        return trace.read(con, work.keys, work.domains, batch_size=2, on_failure=work.on_failure)

    with Waiting({"read": read}, store, app="nowhere:jobs") as jobs:
        spec = JobSpec(**{"function": "read", "domains": ("d",), "batch_size": 2, **more})
        job_id = jobs.submit(spec, keys).job_id
    for one in [*filter(None, store.facts(job_id).get("children", "").split(",")), job_id]:
        assert run_job(store, one, {"read": read}, "worker") == "finished", store.facts(one)["error"]
    return ResultReader(store, job_id)


def stored(reader):
    return [tuple(row.values()) for row in json.loads(b"".join(reader.page("d").data))]


@pytest.fixture
def directory(tmp_path):
    return DirectoryStore(tmp_path / "store", lease_seconds=60)


@pytest.mark.parametrize("datetime_separator", ["T", " "])
@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type_are_found_as_they_were_asked_for(
    postgres, postgres_schema_url, directory, kind, datetime_separator
):
    keys = KEYS[kind]
    asked = [*keys[:-2], keys[-1]]
    postgres.execute(f"create table t (k {kind}, n int, q numeric(9,3), f float8)")
    for number, key in enumerate(keys * 3):
        postgres.execute("insert into t values (%s, %s, %s, %s)", [key, number, Decimal(number) / 8, number / 10])
    postgres.commit()
    found = finished(directory, postgres_schema_url, asked, datetime_separator=datetime_separator)
    for some in (asked, asked[::-1], asked[:1], asked[-1:], [*asked[1:], keys[-2]], iter(asked[:1])):
        some = list(some)
        rows = list(found.rows("d", some))
        expected = [
            (key, n, Decimal(n) / 8, n / 10)
            for place, key in enumerate(keys) for n in range(place, 3 * len(keys), len(keys))
            if key in some and key in asked
        ]  # fmt: skip
        assert Counter((key, *row[1:]) for key, row in rows) == Counter(expected)
        assert {type(key) for key, _ in rows} <= {type(keys[0])}
        assert [key for key, _ in rows] == sorted(key for key, _ in rows)
        assert all(type(q) is Decimal and type(f) is float for _, (_, _, q, f) in rows)
    assert found.rows("d", []).columns == ("k", "n", "q", "f")
    if "numeric" not in kind and kind != "float8":
        assert [row[:2] for _, row in found.rows("d", asked)] == [row[:2] for row in stored(found)]


@pytest.mark.parametrize("shape", ["objects", "arrays"])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_rows_by_key_are_all_rows_filtered(shape, data):
    letters = st.text(alphabet="abc é", min_size=1, max_size=3).filter(str.strip)
    held = data.draw(st.dictionaries(letters, st.integers(1, 9), min_size=1, max_size=12))
    wanted = data.draw(st.lists(st.sampled_from(sorted(held)) | letters, max_size=8))
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = str(Path(folder, "t.db"))
        with closing(sqlite3.connect(path)) as con, con:
            con.execute('create table t (k text, n int, "odd""name" text)')
            pairs = [(key, n) for key, many in held.items() for n in range(many)]
            con.executemany("insert into t values (?, ?, 'x')", pairs)
        found = finished(DirectoryStore(Path(folder, "store")), f"sqlite:///{path}", list(held), shape=shape)
        pairs = list(found.rows("d", wanted))
        assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
        assert Counter(row for _, row in pairs) == Counter(
            (key, n, "x") for key in set(wanted) & set(held) for n in range(held[key])
        )
        assert all(key == row[0] for key, row in pairs)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_a_key_that_was_cut_in_a_shard_is_found_whole(directory, tmp_path, batch_size):
    path = str(tmp_path / "t.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k int, n int)")
        con.executemany("insert into t values (?, ?)", [(n % 4, n) for n in range(20)])
    found = finished(directory, f"sqlite:///{path}", [0, 1, 2, 3], shards=2, batch_size=batch_size)
    for keys in ([0], [1], [3, 2], [0, 1, 2, 3]):
        assert [row for _, row in found.rows("d", keys)] == [row for row in stored(found) if row[0] in keys]


class Counted:
    """The numbers of the chunks that were read."""

    def __init__(self, store, monkeypatch):
        self.read = []
        chunk = type(store).chunk

        def counted(store, job_id, wanted):
            self.read.append(wanted.number)
            return chunk(store, job_id, wanted)

        monkeypatch.setattr(type(store), "chunk", counted)

    def of(self, rows):
        self.read.clear()
        found = list(rows)
        return [key for key, _ in found], list(self.read)


@pytest.fixture
def ten(store):
    """A result of ten chunks of ten keys each, and k35 in three chunks of its own: k00 to k99, every second."""
    job_id = new_job_id()
    store.create(job_id, {"status": "started"})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    writer.start("d", [{"name": "k"}, {"name": "n"}], key=KeyColumn(0, "str"))

    def publish(keys, *, ends_key=True):
        rows = [{"k": key, "n": number} for number, key in enumerate(keys)]
        data = json.dumps(rows, separators=(",", ":")).encode()
        writer.publish("d", data, len(rows), keys[-1], ends_key=ends_key)

    for first in range(0, 100, 10):
        publish([f"k{n:02d}" for n in range(first, first + 10, 2)], ends_key=first != 40)
        if first == 40:
            publish(["k48", "k48"], ends_key=False)
            publish(["k48"])
    writer.end("d")
    writer.start("none", [{"name": "k"}])
    writer.end("none")
    writer.finish()
    store.change(job_id, {"status": "finished"})
    return job_id


@pytest.mark.parametrize(
    ("keys", "found", "chunks"),
    [
        (["k00"], ["k00"], [0]),
        (["k08"], ["k08"], [0, 1]),  # the last of its chunk, and the next may have more of it
        (["k10"], ["k10"], [1]),
        (["k98"], ["k98"], [11]),
        (["a"], [], [0]),  # nothing tells that it lies before the first
        (["k05"], [], [0]),
        (["k99", "z"], [], []),
        (["k48"], ["k48"] * 4, [4, 5, 6, 7]),
        (["k48", "k50"], ["k48"] * 4 + ["k50"], [4, 5, 6, 7]),
        (["k90", "k02", "k04", "k90"], ["k02", "k04", "k90"], [0, 11]),
        ([], [], []),
    ],
)
def test_only_chunks_that_can_hold_a_key_are_read_and_each_once(store, ten, monkeypatch, keys, found, chunks):
    counted = Counted(store, monkeypatch)
    assert counted.of(ResultReader(store, ten).rows("d", keys)) == (found, chunks)


def test_all_keys_are_one_pass(store, ten, monkeypatch):
    counted, reader = Counted(store, monkeypatch), ResultReader(store, ten)
    keys = [f"k{n:02d}" for n in range(100)]
    found = [f"k{n:02d}" for n in range(0, 100, 2) for _ in range(4 if n == 48 else 1)]
    assert counted.of(reader.rows("d", keys)) == (found, list(range(12)))
    assert list(reader.rows("none", keys)) == []


def test_a_chunk_that_is_damaged_or_gone_is_an_error(rig, ten):
    store = rig.open()
    reader = ResultReader(store, ten)
    chunk = reader.manifest.chunks[3]
    data = store.chunk(ten, chunk)
    rig.put_chunk(ten, chunk, data.replace(b"k30", b"k31"))
    assert [key for key, _ in reader.rows("d", ["k20", "k98"])] == ["k20", "k98"]
    with pytest.raises(CorruptChunk, match="chunk 3 of 'd'"):
        list(reader.rows("d", ["k20", "k30"]))
    rig.put_chunk(ten, chunk, None)
    with pytest.raises(ChunkLost, match="chunk 3 of 'd'"):
        list(reader.rows("d", ["k30"]))


def test_keys_of_another_type_are_refused(store, ten):
    reader = ResultReader(store, ten)
    for keys in ([1], [date(2026, 1, 1)], [b"k00"]):
        with pytest.raises(InvalidKey, match=r"the keys of 'd' are of type str, got (int|date|bytes)"):
            reader.rows("d", keys)
    for keys in ([None], ["k00", 1], "k00"):
        with pytest.raises(InvalidKey):
            reader.rows("d", keys)


def test_a_datetime_is_not_taken_for_a_date(directory, tmp_path):
    path = str(tmp_path / "t.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k int)")
        con.execute("insert into t values (7)")
    found = finished(directory, f"sqlite:///{path}", [7, 8])
    assert list(found.rows("d", [7, 8])) == [(7, (7,))]
    with pytest.raises(InvalidKey, match="are of type int, got datetime"):
        found.rows("d", [datetime(2026, 1, 1)])


def test_rows_in_no_order_of_keys_are_refused(directory, tmp_path):
    path = str(tmp_path / "t.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k text, ci text collate nocase, ks text)")
        con.executemany("insert into t values (?, ?, ?)", [("a", "a", "a,b"), ("b", "b", "b")])
    url = f"sqlite:///{path}"
    cases = {
        "it was read with order='any'": {"order": "any"},
        "one statement read all keys: .*otherwise than by code point": {"sql": "select ci from t where ci in (:keys)"},
        "one statement read all keys: ": {"sql": "select upper(k) as k from t where k in (:keys)"},
        "its rows do not tell their key": {"sql": "select * from t", "query": {"key": "ks", "separator": ","}},
    }
    for reason, more in cases.items():
        reader = finished(directory, url, ["a", "b"], **more)
        with pytest.raises(NotIndexed, match=f"the rows of 'd' cannot be looked up by key: {reason}"):
            reader.rows("d", ["a"])
        assert stored(reader)
    with pytest.raises(InvalidPage, match="there is no domain 'x'"):
        reader.rows("x", ["a"])


def test_a_partial_domain_is_refused(directory, tmp_path, monkeypatch):
    path = str(tmp_path / "t.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k text)")
        con.executemany("insert into t values (?)", [("a",), ("b",)])

    def connect():
        con = sqlite3.connect(path, check_same_thread=False)
        con.create_function("fine", 1, lambda key: 1 // (key != "b"))
        return con

    monkeypatch.setattr("mesbatch.jobs.ranges.FIRST_RANGE", 1)
    sql = "select * from t where k in (:keys) and fine(k)"
    reader = finished(directory, connect, ["a", "b"], sql, on_failure="partial", order="any")
    assert [missing.count for missing in reader.manifest.missing_keys] == [1]
    with pytest.raises(NotIndexed, match="it is partial, and nobody could tell a key without rows from one that is"):
        reader.rows("d", ["a"])
    reader = finished(directory, connect, ["b"], sql, on_failure="partial")
    with pytest.raises(NotIndexed, match="'d' cannot be looked up by key: nothing of it could be read"):
        reader.rows("d", ["b"])


def test_a_result_that_is_not_whole_is_refused(store):
    job_id = new_job_id()
    store.create(job_id, {"status": "started"})
    with pytest.raises(JobNotComplete):
        ResultReader(store, job_id).rows("d", ["a"])


def test_numbers_keep_their_digits(store):
    job_id = new_job_id()
    store.create(job_id, {"status": "started"})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    columns = [{"name": "k"}, {"name": "q", "type": "number", "decimals": "number"}, {"name": "f", "type": "float"}]
    writer.start("d", columns, key=KeyColumn(0, "int"))
    data = b'[{"k":1,"q":1234567890123456789012.345678901,"f":0.1},{"k":2,"q":null,"f":null}]'
    writer.publish("d", data, 2, 2)
    writer.end("d")
    writer.finish()
    assert list(ResultReader(store, job_id).rows("d", [1, 2])) == [
        (1, (1, Decimal("1234567890123456789012.345678901"), 0.1)),
        (2, (2, None, None)),
    ]


@pytest.mark.parametrize("rig", ["directory"], indirect=True)
@pytest.mark.limit_memory("7 MB")
def test_any_number_of_chunks_is_looked_through_in_flat_memory(store):
    job_id = new_job_id()
    store.create(job_id, {"status": "started"})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    writer.start("d", [{"name": "k"}, {"name": "t"}], key=KeyColumn(0, "int"))
    for first in range(0, 40_000, 500):
        rows = b",".join(b'{"k":%d,"t":"%b"}' % (n, b"x" * 1_000) for n in range(first, first + 500))
        writer.publish("d", b"[" + rows + b"]", 500, first + 499)
    writer.end("d")
    writer.finish()
    assert sum(1 for _ in ResultReader(store, job_id).rows("d", range(40_000))) == 40_000  # of 39 MiB
