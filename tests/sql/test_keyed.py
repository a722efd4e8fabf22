from __future__ import annotations

import re

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


@pytest.mark.parametrize(
    ("paramstyle", "before", "after", "bind"),
    [
        ("qmark", "a = ?2 and", "b = ?1", "?3"),
        ("qmark", "a = ?1 and", "b = ?2 and c = ?1", "?3"),
        ("qmark_dollar", "a = $2 and", "b = $1", "$3"),
        ("qmark_dollar", "a = ?2 and", "b = ?1", "?3"),
    ],
)
def test_keys_beside_numbered_binds_have_numbers_too(paramstyle, before, after, bind):
    statement = KeyedStatement.parse(SELECT.format(before=before, after=after), (1, 2), paramstyle)
    text, values = statement.with_keys(", ".join(statement.placeholders(1)), ["k"])

    assert f"k in ({bind})" in text
    assert values == (1, 2, "k")


@pytest.mark.parametrize(
    ("before", "params", "words"),
    [
        ("a = ?1 and b = ? and", (1, 2), "to be ?1 to ?2"),
        ("a = ?2 and", (1,), "to be ?1 to ?1"),
        ("a = :a and b = @b and", (1, 2), "pass a mapping"),
        ("a = :a and b = ? and", (1, 2), "pass a mapping"),
        ("a = ? and", (1, 2), "has 1 binds"),
        ("a = :mesbatch_0 and", {"mesbatch_0": 1}, "rename 'mesbatch_0'"),
    ],
)
def test_binds_that_could_be_taken_for_those_of_keys_are_refused(before, params, words):
    with pytest.raises(StatementError, match=re.escape(words)):
        KeyedStatement.parse(SELECT.format(before=before, after="c = 1"), params, "qmark")


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
