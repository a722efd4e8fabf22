"""Statements in MySQL's spelling, written so that every module reads them in one way."""

from __future__ import annotations

import pytest

from mesbatch.errors import StatementError
from mesbatch.sql.backslashes import without_backslashed_quotes
from mesbatch.sql.query import check_reads, find_keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"'it\'s'", "'it''s'"),
        (r"'a\\'", r"'a\\'"),
        (r"'a\\\'b'", r"'a\\''b'"),
        (r"'a\n\%b'", r"'a\n\%b'"),
        ("'it''s'", "'it''s'"),
        (r'"it\"s"', "'it\"s'"),
        ('"a""b\'c"', "'a\"b''c'"),
        (r"'say \"x\"'", "'say \"x\"'"),
        ("`a``'b` 'c'", "`a``'b` 'c'"),
        ("1 # it's\n+ 2", "1  \n+ 2"),
        ("1 -- it's\n+ 2", "1  \n+ 2"),
        ("5--1", "5- -1"),
        ("a /* it's */ b", "a   b"),
        ("select /*+ MAX_EXECUTION_TIME(9) */ 1", "select /*+ MAX_EXECUTION_TIME(9) */ 1"),
    ],
)
def test_quotes_are_doubled_and_comments_go(text, expected):
    assert without_backslashed_quotes(text, quoted_names=False) == expected


def test_the_modes_of_the_session_are_kept():
    assert without_backslashed_quotes(r"'a\', 'b' # x", backslashes=False) == r"'a\', 'b'  "
    assert without_backslashed_quotes(r'"a\"b"') == '"a""b"'


def test_an_executable_comment_is_refused():
    with pytest.raises(StatementError, match="executable comment"):
        without_backslashed_quotes("select /*!40001 SQL_NO_CACHE */ 1")


def test_a_text_that_only_mysql_reads_to_its_end_is_read_so():
    sql = check_reads(r"select concat('it\'s (', k) from t where k in (:keys) # isn't it")
    assert sql == "select concat('it''s (', k) from t where k in (:keys)"
    assert find_keys(sql).column == "k"
