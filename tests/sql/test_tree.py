"""Parentheses pair, or the statement is refused; deep ones are read without recursion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import StatementError
from mesbatch.sql.judge import judge
from mesbatch.sql.query import check_reads, find_order_by
from mesbatch.sql.tokens import significant_tokens
from mesbatch.sql.tree import MAX_DEPTH, levels, read_tree, tokens_of, write_nodes


@given(st.lists(st.sampled_from(["a", ",", "(", ")", "[", "]", "x(", "(select "])).map(" ".join))
def test_a_tree_has_every_token_once_in_its_order(sql):
    tokens = significant_tokens(sql)
    try:
        root = read_tree(tokens)
    except StatementError:
        return
    assert list(tokens_of(root.nodes)) == tokens
    assert sum(len(level) for level in levels(root.nodes)) == len(tokens) - sum(token.text in ")]" for token in tokens)


@pytest.mark.parametrize("sql", ["select (1", "select 1)", "select )(", "select (1]", "select a[1)", "select ((1)"])
def test_parentheses_that_do_not_pair_are_refused(sql):
    with pytest.raises(StatementError, match=r"opening|never closes"):
        check_reads(sql)


def test_a_message_has_few_words_of_a_long_text():
    nodes = read_tree(significant_tokens("f(" + "a , " * 10_000 + "b)")).nodes
    assert write_nodes(nodes) == "f(a , a , a , a , a , a , a , a , a , a , a , a , a , a , a ..."


@pytest.mark.parametrize("nested", ["(", "f(", "(select ", "(select k from (", "case when (", "[", "k in ("])
def test_parentheses_ten_thousand_deep_are_refused_by_name(nested):
    close = {"(": ")", "[": "]"}
    sql = "select a" + nested * 10_000 + "1" + "".join(close[c] for c in nested if c in close) * 10_000
    for ask in (check_reads, find_order_by, lambda sql: judge(f"{sql} from t where k in (:keys)", None)):
        with pytest.raises(StatementError, match="nested more than 1,000 deep"):
            ask(sql)


@pytest.mark.parametrize("inner", ["{}", "abs({})", "(select {})", "({})"])
def test_parentheses_as_deep_as_allowed_are_judged(inner):
    sql = "a"
    for _ in range(MAX_DEPTH - 1):
        sql = inner.format(sql)
    assert judge(f"select k, {sql} as a from t where k in (:keys)", None).key_outputs == (0,)


@pytest.mark.parametrize("depth", [400])
def test_queries_nested_deeply_are_followed_to_the_outermost(depth):
    sql = "select k from t where k in (:keys)"
    for _ in range(depth):
        sql = f"select k from ({sql}) d"
    assert judge(sql, ["k"]).key_outputs == (0,)
