"""Laws of the built warehouse, on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from mesbatch.demo.queries import QUERIES
from mesbatch.demo.rows import container_ids, count_rows, make_rows
from mesbatch.demo.tables import LOT_HISTORY, LOT_MATERIALS
from mesbatch.demo.warehouse import build_warehouse, connect, is_whole, sqlite_url

CIDS = 300
COLUMNS = {
    "history": 15,
    "upstream_history": 8,
    "materials": 9,
    "rejects": 23,
    "downstream_rejects": 7,
    "holds": 14,
    "jobs": 14,
}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres_schema_url")
    return sqlite_url(tmp_path / "warehouse.sqlite")


def read(url: str, sql: str) -> list[tuple]:
    with closing(connect(url)) as con, closing(con.cursor()) as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_a_built_warehouse_is_whole_and_has_every_row(url):
    added = []
    build_warehouse(url, CIDS, added.append)

    assert is_whole(url, CIDS)
    assert not is_whole(url, CIDS + 1)
    assert sum(added) == sum(count_rows(CIDS).values())
    for table, rows in count_rows(CIDS).items():
        assert read(url, f"SELECT count(*) FROM {table.name}") == [(rows,)]


def test_the_rows_come_back_as_they_were_made(url):
    build_warehouse(url, CIDS)

    def plain(value):
        match value:
            case datetime():
                return value.isoformat()
            case Decimal():
                return float(value)
        return value

    for table in (LOT_HISTORY, LOT_MATERIALS):
        stored = [tuple(map(plain, row)) for row in read(url, f"SELECT * FROM {table.name}")]
        assert sorted(stored, key=repr) == sorted(make_rows(table, CIDS), key=repr)


def test_an_unfinished_warehouse_is_built_again(url):
    build_warehouse(url, CIDS)
    path = Path(url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path) if path.is_absolute() else connect(url)) as con:
        con.execute("DROP TABLE mesbatch_warehouse")
        con.execute("DELETE FROM mesbatch_lot_holds")
        con.commit()
    assert not is_whole(url, CIDS)

    build_warehouse(url, CIDS)

    assert is_whole(url, CIDS)
    assert read(url, "SELECT count(*) FROM mesbatch_lot_holds")[0][0] > 0


def test_a_build_that_is_interrupted_leaves_what_was_there(url, tmp_path):
    build_warehouse(url, 100)

    def interrupt(added: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_warehouse(url, CIDS, interrupt)

    assert is_whole(url, 100)
    assert {path.name for path in tmp_path.iterdir()} <= {"warehouse.sqlite"}


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 1_000])
def test_a_file_that_is_no_warehouse_is_not_taken_for_one(tmp_path, content):
    file = tmp_path / "warehouse.sqlite"
    file.write_bytes(content)

    assert not is_whole(sqlite_url(file), CIDS)
    build_warehouse(sqlite_url(file), CIDS)
    assert is_whole(sqlite_url(file), CIDS)


@pytest.mark.parametrize("domain", QUERIES)
def test_every_domain_has_the_columns_and_the_lots_of_the_incident(url, domain):
    build_warehouse(url, CIDS)
    keys = list(container_ids(CIDS))[:50]
    with closing(connect(url)) as con, closing(con.cursor()) as cursor:
        cursor.execute(QUERIES[domain].replace(":keys", ", ".join(f"'{key}'" for key in keys)))
        columns = [name.upper() for name, *_ in cursor.description]
        rows = cursor.fetchall()

    assert len(columns) == len(set(columns)) == COLUMNS[domain]
    assert rows
    if domain != "jobs":
        assert {row[0] for row in rows} <= set(keys)


def test_a_warehouse_without_lots_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1 lot, got 0"):
        build_warehouse(sqlite_url(tmp_path / "warehouse.sqlite"), 0)


def test_a_url_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="kind 'mysql'"):
        build_warehouse("mysql://host/database", CIDS)
