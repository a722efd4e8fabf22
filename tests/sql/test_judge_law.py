"""Any statement: an output that is proved to be the key is the key, and parts that are allowed give the whole."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from mesbatch.sql.judge import judge
from mesbatch.sql.query import find_keys
from tests.sql.statements import KEYS, TABLES, statements, tables

apsw = pytest.importorskip("apsw")
query_info = pytest.importorskip("apsw.ext").query_info

pytestmark = pytest.mark.slow


class Database:
    """SQLite with the rows of an example, and a description of results as the reader gets it."""

    def __init__(self, connection, collation=""):
        self._connection = connection
        for name, columns in TABLES.items():
            text = ", ".join(column.replace(" text", f" text {collation}") for column in columns)
            connection.cursor().execute(f"create table {name} ({text})")

    def fill(self, rows):
        for name, columns in TABLES.items():
            cursor = self._connection.cursor()
            cursor.execute(f"delete from {name}")
            cursor.executemany(f"insert into {name} values ({', '.join('?' * len(columns))})", rows[name])

    def describe(self, sql):
        """The names as the statement gives them, and as a derived table does, where SQLite renames repeated ones."""
        text = sql.replace(":keys", "null")
        return {self._names(text), self._names(f"select * from ({text}) limit 0")}

    def read(self, sql, keys):
        place = find_keys(sql)
        text = f"{place.before}({', '.join('?' * len(keys))}){place.after}"
        return self._connection.cursor().execute(text, keys).fetchall()

    def _names(self, text):
        if isinstance(self._connection, apsw.Connection):
            description = query_info(self._connection, text).description
        else:
            description = self._connection.execute(text).description
        return tuple(column[0] for column in description)


@pytest.fixture(scope="module", params=["sqlite3", "apsw"])
def database(request):
    with closing(_connect(request.param)) as con:
        yield Database(con)


def _connect(module):
    return sqlite3.connect(":memory:") if module == "sqlite3" else apsw.Connection(":memory:")


def _check(database, sql, rows, parts):
    database.fill(rows)
    keys = [key for part in parts for key in part]
    try:
        names = database.describe(sql)
        whole = database.read(sql, keys)
    except (sqlite3.OperationalError, apsw.SQLError):  # put together to something that is no statement
        assume(False)
    for columns in [*names, None]:
        judgement = judge(sql, columns)
        assert (judgement.unproved is None) == bool(judgement.key_outputs)
        for position in judgement.key_outputs:
            assert {row[position] for row in whole} <= set(keys)
            for key in keys:
                assert {row[position] for row in database.read(sql, [key])} <= {key}
        if judgement.refusal is None:
            for cut in (parts, [[key] for key in keys]):
                assert sum((Counter(database.read(sql, part)) for part in cut), Counter()) == Counter(whole)
        event(f"key proved: {bool(judgement.key_outputs)}, may be cut: {judgement.refusal is None}")


parts_of_keys = st.permutations(KEYS).map(lambda keys: [keys[:2], keys[2:3], keys[3:]])


@settings(max_examples=500)
@given(sql=statements(), rows=tables(), parts=parts_of_keys)
def test_an_output_proved_to_be_the_key_is_it_and_parts_give_the_whole(database, sql, rows, parts):
    _check(database, sql, rows, parts)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@settings(max_examples=10_000)
@given(sql=statements(), rows=tables(), parts=parts_of_keys)
def test_ten_thousand_statements_are_judged_right(database, sql, rows, parts):
    _check(database, sql, rows, parts)


# -- spelled differently in each table, and equal to the database ------------------------------------

SPELLINGS = ["a", "A", "b", "B", "only in c", None]


@pytest.fixture(scope="module", params=["sqlite3", "apsw"])
def caseless(request):
    with closing(_connect(request.param)) as con:
        yield Database(con, "collate nocase")


def _check_value(database, sql, rows):
    """The output ``witness`` is the filter's column: one that is proved to be it has the same spelling."""
    database.fill(rows)
    try:
        names = database.describe(sql)
        found = database.read(sql, KEYS)
    except (sqlite3.OperationalError, apsw.SQLError):
        assume(False)
    for columns in names:
        if "witness" not in columns:  # the outermost SELECT leaves it out
            continue
        for position in judge(sql, columns).key_outputs:
            event("compared with the witness")
            witness = columns.index("witness")
            assert [row[position] for row in found] == [row[witness] for row in found]


@settings(max_examples=500)
@given(sql=statements(witness=True), rows=tables(SPELLINGS))
def test_an_output_proved_to_be_the_key_is_the_very_column_of_the_filter(caseless, sql, rows):
    _check_value(caseless, sql, rows)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@settings(max_examples=10_000)
@given(sql=statements(witness=True), rows=tables(SPELLINGS))
def test_ten_thousand_keys_are_the_very_column_of_the_filter(caseless, sql, rows):
    _check_value(caseless, sql, rows)
