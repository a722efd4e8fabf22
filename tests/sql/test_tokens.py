"""Tokens are the text again, and quotes of three databases hide what they hold."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesbatch.sql.tokens import significant_tokens, tokenize, unquote

PIECES = [
    *("'", "''", '"', "`", "[", "]", "(", ")", ";", ",", ".", ":", "::", ":keys", "?", "%s", "$1", "$$", "$a$", "@x"),
    *("--", "\n", "\r", "/*", "*/", "/*+", "E'", "q'[", "]'", "\\", " ", "\t", "SELECT", "IN", "a", "é"),
    *("1.5e-3", "0x1f", "#", "->>", "||", "*", "-", "{", "}", "__[POSTCOMPILE_keys]", "\x00", "\ud800"),
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
@example("select q'[it's]' /* a /* b */ c */ from [my table] -- :keys")
def test_tokens_join_to_the_text_and_know_where_they_start(sql):
    tokens = tokenize(sql)
    assert "".join(token.text for token in tokens) == sql
    assert all(sql[token.start : token.end] == token.text != "" for token in tokens)
    assert all(token.depth >= 0 for token in tokens)


@pytest.mark.parametrize(
    "quoted",
    [
        "'it''s'",
        r"E'it\'s'",
        r"e'\\'",
        "q'[it's]'",
        "Nq'{it's}'",
        "q'!it's!'",
        "$$it's$$",
        "$tag$it's $$ $tag$",
        '"lot ""id"""',
        "`lot ``id```",
        "[lot id]",
        "/* it's /* nested */ still */",
        "/* it's /* not nested */",
        "-- it's",
        "/*+ INDEX(h) */",
    ],
)
def test_a_quote_or_comment_is_one_token(quoted):
    assert [token.text for token in tokenize(f"select {quoted}\n, x")][2:5] == [quoted, "\n", ","]


@pytest.mark.parametrize("sql", ["'abc", "'abc''", '"abc', "`abc", "/* abc", "x /* a */ /* b", "q'[abc"])
def test_what_never_closes_is_unterminated(sql):
    tokens = tokenize(sql)
    assert tokens[-1].kind == "unterminated"
    assert "".join(token.text for token in tokens) == sql


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        (":keys", ["bind"]),
        ("a::keys", ["name", "operator", "name"]),
        ("a:::keys", ["name", "operator", "bind"]),
        (":1 ? ?1 %s %(a)s $1 @x", ["bind"] * 7),
        ("a %sum", ["name", "operator", "name"]),
        ("__[POSTCOMPILE_keys~~CAST(~~REPL~~ AS int)~~]", ["bind"]),
        ("v$session", ["name"]),
        ("1.5e-3 .5 0x1F 1_000", ["number"] * 4),
        ("1and", ["number", "name"]),
    ],
)
def test_binds_names_and_numbers_are_told_apart(sql, kinds):
    assert [token.kind for token in significant_tokens(sql)] == kinds


@pytest.mark.parametrize("sql", ["select [a b]", "from t, [a b]", "where t.[a b]", "([a b])", "x = [a b]", "as [a b]"])
def test_brackets_quote_a_name_where_a_name_is_due(sql):
    assert "[a b]" in [token.text for token in tokenize(sql) if token.kind == "quoted"]


@pytest.mark.parametrize("sql", ["a[1]", "f(x)[1]", "array[1]", "array[[1,2],[3,4]]", "int[]", "a[1:2]", '"a"[1]'])
def test_brackets_are_subscripts_where_an_operand_has_ended(sql):
    assert "[" in [token.text for token in tokenize(sql)]


def test_both_parentheses_have_the_depth_around_them():
    depths = [(token.text, token.depth) for token in significant_tokens("a(b(c[1])d)e")]
    assert depths == [
        *[("a", 0), ("(", 0), ("b", 1), ("(", 1), ("c", 2), ("[", 2), ("1", 3), ("]", 2), (")", 1)],
        *[("d", 1), (")", 0), ("e", 0)],
    ]


def test_names_compare_folded_when_unquoted_and_exactly_when_quoted():
    identities = [token.identity for token in significant_tokens("lot LOT \"lot\", [lot], `LOT`, 'lot'")]
    assert identities == ["LOT", "LOT", '"lot"', "", '"lot"', "", '"LOT"', "", ""]


def test_unquoting_halves_doubled_quotes():
    assert unquote('"a ""b"""') == 'a "b"'
    assert unquote("`a ``b```") == "a `b`"
    assert unquote("[a b]") == "a b"
    assert unquote("ab") == "ab"
