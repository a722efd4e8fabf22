"""SQL text of SQLite, PostgreSQL and Oracle as tokens that join to the same text again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import Literal, NamedTuple, cast

from mesbatch.sql.literals import LiteralEnds

Kind = Literal[
    "space", "comment", "string", "quoted", "name", "number", "bind", "operator", "punctuation", "unterminated"
]

# Where two dialects read the same text differently, the reading is the one without which valid text would be lost:
# nested comments and dollar quotes when they close (PostgreSQL), q'[..]' when it closes (Oracle).
_ONE_OF = r"""
    (?P<space>[ \t\n\r\f\v]+)
  | (?P<comment>--[^\n]*)
  | (?P<string>
        '(?:[^']|'')*+'
      | [eE]'(?:[^'\\]|\\.|'')*+')
  | (?P<quoted>"(?:[^"]|"")*+" | `(?:[^`]|``)*+`)
  | (?P<unterminated>['"`].* | /\*.*)
  | (?P<number>0[xX][0-9a-fA-F]+ | (?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?:[fFdD](?!\w))?)
  | (?P<cast>::)
  | (?P<bind>
        __\[POSTCOMPILE_[^\s\]~]{1,128}+(?:~~.{1,256}?~~)?\]
      | :(?:\w[\w$\#]*|"[^"]*") | \?\d* | \$\w+ | @\w+ | %[sbt](?!\w) | %\(\w+\)[sbt](?!\w))
  | (?P<name>[A-Za-z_\x80-\U0010ffff](?:[\w$\x80-\U0010ffff]|\#(?![>\-=\#]))*)
  | (?P<punctuation>[(),;.\[\]])
  | (?P<operator>:=|\|\||<=|>=|<>|!=|==|->>|->|=>|.)
    """
_UPPER_CASE = str.maketrans(ascii_lowercase, ascii_uppercase)

# After one of these, `[` opens a name (SQLite); after any other name it opens a subscript or an array (PostgreSQL).
_WORDS_BEFORE_A_NAME = """
    SELECT DISTINCT ALL FROM JOIN WHERE AND OR NOT ON BY AS IN LIKE BETWEEN CASE WHEN THEN ELSE HAVING IS WITH
"""
_BEFORE_A_NAME = frozenset(_WORDS_BEFORE_A_NAME.split())


class Token(NamedTuple):
    """A piece of SQL: its kind and text, the character where it starts, and the number of parentheses open there.

    Both parentheses of a pair have the depth of what stands around them. ``unterminated`` is a quote or comment that
    never closes.
    """

    kind: Kind
    text: str
    start: int
    depth: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def word(self) -> str:
        """A keyword or unquoted name in upper case; empty for anything else."""
        return self.text.upper() if self.kind == "name" and self.text.isascii() else ""

    @property
    def identity(self) -> str:
        """A name as two spellings of it compare: unquoted ones fold, quoted ones do not; empty for anything else.

        Only ASCII folds: databases disagree on other letters.
        """
        if self.kind == "name":
            return self.text.translate(_UPPER_CASE)
        return f'"{unquote(self.text)}"' if self.kind == "quoted" else ""


def tokenize(sql: str) -> list[Token]:
    """Cut *sql* into tokens; nothing is lost: their texts join to *sql*.

    Takes time in proportion to the text and holds a few hundred bytes a token. Never raises: a character that cannot be
    read is an ``operator``, a quote or comment that never closes is ``unterminated``.

    >>> [token.text for token in tokenize("a::int IN(:keys)--x")]
    ['a', '::', 'int', ' ', 'IN', '(', ':keys', ')', '--x']
    """
    tokens: list[Token] = []
    opened: list[str] = []
    ends = LiteralEnds(sql)
    previous: Token | None = None
    start = 0
    while start < len(sql):
        kind, end = _read_token(sql, start, ends, _opens_a_name(previous, opened) if sql[start] == "[" else False)
        text = sql[start:end]
        if kind == "punctuation" and text in ")]" and opened:
            opened.pop()
        token = Token(kind, text, start, len(opened))
        if kind == "punctuation" and text in "([":
            opened.append(text)
        tokens.append(token)
        previous = previous if kind in ("space", "comment") else token
        start = end
    return tokens


def significant_tokens(sql: str) -> list[Token]:
    """List the tokens of *sql* without white space and comments."""
    return without_space(tokenize(sql))


def without_space(tokens: Sequence[Token]) -> list[Token]:
    """List *tokens* without white space and comments."""
    return [token for token in tokens if token.kind not in ("space", "comment")]


def unquote(text: str) -> str:
    """Remove the quotes of a name, in any of the three ways to quote; other texts stay as they are.

    >>> unquote('"lot id"'), unquote("[lot id]"), unquote("lot")
    ('lot id', 'lot id', 'lot')
    """
    if text[0] in '"`':
        return text[1:-1].replace(text[0] * 2, text[0])
    return text[1:-1] if text[0] == "[" else text


def _read_token(sql: str, start: int, ends: LiteralEnds, is_name_due: bool) -> tuple[Kind, int]:
    match sql[start]:
        case "/" if sql.startswith("/*", start) and (end := ends.comment(start)):
            return "comment", end
        case "[" if is_name_due and (end := ends.bracketed_name(start)):
            return "quoted", end
        case "q" | "Q" | "n" | "N" | "$" if end := ends.quote(start):
            return "string", end
    found = cast("re.Match[str]", _token().match(sql, start))  # the last alternative takes any character
    return "operator" if found.lastgroup == "cast" else cast("Kind", found.lastgroup), found.end()


def _opens_a_name(previous: Token | None, opened: list[str]) -> bool:
    if opened and opened[-1] == "[":
        return False
    if previous is None or previous.kind == "operator" or previous.text in ("(", ",", ".", ";"):
        return True
    return previous.word in _BEFORE_A_NAME


@cache
def _token() -> re.Pattern[str]:
    """Compile the expression of a token when the first text is read: an import must not wait for that."""
    return re.compile(_ONE_OF, re.VERBOSE | re.DOTALL)
