"""A first word that is no word of SQL: the database itself says so, with the place."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from mesbatch.cli.problems import explained
from mesbatch.errors import StatementError
from mesbatch.source.connect import find_source
from mesbatch.sql.query import READING, check_reads
from mesbatch.sql.tokens import significant_tokens

EXPLAIN = "EXPLAIN "
# EXPLAIN in front of one of these would be another statement, or is nobody's slip.
WORDS = READING | {"ANALYZE", "DELETE", "EXECUTE", "INSERT", "MERGE", "SET", "UPDATE"}


def ask_about_first_word(sql: str, con: Any, secret: str | None) -> None:
    """Let the database explain a statement whose first word looks like SELECT and is none; nothing is executed."""
    try:
        check_reads(sql)
    except StatementError:
        word = next((token.text.upper() for token in significant_tokens(sql)), "")
        if word in WORDS or not get_close_matches(word, READING, cutoff=0.75):
            raise
        with explained(sql, secret, shift=len(EXPLAIN)):
            session = find_source(con).open()
            try:
                session.driver.fetch_all(session, EXPLAIN + sql, None)
            finally:
                session.close()
        raise
