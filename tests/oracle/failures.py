"""Failed ends of a call: an ORA- error, a break of the client, or the loss of the client."""

from __future__ import annotations

import re
import sqlite3

SESSION_KILLED = 28
NO_MORE_ROWS = 1403
CANCELLED = 1013

_SQLITE_ERRORS = [
    (re.compile(pattern), code, text)
    for pattern, code, text in (
        (r"no such table: (?:main\.)?(.*)", 942, "table or view does not exist"),
        (r"no such (?:column|function): (.*)", 904, '"{0}": invalid identifier'),
        (r"UNIQUE constraint failed: (.*)", 1, "unique constraint ({0}) violated"),
        (r"NOT NULL constraint failed: (.*)", 1400, 'cannot insert NULL into ("{0}")'),
        (r"table (\S+) already exists", 955, "name is already used by an existing object"),
        (r"syntax error", 900, "invalid SQL statement"),
        (r"incomplete input", 936, "missing expression"),
        (r"database is locked", 54, "resource busy and acquire with NOWAIT specified"),
    )
]


class OraError(Exception):
    """The server's answer instead of a result; *code* is the number of the ORA- error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"ORA-{code:05d}: {text}")
        self.code = code


class Cancelled(Exception):
    """A break arrived while a call was running."""


class Gone(Exception):
    """The connection has ended: the peer closed it, or a fault cut it."""


def from_sqlite(error: sqlite3.Error) -> OraError:
    """The ORA- error that Oracle would raise in place of SQLite's *error*."""
    for pattern, code, text in _SQLITE_ERRORS:
        if match := pattern.search(str(error)):
            return OraError(code, text.format(*(group.upper() for group in match.groups())))
    return OraError(600, f"internal error code, arguments: [{error}]")
