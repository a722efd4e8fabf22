"""An output that only shares the name of the key is not it: such a read is one statement, and is never resumed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from itertools import count

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ReadInterrupted
from tests.rig.faulty import Faults

KEYS = [f"L{n:02}" for n in range(40)]
ANOTHER_COLUMN = [
    "select nxt as lot, qty from history where lot in (:keys)",
    (
        "select coalesce(p.lot, h.lot) as lot, h.qty from history h left join parents p on p.id = h.id "
        "where h.lot in (:keys)"
    ),
    "select p.lot, h.qty from history h join parents p on p.id = h.id where h.lot in (:keys)",
    "select p.*, h.qty from history h join parents p on p.id = h.id where h.lot in (:keys)",
    "with w as (select nxt as lot, qty from history where lot in (:keys)) select lot, qty from w",
]
THE_COLUMN = [
    "select * from history where lot in (:keys)",
    "select qty, lot as l from history where lot in (:keys)",
    "select h.*, p.name from history h join parents p on p.id = h.id where h.lot in (:keys)",
    "with w as (select lot as l, qty from history where lot in (:keys)) select l, qty from w where qty >= 0",
]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    with closing(sqlite3.connect(tmp_path / "h.db")) as con, con:
        con.execute("create table history (lot text, nxt text, id int, qty int)")
        con.execute("create table parents (id int, lot text, name text)")
        con.executemany(
            "insert into history values (?, ?, ?, ?)",
            [(KEYS[n % 40], KEYS[(n % 40) - (n % 40) % 2], n % 7, n) for n in range(200)],
        )
        con.executemany("insert into parents values (?, ?, 'p')", [(n, KEYS[5 * n]) for n in range(7)])
    return tmp_path / "h.db"


def truth(path, sql):
    with closing(sqlite3.connect(path)) as con:
        marks = ", ".join("?" * len(KEYS))
        return Counter(con.execute(sql.replace("(:keys)", f"({marks})"), KEYS).fetchall())


@pytest.mark.parametrize("sql", ANOTHER_COLUMN)
def test_rows_of_another_column_are_never_gone_on_with_after_a_cut(path, sql):
    expected = truth(path, sql)
    for n in count(1):
        faults = Faults(path, fail_at=n)
        reader = read_sql_iter(sql, faults, keys=KEYS, batch_size=20)
        try:
            rows = Counter(row for batch in reader for row in batch.rows)
        except ReadInterrupted:
            assert reader.manifest.status == "failed"
        else:
            assert rows == expected
        assert reader.key_column is None
        assert "name it with key=" in reader.manifest.one_statement
        if not faults.failures:
            return


@pytest.mark.parametrize("sql", THE_COLUMN)
def test_rows_of_the_filters_own_column_are_read_in_parts_and_gone_on_with(path, sql):
    expected = truth(path, sql)
    for n in count(1):
        faults = Faults(path, fail_at=n)
        with read_sql_iter(sql, faults, keys=KEYS, batch_size=20) as reader:
            assert Counter(row for batch in reader for row in batch.rows) == expected
        assert reader.manifest.one_statement is None
        if not faults.failures:
            return
