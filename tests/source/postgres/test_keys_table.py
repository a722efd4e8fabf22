"""Texts on their way into a temporary table of keys."""

from __future__ import annotations

import pytest

from mesbatch import read_sql_iter

pytest.importorskip("psycopg")

SPECIAL = ["\\", "\\N", "\\.", "\\t", "a\tb", "a\nb", "a\r\nb", "a\\\tb", "ä", "'", '"', "{}", "NULL", "x"]


@pytest.mark.parametrize("special", [SPECIAL, ["a", "ä"]], ids=["special", "plain"])
def test_texts_find_their_rows_and_no_others(postgres, special):
    """Each key has a neighbour that a wrong escape would find instead."""
    stored = {*special, *(key.replace("\\", "") for key in special), "t", "N", ".", "n"} - {""}
    postgres.execute("create table t (k text)")
    postgres.cursor().executemany("insert into t values (%s)", [(key,) for key in stored])
    sql = "select k from t where k in (:keys)"
    with read_sql_iter(sql, postgres, keys=special, strategy="temporary-table") as reader:
        assert [key for batch in reader for (key,) in batch.rows] == sorted(special)


@pytest.mark.parametrize("encoding", ["utf8", "sql_ascii", "latin1"])
def test_texts_are_written_in_the_encoding_of_the_connection(postgres, encoding):
    postgres.execute("create table t (k text)")
    postgres.execute("insert into t values ('ä'), ('a')")
    postgres.execute(f"set client_encoding to {encoding}")
    sql = "select k from t where k in (:keys)"
    with read_sql_iter(sql, postgres, keys=["ä", "b"], strategy="temporary-table") as reader:
        assert [key for batch in reader for (key,) in batch.rows] == ["ä"]
