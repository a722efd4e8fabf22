"""Translation of Oracle's SQL to SQLite's, as far as our reads need it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.oracle.failures import OraError

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*' | "[^"]*") | (?P<comment>--[^\n]* | /\*.*?\*/) | (?<![\w:]):(?P<bind>"[^"]+"|\w+)""",
    re.VERBOSE | re.DOTALL,
)
_KEPT = re.compile("\x01(\\d+)\x02")
_LIST = re.compile(
    r"\bIN\s*\(\s*((?:\?\d+|\x01\d+\x02|[\d.]+)\s*(?:,\s*(?:\?\d+|\x01\d+\x02|[\d.]+)\s*)*)\)", re.IGNORECASE
)
_MOMENT = r"(?:TRUNC\s*\(\s*)?ora_sysdate\(\)(?:\s*\))?"
_AMOUNT = r"(?:[\d.]+|\?\d+|\w+(?:\.\w+)?)(?:\s*[*/]\s*[\d.]+)*"
_REWRITES = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\bOFFSET\s+(\S+)\s+ROWS?\s+FETCH\s+(?:FIRST|NEXT)\s+(\S+)\s+ROWS?\s+ONLY", r"LIMIT \2 OFFSET \1"),
        (r"\bFETCH\s+(?:FIRST|NEXT)\s+(\S+)\s+ROWS?\s+ONLY", r"LIMIT \1"),
        (r"\bSYS\s*\.\s*DUAL\b", "DUAL"),
        (r"\b(?:TIMESTAMP|DATE)\s+(\x01\d+\x02)", r"\1"),  # a literal
        (r"\bMINUS\b", "EXCEPT"),
        (r"\bCAST\s*\(\s*(.+?)\s+AS\s+(?:BINARY_DOUBLE|FLOAT)\s*\)", r"CAST(\1 AS REAL)"),
        (r"\b(?:SYSDATE|SYSTIMESTAMP)\b", "ora_sysdate()"),
        (rf"({_MOMENT})\s*([-+])\s*({_AMOUNT})", r"ora_shift(\1, '\2', \3)"),
        (r"\b(N?VARCHAR2|CHAR)\s*\(\s*(\d+)\s+CHAR\s*\)", r"\1 CHARS(\2)"),  # SQLite takes words before lengths only
        (r"\bTIMESTAMP\s*\((\d)\)\s+WITH\s+TIME\s+ZONE\b", r"TIMESTAMP WITH TIME ZONE(\1)"),
        (r"(\bDROP\s+TABLE\s+\S+)\s+PURGE\b", r"\1"),
        (r"\bTABLE\s*\(", "json_each("),
        (r"\bCOLUMN_VALUE\b", "value"),
        (r"\b(?:SYS\s*\.\s*)?ODCI(?:VARCHAR2|NUMBER|DATE)LIST\s*\(", "json_array("),
        (
            r"\bCREATE\s+PRIVATE\s+TEMPORARY\s+TABLE\b(.*?)\s+ON\s+COMMIT\s+\w+\s+DEFINITION",
            r"CREATE TEMPORARY TABLE\1",
        ),
        (r"\bCREATE\s+PRIVATE\s+TEMPORARY\s+TABLE\b", "CREATE TEMPORARY TABLE"),
    )
]
_PRIVATE = re.compile(r"CREATE\s+PRIVATE\s+TEMPORARY\s+TABLE\s+(\S+)", re.IGNORECASE)
_KEPT_AFTER_COMMIT = re.compile(r"ON\s+COMMIT\s+PRESERVE\s+DEFINITION", re.IGNORECASE)
PRIVATE_PREFIX = "ORA$PTT_"


@dataclass(frozen=True)
class Translated:
    """A statement for SQLite; *word* is its first word, *private* the private temporary table that it makes."""

    text: str
    word: str
    private: str | None = None
    dropped_at_commit: bool = False

    @property
    def keeps_transaction(self) -> bool:
        """True for a private table of one transaction, whose creation does not end it; one for the session does."""
        return self.dropped_at_commit


def translate(sql: str, keys_per_list: int) -> Translated:
    """Translate *sql* for SQLite, with a numbered bind for each bind of the driver.

    Raises:
        OraError: a list in IN has more elements than Oracle takes, or a private table has another's name.

    >>> translate("select nvl(a, 'x:y') from t where b > sysdate - :days", 1_000).text
    "select nvl(a, 'x:y') from t where b > ora_shift(ora_sysdate(), '-', ?1)"
    """
    kept: list[str] = []
    binds = 0

    def mask(match: re.Match[str]) -> str:
        nonlocal binds
        if match["comment"]:
            return " "
        if match["bind"]:
            binds += 1
            return f"?{binds}"
        kept.append(match[0])
        return f"\x01{len(kept) - 1}\x02"

    text = _TOKEN.sub(mask, sql).strip().rstrip(";\0 ")
    _check_lists(text, keys_per_list)
    private = _private_table(text)
    preserved = _KEPT_AFTER_COMMIT.search(text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _KEPT.sub(lambda match: kept[int(match[1])], text)
    word = re.match(r"[\s(]*([a-zA-Z]*)", text)
    return Translated(text, word[1].upper() if word else "", private, private is not None and not preserved)


def _check_lists(text: str, most: int) -> None:
    for match in _LIST.finditer(text):
        if match[1].count(",") >= most:
            raise OraError(1795, f"maximum number of expressions in a list is {most}")


def _private_table(text: str) -> str | None:
    match = _PRIVATE.search(text)
    if match is None:
        return None
    if not match[1].upper().startswith(PRIVATE_PREFIX):
        raise OraError(903, "invalid table name")
    return match[1].upper()
