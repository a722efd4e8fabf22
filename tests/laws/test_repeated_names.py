"""The name of the keys' column, at two places of a result: the rows, or an error of ours that says to rename one."""

from __future__ import annotations

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ColumnNameError

ROWS = [(2, "b", "x"), (1, "a", "y"), (1, "b", "w"), (3, "c", "z")]
STATEMENTS = {
    "twice": "select k, n, k from {} where k in (:keys) order by n",
    "twice, in no order": "select k, n, k from {} where k in (:keys)",
    "another column's": "select k, n, v as k from {} where k in (:keys)",
    "in other case": "select k, n, k as K from {} where k in (:keys)",
}


@pytest.mark.parametrize("key_type", ["text", "bigint"])
@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=STATEMENTS)
def test_rows_come_once_in_the_order_of_the_keys(database, sql, key_type):
    keys = {"text": ["c", "b", "a"], "bigint": [3, 2, 1]}[key_type]
    rows = [(n, keys["cba".index(k)], v) for n, k, v in ROWS]
    table = database.load(key_type, rows)
    for strategy in database.strategies:
        for con in (database.own, database.borrowed):
            reader = read_sql_iter(sql.format(table), con, keys=keys, strategy=strategy)
            try:
                with reader:
                    found = [row for batch in reader for row in batch.rows]
            except ColumnNameError:
                assert "MariadbDatabase" in type(database).__name__  # which has no derived table with such columns
                continue
            if "order by n" in sql:
                assert [row[:2] for row in found] == [
                    (k, n) for n, k, _ in sorted(rows, key=lambda row: (row[1], row[0]))
                ]
            assert sorted(found) == sorted(database.fetchall(sql.format(table).replace(":keys", "?, ?, ?"), keys))
            assert [row[0] for row in found] == sorted(row[0] for row in found)
