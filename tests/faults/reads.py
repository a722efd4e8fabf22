"""Scenarios: scans, keyed reads, traces, groups and lines, on every database that runs here."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from json import loads
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mesbatch import Query, Trace, group_by_key, iter_groups, read_sql_iter
from mesbatch.sink.ndjson import ndjson_groups
from mesbatch.trace.ndjson import trace_lines
from tests.faults.scenario import Scenario

KEYS = list(range(8))
ROWS = sorted(((n, n % 8, "x" * (20 + n % 5)) for n in range(32)), key=lambda row: (row[1], row[0]))
SCAN = "select n, k, v from t order by k, n"
KEYED = "select n, k, v from t where k in (:keys)"
APPLICATION = "mesbatch-faults"


class Place:
    """A database with the table ``t``; *con* is what reads are given, and *connections* counts those that are open."""

    con: Any
    refusals: tuple[type[BaseException], ...] = ()

    def connections(self) -> int:
        return 0


@contextmanager
def sqlite(folder: Path, _: Any) -> Iterator[Place]:
    path = folder / "t.db"
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (n int, k int, v text)")
        con.executemany("insert into t values (?, ?, ?)", ROWS)
    place = Place()
    place.con = lambda: sqlite3.connect(path, check_same_thread=False)
    yield place


@contextmanager
def postgres(_: Path, fixture: Callable[[str], Any]) -> Iterator[Place]:
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    url = fixture("postgres_url")
    schema = f"faults_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"create schema {schema}")
        admin.execute(f"create table {schema}.t (n int, k int, v text)")
        admin.cursor().executemany(f"insert into {schema}.t values (%s, %s, %s)", ROWS)

        class Postgres(Place):
            con = f"{url}?options=-csearch_path%3D{schema}&application_name={APPLICATION}"
            refusals = (psycopg.Error,)

            def connections(self) -> int:
                count = "select count(*) from pg_stat_activity where application_name = %s"
                return admin.execute(count, (APPLICATION,)).fetchone()[0]

        yield Postgres()
        admin.execute(f"drop schema {schema} cascade")


@contextmanager
def mariadb(_: Path, fixture: Callable[[str], Any]) -> Iterator[Place]:
    pymysql = pytest.importorskip("pymysql", reason="no driver of mariadb: pymysql is not installed")
    arguments = fixture("mariadb_server").arguments
    table = f"t_{uuid.uuid4().hex[:12]}"
    with closing(pymysql.connect(**arguments, autocommit=True)) as admin, admin.cursor() as cursor:
        database = f"faults_{table}"
        cursor.execute(f"create database {database}")
        cursor.execute(f"create table {database}.t (n int, k int, v text)")
        cursor.executemany(f"insert into {database}.t values (%s, %s, %s)", ROWS)

        class Mariadb(Place):
            refusals = (pymysql.Error,)

            def connections(self) -> int:
                cursor.execute("select count(*) from information_schema.processlist where db = %s", (database,))
                return cursor.fetchone()[0]

        place = Mariadb()
        place.con = lambda: pymysql.connect(**{**arguments, "database": database})
        yield place
        cursor.execute(f"drop database {database}")


class Reading(Scenario):
    """A read of the table ``t`` in the database that *at* opens."""

    at: ClassVar[Callable[..., Any]]
    truth: Any = ROWS

    @contextmanager
    def opened(self, folder: Path, fixture: Callable[[str], Any]) -> Iterator[None]:
        self.folder = folder
        with type(self).at(folder, fixture) as self.place:
            type(self).refusals = self.place.refusals
            self.open_before = self.place.connections()
            yield

    def begin(self, folder: Path) -> None:
        self.rows: list[Any] = []
        self.reader: Any = None

    def left(self) -> list[str]:
        more = self.place.connections() - self.open_before
        return [f"{more} connections"] if more > 0 else []

    def act(self) -> Any:
        self.rows = []
        with self.read() as self.reader:
            for batch in self.reader:
                self.rows += map(tuple, batch.rows)
        return sorted(self.rows, key=lambda row: (row[1], row[0]))

    def read(self) -> Any:
        raise NotImplementedError

    def check(self, came: Any, error: BaseException | None) -> None:
        super().check(came, error)
        rows = self.rows
        assert len(rows) == len(set(rows)), "a row came twice"
        assert set(rows) <= set(ROWS)
        assert [row[1] for row in rows] == sorted(row[1] for row in rows), "rows of one key are not together"
        if self.reader is not None:
            status = self.reader.manifest.status
            assert status == ("failed" if error else "complete"), f"the manifest says {status}"


class Scan(Reading):
    def read(self) -> Any:
        return read_sql_iter(SCAN, self.place.con, batch_size=7)

    def check(self, came: Any, error: BaseException | None) -> None:
        super().check(came, error)
        assert self.rows == ROWS[: len(self.rows)], "not the first rows"


class Keyed(Reading):
    strategy: ClassVar[str] = "auto"
    parallel: ClassVar[int] = 1

    def read(self) -> Any:
        return read_sql_iter(
            KEYED, self.place.con, keys=KEYS, strategy=self.strategy, parallel=self.parallel, batch_size=5
        )

    def check(self, came: Any, error: BaseException | None) -> None:
        super().check(came, error)
        if error is None:
            assert self.reader.manifest.keys_read == len(KEYS)


class Partial(Keyed):
    """A keyed read that may leave keys out, and names them."""

    def read(self) -> Any:
        return read_sql_iter(KEYED, self.place.con, keys=KEYS, strategy="in-list", batch_size=5, on_failure="partial")

    def check(self, came: Any, error: BaseException | None) -> None:
        rows = self.rows
        assert len(rows) == len(set(rows))
        if self.reader is None:
            return  # it ran, and was killed, in another process
        manifest = self.reader.manifest
        named = {key for gap in manifest.failed for key in KEYS if gap.first <= key <= gap.last}
        assert manifest.status == ("failed" if error else "partial" if named else "complete")
        if error is None:
            assert sorted(rows) == sorted(row for row in ROWS if row[1] not in named)
            assert manifest.keys_read == len(KEYS) - len(named)


class Traced(Reading):
    """Two queries over the same keys."""

    def act(self) -> Any:
        self.rows = []
        trace = Trace({"a": Query(KEYED), "b": Query(KEYED)})
        found: dict[str, list[Any]] = {"a": [], "b": []}
        with trace.read(self.place.con, KEYS, ["a", "b"], batch_size=5) as reader:
            for domain, batch in reader:
                found[domain] += map(tuple, batch.rows)
        return {domain: sorted(rows, key=lambda row: (row[1], row[0])) for domain, rows in found.items()}

    truth: ClassVar[Any] = {"a": ROWS, "b": ROWS}


class TraceLines(Reading):
    """The stream of a trace, as its clients read it."""

    truth: ClassVar[Any] = {"a": ROWS, "b": ROWS}

    def act(self) -> Any:
        trace = Trace({"a": Query(KEYED), "b": Query(KEYED)})
        found: dict[str, list[Any]] = {"a": [], "b": []}
        reader = trace.read(self.place.con, KEYS, ["a", "b"], batch_size=5)
        with trace_lines(reader, shape="arrays", batch_size=6) as lines:
            last: Any = None
            for line in map(loads, lines):
                last = line
                if line["type"] == "records":
                    found[line["domain"]] += map(tuple, line["rows"])
        for rows in found.values():
            assert len(rows) == len(set(rows)), "a row came twice"
        assert last["type"] in {"complete", "error"}
        if last["type"] == "error":
            raise OSError(last["message"])
        assert last["total_records"] == sum(map(len, found.values()))
        return {domain: sorted(rows, key=lambda row: (row[1], row[0])) for domain, rows in found.items()}


class Spilled(Reading):
    """Groups that do not fit in memory."""

    modes = (*Scenario.modes, "short")
    truth: ClassVar[Any] = {key: [row for row in ROWS if row[1] == key] for key in KEYS}

    def begin(self, folder: Path) -> None:
        super().begin(folder)
        self.spill = folder

    def act(self) -> Any:
        self.rows = []
        reader = read_sql_iter(SCAN.replace("k, n", "n"), self.place.con, batch_size=4)
        with reader, group_by_key(reader, "k", max_bytes=100, directory=self.spill) as groups:
            assert groups.spilled_nbytes
            return {key: sorted(rows) for key, rows in groups.items()}

    def left(self) -> list[str]:
        return [*super().left(), *(path.name for path in self.spill.iterdir())]


class Lines(Reading):
    """Groups as lines of bytes."""

    truth: ClassVar[Any] = [[n, k, v] for n, k, v in ROWS]

    def act(self) -> Any:
        self.rows = []
        with read_sql_iter(KEYED, self.place.con, keys=KEYS, strategy="in-list", batch_size=5) as reader:
            data = b"".join(ndjson_groups(iter_groups(reader, "k"), reader.description, shape="arrays"))
        return [row for line in data.splitlines()[1:] for row in sorted(loads(line)["rows"])]


def _named(base: type[Scenario], at: Callable[..., Any], name: str, **more: Any) -> type[Scenario]:
    return type(base.__name__, (base,), {"name": f"{name} on {at.__name__}", "at": staticmethod(at), **more})


SCENARIOS = [
    *(_named(Scan, at, "scan") for at in (sqlite, postgres, mariadb)),
    *(
        _named(Keyed, at, f"keys by {strategy}", strategy=strategy)
        for at, strategies in (
            (sqlite, ("in-list", "array", "temporary-table")),
            (postgres, ("in-list", "array", "look-up", "temporary-table")),
            (mariadb, ("in-list", "temporary-table")),
        )
        for strategy in strategies
    ),
    *(_named(Keyed, at, "keys by two readers", strategy="in-list", parallel=2) for at in (sqlite, postgres)),
    *(_named(Partial, at, "keys with gaps") for at in (sqlite, postgres)),
    *(_named(Traced, at, "trace") for at in (sqlite, postgres)),
    *(_named(TraceLines, at, "lines of a trace") for at in (sqlite, postgres)),
    *(_named(Spilled, at, "groups on disk") for at in (sqlite, postgres)),
    *(_named(Lines, at, "lines of groups") for at in (sqlite, mariadb)),
]
