"""Statements ordered by a keyset, as each style of binds writes them."""

from __future__ import annotations

import pytest

from mesbatch.errors import StatementError
from mesbatch.sql.keyset import by_keyset

SQL = "select * from t where a like 'x%'"


def quote(name):
    return f'"{name}"'


def test_from_the_beginning_nothing_is_bound():
    text, params = by_keyset(SQL, None, ["day", "id"], None, "", quote)
    assert text == f'SELECT * FROM (\n{SQL}\n) mesbatch_rows\nORDER BY "day", "id"'
    assert params is None


@pytest.mark.parametrize(
    ("style", "params", "where", "bound"),
    [
        ("qmark", None, '("day" > ?) OR ("day" = ? AND "id" >= ?)', ("d", "d", 7)),
        ("qmark", ("p",), '("day" > ?) OR ("day" = ? AND "id" >= ?)', ("p", "d", "d", 7)),
        ("format", ("p",), '("day" > %s) OR ("day" = %s AND "id" >= %s)', ("p", "d", "d", 7)),
        ("qmark_dollar", ("p",), '("day" > ?) OR ("day" = ? AND "id" >= ?)', ("p", "d", "d", 7)),
        ("numeric_dollar", ("p",), '("day" > $2) OR ("day" = $3 AND "id" >= $4)', ("p", "d", "d", 7)),
        (
            "named", {"p": 1}, '("day" > :mesbatch_0) OR ("day" = :mesbatch_0 AND "id" >= :mesbatch_1)',
            {"p": 1, "mesbatch_0": "d", "mesbatch_1": 7},
        ),
        (
            "pyformat", {"p": 1}, '("day" > %(mesbatch_0)s) OR ("day" = %(mesbatch_0)s AND "id" >= %(mesbatch_1)s)',
            {"p": 1, "mesbatch_0": "d", "mesbatch_1": 7},
        ),
    ],
)  # fmt: skip
def test_a_place_is_written_as_or_terms(style, params, where, bound):
    text, given = by_keyset(SQL, params, ["day", "id"], ["d", 7], style, quote)
    assert f'\nWHERE {where} OR "day" IS NULL OR "id" IS NULL\nORDER BY' in text
    assert given == bound


@pytest.mark.parametrize(("style", "sign"), [("qmark", "?"), ("qmark_dollar", "$")])
def test_a_place_beside_numbered_binds_has_numbers_too(style, sign):
    text, given = by_keyset(f"select * from t where a = {sign}1", ("p",), ["id"], [7], style, quote)
    assert f'"id" >= {sign}2) OR' in text
    assert given == ("p", 7)


def test_a_percent_sign_stays_one():
    assert "'x%%'" in by_keyset(SQL, None, ["a%"], [1], "pyformat", quote)[0]
    assert '"a%%" >= %s' in by_keyset(SQL, None, ["a%"], [1], "pyformat", quote)[0]
    assert "'x%'" in by_keyset(SQL, ("p",), ["a"], [1], "pyformat", quote)[0], "the caller wrote it as a bind needs it"
    assert "'x%'" in by_keyset(SQL, None, ["a"], [1], "qmark", quote)[0]
    assert "'x%'" in by_keyset(SQL, None, ["a%"], None, "pyformat", quote)[0]


def test_three_columns_are_three_terms():
    text, given = by_keyset(SQL, None, ["a", "b", "c"], [1, 2, 3], "qmark", quote)
    assert '("a" > ?) OR ("a" = ? AND "b" > ?) OR ("a" = ? AND "b" = ? AND "c" >= ?) OR' in text
    assert given == (1, 1, 2, 1, 2, 3)


def test_a_driver_whose_binds_nobody_knows_is_refused():
    with pytest.raises(StatementError, match="paramstyle="):
        by_keyset(SQL, None, ["a"], [1], "", quote)
