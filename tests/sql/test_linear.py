"""Text of any kind is judged in time of its length: four times the text takes about four times as long."""

from __future__ import annotations

import pytest

from mesbatch.errors import StatementError
from mesbatch.sql.judge import judge
from tests.sql.linear import check_linear

pytestmark = pytest.mark.slow

SELECT = "select k from t where k in (:keys)"


def _chain(size):
    """WITHs of which each reads the one before."""
    withs = [f"w{i} as (select k from {f'w{i - 1}' if i else f'({SELECT}) d'})" for i in range(size)]
    return f"with {', '.join(withs)} select k from w{size - 1}"


def _windows(size):
    """Windows of which each refines the one before."""
    named = ["w0 as (partition by k)", *(f"w{i} as (w{i - 1})" for i in range(1, size))]
    outputs = ", ".join(f"sum(a) over w{i}" for i in range(size))
    return f"select {outputs} from t where k in (:keys) window {', '.join(named)}"


def _nest(call, inner):
    return call * 100 + inner + ")" * 100


def _times(size, piece):
    return "".join(piece.format(i) for i in range(size))


FAMILIES = {  # a text of *n* pieces
    "scalar subqueries": lambda n: f"select k{', (select max(u.a) from u)' * n} from t where k in (:keys)",
    "q-quotes that never close": lambda n: "select k" + " q'[ " * n,
    "q-quotes of different marks": lambda n: "select " + "".join(f"q'{chr(0x4E00 + i)}" for i in range(n)),
    "dollar tags that never close": lambda n: SELECT + " and a = " + _times(n, "$t{0}$ + "),
    "one dollar tag": lambda n: f"select k, {'$a' * n} from t where k in (:keys)",
    "E-strings": lambda n: "select " + r"e'\' " * n,
    "comments that never close": lambda n: SELECT + " /*" * n,
    "comments in comments": lambda n: SELECT + "/*" * n + "*/" * n,
    "comments that close once": lambda n: SELECT + " /* /* */" * n,
    "comments that overlap": lambda n: SELECT + "/**/* " * n,
    "brackets that never close": lambda n: "select " + "[ a from " * n,
    "brackets in brackets": lambda n: "select " + "[ a, " * n + "]",
    "SQLAlchemy's binds that never close": lambda n: SELECT + " and a = __[POSTCOMPILE_a~~" * n,
    "quotes": lambda n: "select k" + ", '''' || \"\"\"\"" * n,
    "commas": lambda n: f"select {'k, ' * n} k from t where k in (:keys)",
    "names and a star": lambda n: f"select {_times(n, 'k as k{0}, ')} * from t where k in (:keys)",
    "stars": lambda n: f"select {'t.*, ' * n} k from t where k in (:keys)",
    "stars of many names": lambda n: (
        f"select {'d.*, ' * n} 1 from (select {_times(n, 'k as k{0}, ')} k from t where k in (:keys)) d"
    ),
    "outputs of many joins": lambda n: (
        f"select {_times(n, 'u{0}.k, ')} t.k from t {_times(n, 'join u u{0} on u{0}.k = t.k ')} where k in (:keys)"
    ),
    "groups": lambda n: f"select k{', a' * n} from t where k in (:keys) group by {'1, ' * n} k",
    "orders": lambda n: f"{SELECT} order by {'a desc, ' * n} b",
    "conditions": lambda n: SELECT + " and a between 1 and 2" * n,
    "cases": lambda n: f"{SELECT} and {'case when a = 1 then ' * n} 1 {'end ' * n} = 1",
    "joins": lambda n: f"select t.k from t {_times(n, 'join u u{0} on u{0}.k = t.k ')} where t.k in (:keys)",
    "joins in parentheses": lambda n: f"select t.k from t {', (u join v using (k))' * n} where t.k in (:keys)",
    "dots": lambda n: f"select {'a.' * n}k from t where k in (:keys)",
    "windows": _windows,
    "WITHs in a chain": _chain,
    "WITHs beside": lambda n: f"with {_times(n, 'w{0} as (select 1), ')} w as ({SELECT}) select k from w",
    "calls in calls": lambda n: f"select k{(', ' + _nest('abs(', 'a')) * (n // 50)} from t where k in (:keys)",
    "aggregates in subqueries": lambda n: (
        f"select k{(', (select ' + _nest('max(', 'u.a') + ' from u)') * (n // 50)} from t where k in (:keys)"
    ),
    "derived tables": lambda n: f"select k from {'(select * from u), ' * n} ({SELECT}) x",
    "derived tables in derived tables": lambda n: "select k from (" * n + SELECT + " and a = 1" * 5 * n + ") d" * n,
    "EXPLAINs": lambda n: "explain " * n + SELECT,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_four_times_the_text_takes_about_four_times_as_long(family):
    check_linear(FAMILIES[family], 400)


def test_three_thousand_scalar_subqueries_are_judged_in_time_of_their_length():
    check_linear(FAMILIES["scalar subqueries"], 750)  # looking for ends from every beginning took 16 s
    assert judge(FAMILIES["scalar subqueries"](3_000), ["k"] * 3_001).key_outputs == (0,)


def test_two_hundred_kilobytes_of_quotes_that_never_close_are_refused_in_time_of_their_length():
    check_linear(lambda n: SELECT + " and a = " + "q'[ " * n, 12_500)  # it took 92 s
    with pytest.raises(StatementError):
        judge(SELECT + " and a = " + "q'[ " * 50_000, ["k"])


def test_a_comment_that_never_closes_is_read_once_in_mysqls_way_too():
    check_linear(FAMILIES["comments that never close"], 2_000)  # at 400 pieces a fast machine hides the difference
