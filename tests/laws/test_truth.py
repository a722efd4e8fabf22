"""Any statement, keys, collation, strategy, order, and a cut at any fetch: one plain statement's rows, or an error."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from mesbatch import read_sql_iter
from mesbatch.errors import MesbatchError
from mesbatch.keys.strategy import Array, InList, LookUp
from mesbatch.sql.query import find_keys
from tests.rig.databases import STRATEGIES
from tests.rig.faulty import Faults
from tests.sql.statements import KEYS, TABLES, sound_selects, statements, tables

pytestmark = pytest.mark.slow

TEXTS = [*KEYS, "A", "B", "a "]
SPELLINGS = ["a", "A", "b", "B", "c", "a ", "only in c", None]
reads = st.fixed_dictionaries(
    {
        "keys": st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2)
        | st.lists(st.sampled_from(TEXTS), min_size=3, max_size=8, unique=True),
        "strategy": st.sampled_from(STRATEGIES),
        "order": st.sampled_from(["key", "any"]),
        "parallel": st.integers(1, 2),
        "batch_size": st.integers(1, 3),
    }
)


class Sqlite:
    """A file that is read through connections which fail when they are told to."""

    errors = (sqlite3.Error, ValueError)

    def __init__(self, path, collation):
        self.path = path
        self.admin = without_automatic_indexes(sqlite3.connect(path))
        for name, columns in TABLES.items():
            text = ", ".join(column.replace(" text", f" text {collation}") for column in columns)
            self.admin.execute(f"create table {name} ({text})")

    def fill(self, rows):
        with self.admin:
            for name, columns in TABLES.items():
                self.admin.execute(f"delete from {name}")
                self.admin.executemany(f"insert into {name} values ({', '.join('?' * len(columns))})", rows[name])

    def fetchall(self, sql, keys):
        return self.admin.execute(sql.format(", ".join("?" * len(keys))), keys).fetchall()

    def connecting(self, monkeypatch, fail_at):
        connect = Faults(self.path, fail_at=fail_at)
        return lambda: without_automatic_indexes(connect())

    def close(self):
        self.admin.close()


def without_automatic_indexes(con):
    """SQLite 3.40 finds no 'a ' by 'a' in an index that it makes by itself, though RTRIM says that they are equal."""
    con.execute("pragma automatic_index = off")
    return con


def failing_at(monkeypatch, rows_of, fail_at, end):
    """Call *end* with the rows before their *fail_at*-th fetch, over all that are of the class *rows_of*."""
    fetch, left = rows_of.fetch, [fail_at]

    def failing(rows, size):
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                end(rows)
        return fetch(rows, size)

    monkeypatch.setattr(rows_of, "fetch", failing)


class Postgres:
    """A schema of a server; the connection of a read is ended by the server before the fetch that is to fail."""

    def __init__(self, url, collation):
        import psycopg

        self.errors = (psycopg.Error, ValueError)
        self.url, self.admin = url, psycopg.connect(url, autocommit=True)
        if collation:
            self.admin.execute(
                "create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
            )
        for name, columns in TABLES.items():
            text = ", ".join(column.replace(" text", f" text {collation}") for column in columns)
            self.admin.execute(f"create table {name} ({text})")

    def fill(self, rows):
        with self.admin.cursor() as cursor:
            for name, columns in TABLES.items():
                cursor.execute(f"delete from {name}")
                cursor.executemany(f"insert into {name} values ({', '.join(['%s'] * len(columns))})", rows[name])

    def fetchall(self, sql, keys):
        return self.admin.execute(sql.format(", ".join(["%s"] * len(keys))), keys).fetchall()

    def connecting(self, monkeypatch, fail_at):
        from mesbatch.source.postgres.stream import StreamedRows

        def end(rows):
            self.admin.execute("select pg_terminate_backend(%s)", [rows.cursor.connection.info.backend_pid])

        failing_at(monkeypatch, StreamedRows, fail_at, end)
        return self.url

    def close(self):
        self.admin.close()


class Mariadb:
    """A database of a server; the connection of a read is ended by the server before the fetch that is to fail."""

    def __init__(self, server, collation):
        import pymysql

        self.errors = (pymysql.Error, ValueError)
        self.url, self.admin = server.url, pymysql.connect(**server.arguments, autocommit=True)
        for name, columns in TABLES.items():
            self._run(f"drop table if exists {name}")
            text = ", ".join(f"`{column.replace(' ', '` ')}" for column in columns)
            text = text.replace(" text", f" varchar(40) character set utf8mb4 collate {collation}")
            self._run(f"create table {name} ({text})")

    def _run(self, sql, values=None):
        with self.admin.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def fill(self, rows):
        for name, columns in TABLES.items():
            self._run(f"delete from {name}")
            for row in rows[name]:
                self._run(f"insert into {name} values ({', '.join(['%s'] * len(columns))})", row)

    def fetchall(self, sql, keys):
        return self._run(sql.format(", ".join(["%s"] * len(keys))), keys)

    def connecting(self, monkeypatch, fail_at):
        from mesbatch.source.mysql.rows import UnbufferedRows

        def end(rows):
            others = "select id from information_schema.processlist where id <> connection_id() and db is not null"
            for (number,) in self._run(others):
                self._run(f"kill connection {number}")

        failing_at(monkeypatch, UnbufferedRows, fail_at, end)
        return self.url

    def close(self):
        for name in TABLES:
            self._run(f"drop table {name}")
        self.admin.close()


class Oracle:
    """The stand-in, by the real driver; it cuts all connections before the fetch that is to fail."""

    def __init__(self, server):
        import oracledb

        self.errors = (oracledb.Error, ValueError)
        self.server, self._oracledb = server, oracledb
        for name, columns in TABLES.items():
            text = ", ".join(columns).replace(" text", " varchar2(40)").replace(" integer", " number(10)")
            self._run(f"create table {name} ({text})")

    def connect(self):
        return self._oracledb.connect(**self.server.credentials)

    def _run(self, sql, *rows):
        """Run *sql* for each of *rows*, on a connection of its own: what is no statement here may end the session."""
        with self.connect() as con, con.cursor() as cursor:
            for row in rows or ((),):
                cursor.execute(sql, row)
            found = cursor.fetchall() if cursor.description else []
            con.commit()
            return found

    def fill(self, rows):
        for name, columns in TABLES.items():
            self._run(f"delete from {name}")
            if rows[name]:
                binds = ", ".join(f":{number}" for number in range(1, len(columns) + 1))
                self._run(f"insert into {name} values ({binds})", *rows[name])

    def fetchall(self, sql, keys):
        return self._run(sql.format(", ".join(f":{number}" for number in range(1, len(keys) + 1))), keys)

    def connecting(self, monkeypatch, fail_at):
        from mesbatch.source.oracle.rows import OracleRows

        failing_at(monkeypatch, OracleRows, fail_at, lambda rows: self.server.drop_sessions())
        return self.connect

    def close(self):
        pass


@pytest.fixture(params=["sqlite", "sqlite nocase", "sqlite rtrim", "postgres", "postgres ci",
                        "mariadb utf8mb4_nopad_bin", "mariadb utf8mb4_general_ci", "oracle"])  # fmt: skip
def place(request, tmp_path_factory):
    kind, _, collation = request.param.partition(" ")
    if kind == "postgres":
        opened = Postgres(request.getfixturevalue("postgres_schema_url"), collation and f'collate "{collation}"')
    elif kind == "mariadb":
        pytest.importorskip("pymysql", reason="no driver of mariadb: pymysql is not installed")
        opened = Mariadb(request.getfixturevalue("mariadb_server"), collation)
    elif kind == "oracle":
        opened = Oracle(request.getfixturevalue("oracle_stand_in"))
    else:
        path = tmp_path_factory.mktemp("truth") / "truth.db"
        opened = Sqlite(path, collation and f"collate {collation}")
    with closing(opened):
        yield opened


def check(place, sql, rows, read, fail_at):
    """What comes as complete is the plain statement's answer; anything else is an error."""
    where = find_keys(sql)
    plain = f"{where.before.replace('{', '{{')}({{}}){where.after}"
    place.fill(rows)
    try:
        expected = place.fetchall(plain, list(dict.fromkeys(read["keys"])))
    except place.errors:  # put together to something that is no statement here
        assume(False)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
        monkeypatch.setattr("mesbatch.keys.strategy.LIST_SHAPES", (1, 2))
        monkeypatch.setattr("mesbatch.read.stream.LIST_SHAPES", (1, 2))
        monkeypatch.setattr("mesbatch.read.stream.FIRST_KEYS_PER_PART", 2)
        for strategy in (InList, Array, LookUp):  # so that few keys are read in parts
            monkeypatch.setattr(strategy.__init__, "__defaults__", (2,))
        reader = read_sql_iter(sql, place.connecting(monkeypatch, fail_at), **read)
        try:
            with reader:
                found = [row for batch in reader for row in batch.rows]
        except (MesbatchError, *place.errors) as error:
            event(f"refused or failed: {type(error).__name__}")
            assert reader.manifest.status == "failed"
            return
    assert reader.manifest.complete
    if limits_an_open_order(sql):  # which rows come is left to the database
        assert len(found) == len(expected)
    elif leaves_a_spelling_open(sql):  # which of equal values stands for them is left to the database
        assert Counter(map(folded, found)) == Counter(map(folded, expected))
    else:
        assert Counter(found) == Counter(expected)
    event(f"complete, {reader.manifest.parts_planned} parts")


def limits_an_open_order(sql):
    return " limit " in sql or "row_number" in sql


def leaves_a_spelling_open(sql):
    return any(word in sql for word in ("group by", "distinct", "union", "max(", "intersect", "except"))


def folded(row):
    return tuple(value.casefold().rstrip() if isinstance(value, str) else value for value in row)


def no_limit_inside(sql):
    return not (limits_an_open_order(sql) and ("group by" in sql or "select * from" in sql))


parameters = {
    "sql": statements().filter(no_limit_inside) | sound_selects(), "rows": tables(SPELLINGS), "read": reads,
    "fail_at": st.none() | st.integers(1, 12),
}  # fmt: skip
quiet = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow]


@pytest.mark.timeout(400)
@settings(max_examples=50, suppress_health_check=quiet)
@given(**parameters)
def test_a_read_gives_one_statements_rows_or_an_error(place, sql, rows, read, fail_at):
    check(place, sql, rows, read, fail_at)


@pytest.mark.long
@pytest.mark.timeout(7_200)
@settings(max_examples=2_000, suppress_health_check=quiet)
@given(**parameters)
def test_ten_thousand_reads_give_one_statements_rows_or_an_error(place, sql, rows, read, fail_at):
    check(place, sql, rows, read, fail_at)
