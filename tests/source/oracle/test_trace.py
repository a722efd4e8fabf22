"""The whole trace through the real driver: seven domains, and every row as SQLite gives it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime

import pytest

from mesbatch import Trace
from mesbatch.demo.queries import QUERIES
from mesbatch.demo.rows import container_ids, make_rows
from mesbatch.demo.tables import TABLES
from tests.oracle.trace import as_sqlite_gives_it, oracle_queries

LOTS = 400
KEYS = list(container_ids(LOTS))[::2]


@pytest.fixture(scope="module")
def warehouse(oracle):
    """The tables in Oracle, and SQLite's rows of the same tables by domain."""
    with closing(sqlite3.connect(":memory:")) as con:
        for table in TABLES:
            rows = list(make_rows(table, LOTS))
            con.execute(table.create_sql.replace("numeric(12,3)", "real"))
            con.executemany(f"insert into {table.name} values ({', '.join('?' * len(table.columns))})", rows)
            moments = [i for i, column in enumerate(table.columns) if column.endswith(" timestamp")]
            timed = [tuple(_moment(v) if i in moments else v for i, v in enumerate(row)) for row in rows]
            oracle.make_table(table.name, ", ".join(table.columns), timed)
        marks = ", ".join(f"'{key}'" for key in KEYS)
        yield {domain: Counter(con.execute(sql.replace(":keys", marks))) for domain, sql in QUERIES.items()}


def _moment(text):
    return datetime.fromisoformat(text) if text else None


@pytest.mark.parametrize("options", [{}, {"parallel": 2, "domains_at_once": 2}], ids=["in turn", "at once"])
def test_the_trace_is_row_for_row_that_of_sqlite(warehouse, oracle_pool, options):
    found = {domain: Counter() for domain in warehouse}
    with Trace(oracle_queries()).read(oracle_pool, KEYS, **options) as trace:
        for domain, batch in trace:
            found[domain].update(map(as_sqlite_gives_it, batch.rows))
    asked = set(KEYS)
    expected = warehouse | {
        "jobs": Counter({row: n for row, n in warehouse["jobs"].items() if asked & set((row[12] or "").split(","))})
    }
    for domain, rows in expected.items():
        assert found[domain] == rows, domain
    assert sum(found["history"].values()) > 1_000
