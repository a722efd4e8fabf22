"""A statement of the caller between two of our fetches: our rows go on, or an error is raised; its rows never come."""

from __future__ import annotations

import warnings
from contextlib import suppress

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ReadInterrupted

pytestmark = pytest.mark.slow

ROWS = [(n, f"k{n:04}", "ours") for n in range(1_000)]
OTHERS = {
    "rows of the same shape": "select n, k, 'theirs' as v from {table} where n < 700",
    "no rows": "select n, k, v from {table} where n < 0",
    "one value": "select 7",
}


@pytest.mark.parametrize("keyed", [False, True], ids=["plain", "keyed"])
@pytest.mark.parametrize("fetched", [0, 1, None], ids=["unfetched", "begun", "fetched"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_statement_on_the_connection_never_gives_its_rows_for_ours(database, other, fetched, keyed):
    table = database.load("text", ROWS)
    sql, keys = (f"select * from {table} where k in (:keys)", [k for _, k, _ in ROWS]) if keyed else (
        f"select * from {table} order by n", None)  # fmt: skip
    reader = read_sql_iter(sql, database.borrowed, keys=keys, batch_size=100)
    rows = list(next(reader).rows)
    cursor = _execute(database.borrowed, other.format(table=table))
    if fetched is None:
        cursor.fetchall()
    elif fetched:
        cursor.fetchone()
    with suppress(ReadInterrupted), reader:
        rows += [row for batch in reader for row in batch.rows]
    assert rows == ROWS[: len(rows)]
    assert reader.manifest.status == ("complete" if len(rows) == len(ROWS) else "failed")


def _execute(connection, sql):
    """Execute as the caller would: by a cursor where it shares the connection's transaction, else by the connection."""
    if type(connection).__name__ == "DuckDBPyConnection":
        return connection.execute(sql)
    cursor = connection.cursor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pymysql's: it takes the rest of our result away
        cursor.execute(sql)
    return cursor
