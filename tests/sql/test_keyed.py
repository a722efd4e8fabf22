from __future__ import annotations

import pytest

from mesbatch.errors import StatementError
from mesbatch.sql.keyed import KeyedStatement

SELECT = "select * from t where {before} k in (:keys) and {after}"


@pytest.mark.parametrize(
    ("paramstyle", "before", "after", "params", "bound"),
    [
        ("qmark", "a = ? and b = ? and", "c = ?", (1, 2, 3), (1, 2, "k", 3)),
        ("pyformat", "a = %s and", "c = %s", (1, 3), (1, "k", 3)),
        ("pyformat", "doc ? 'x' and a[1:2] is null and b = %s and", "doc ?| %s", (1, 3), (1, "k", 3)),
        ("named", "a = :1 and", "c = :2", (1, 3), (1, "k", 3)),
        ("qmark", "a = '?' /* ? */ and", "c = 1", None, ("k",)),
    ],
)
def test_keys_go_where_their_place_is_among_the_parameters(paramstyle, before, after, params, bound):
    statement = KeyedStatement.parse(SELECT.format(before=before, after=after), params, paramstyle)
    text, values = statement.with_keys(", ".join(statement.placeholders(1)), ["k"])

    assert values == bound
    assert f"k in ({statement.placeholders(1)[0]})" in text


@pytest.mark.parametrize(("paramstyle", "bind"), [("qmark", ":mesbatch_0"), ("pyformat", "%(mesbatch_0)s")])
def test_named_parameters_stay_named(paramstyle, bind):
    statement = KeyedStatement.parse(SELECT.format(before="a = 1 and", after="b = 2"), {"x": 1}, paramstyle)
    text, values = statement.with_keys(", ".join(statement.placeholders(1)), ["k"])

    assert f"k in ({bind})" in text
    assert values == {"x": 1, "mesbatch_0": "k"}


def test_a_percent_sign_is_only_itself_where_nothing_is_bound():
    statement = KeyedStatement.parse(SELECT.format(before="a like 'x%' and", after="b = 2"), None, "pyformat")

    assert "like 'x%%'" in statement.text


def test_a_driver_that_numbers_its_binds_is_refused():
    with pytest.raises(
        StatementError, match="paramstyle is one of qmark, named, format, pyformat; this one's is 'numeric'"
    ):
        KeyedStatement.parse(SELECT.format(before="a = 1 and", after="b = 2"), None, "numeric")


def test_values_of_a_head_come_first():
    statement = KeyedStatement.parse("select %s from t where k in (:keys) and b = %s", (1, 2), "pyformat")
    text, values = statement.with_keys("x", [["a"]], head="with x as (%s) ", tail=" limit 1")

    assert text == "with x as (%s) select %s from t where k in (x) and b = %s limit 1"
    assert values == (["a"], 1, 2)
