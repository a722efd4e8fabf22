"""Statements in MySQL's spelling, written so that every database, and every module here, reads them in one way."""

from __future__ import annotations

import re

from mesbatch.errors import StatementError

# A comment in MySQL begins with `#`, or with `--` before white space; hints stay, for the server reads them. What never
# closes is taken to the end of the text: looking for an end from every later beginning, too, takes quadratic time.
_PIECE = re.compile(
    r"""
    (?P<single>'(?:[^'\\]|\\.|'')*+')
  | (?P<double>"(?:[^"\\]|\\.|"")*+")
  | (?P<name>`(?:[^`]|``)*+`)
  | (?P<executed>/\*M?!)
  | (?P<hint>/\*\+.*?\*/)
  | (?P<comment>\#[^\n]* | --(?=[\s\x00-\x1f]|\Z)[^\n]* | /\*.*?\*/)
  | (?P<minus>--)
  | (?P<open>(?:['"`]|/\*).*)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_PIECE = re.compile(
    _PIECE.pattern.replace(r"[^'\\]|\\.|", "[^']|").replace(r'[^"\\]|\\.|', '[^"]|'), _PIECE.flags
)


def without_backslashed_quotes(sql: str, *, backslashes: bool = True, quoted_names: bool = True) -> str:
    """Write *sql*, a text of MySQL, without quotes after backslashes, without comments and without ``#``.

    *backslashes* is False under NO_BACKSLASH_ESCAPES, and *quoted_names* says that double quotes are around names
    (ANSI_QUOTES); else they are around texts, and become single ones. MySQL gives the same rows for both.

    Raises:
        StatementError: the text has an executable comment (``/*! ... */``).

    >>> without_backslashed_quotes(r"select 'it\\'s' # a comment", quoted_names=False)
    "select 'it''s'  "
    >>> without_backslashed_quotes('select "it\\'s", 5--1', quoted_names=False)
    "select 'it''s', 5- -1"
    """

    def rewrite(piece: re.Match[str]) -> str:
        text = piece[0]
        match piece.lastgroup:
            case "single":
                return _requoted(text, "'", backslashes=backslashes)
            case "double":
                return _requoted(text, '"' if quoted_names else "'", backslashes=backslashes)
            case "executed":
                raise StatementError(f"an executable comment cannot be judged: write its words as SQL: {text!r}")
            case "comment":
                return " "
            case "minus":
                return "- -"
        return text

    return (_PIECE if backslashes else _PLAIN_PIECE).sub(rewrite, sql)


def _requoted(text: str, quote: str, *, backslashes: bool) -> str:
    """A quoted *text* between *quote*; of its backslashes only those before quotes go."""
    old = text[0]

    def plain(escaped: re.Match[str]) -> str:
        return old if escaped[0] == old * 2 else escaped[0][1:] if escaped[0][1] in "'\"" else escaped[0]

    characters = re.sub(rf"\\.|{old}{old}" if backslashes else old * 2, plain, text[1:-1], flags=re.DOTALL)
    return quote + characters.replace(quote, quote * 2) + quote
