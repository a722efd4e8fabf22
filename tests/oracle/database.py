"""The SQLite connection of one session: statements, transactions, and the columns of results."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from tests.oracle.columns import Column, make_column
from tests.oracle.dialect import Translated
from tests.oracle.failures import Cancelled, OraError, from_sqlite
from tests.oracle.functions import add_functions

WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
STEPS = 20_000  # steps of SQLite's machine between two looks for a break from the client
DICTIONARY = {
    "dual (dummy VARCHAR2(1))": [("X",)],
    "v$parameter (name VARCHAR2(80), value VARCHAR2(4000))": [("compatible", "19.0.0")],
    "nls_session_parameters (parameter VARCHAR2(30), value VARCHAR2(64))": [
        ("NLS_NUMERIC_CHARACTERS", ".,"),
        ("NLS_CHARACTERSET", "AL32UTF8"),
        ("NLS_SORT", "BINARY"),
    ],
}

T = TypeVar("T")


class Database:
    """A connection to the file at *path*; *has_input* waits at most so many seconds for input of the client."""

    def __init__(self, path: str, user: str, banner: str, has_input: Callable[[float], bool]) -> None:
        self._has_input = has_input
        self._raised: Exception | None = None  # in a function of ours; SQLite would call it a SQLite error
        self.is_read_only = False
        self._dropped_at_commit: list[str] = []
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self.connection.execute("PRAGMA journal_mode = WAL")
        for table, rows in {**DICTIONARY, "v$version (banner VARCHAR2(80))": [(banner,)]}.items():
            self.connection.execute(f"CREATE TEMP TABLE {table}")
            marks = ", ".join("?" * len(rows[0]))
            self.connection.executemany(f"INSERT INTO temp.{table.split()[0]} VALUES ({marks})", rows)
        add_functions(self.connection, user, self._fail)
        self.connection.create_function("test_sleep", 1, self._sleep)
        self.connection.set_progress_handler(self._progress, STEPS)

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def query(self, statement: Translated, binds: Sequence[Any]) -> sqlite3.Cursor:
        return self._run(lambda: self.connection.execute(statement.text, binds))

    def fetch(self, cursor: sqlite3.Cursor, count: int) -> list[tuple[Any, ...]]:
        return self._run(lambda: cursor.fetchmany(count))

    def change(self, statement: Translated, rows: Sequence[Sequence[Any]]) -> int:
        """Run a statement without a result, once for each of *rows*, and return the number of changed rows."""
        if statement.word == "SET":
            return self._begin_read_only(statement)
        if statement.word in WRITES:
            if self.is_read_only:
                raise OraError(1456, "may not perform insert/delete/update operation inside a READ ONLY transaction")
            if not self.in_transaction:
                self.connection.execute("BEGIN")
        elif not (statement.keeps_transaction or (statement.private and self.is_read_only)):
            self.commit()  # as data definition does; releases differ for private tables, this is the worse
        changed = self._run(lambda: sum(self._changed(statement.text, row) for row in rows))
        if statement.word == "CREATE":
            self._pad_chars(statement.text)
        if statement.dropped_at_commit:
            self._dropped_at_commit.append(statement.private or "")
        return changed

    def commit(self) -> None:
        self._end("COMMIT")

    def rollback(self) -> None:
        self._end("ROLLBACK")

    def close(self) -> None:
        self.connection.close()

    def describe(self, statement: Translated, cursor: sqlite3.Cursor, first: tuple[Any, ...] | None) -> list[Column]:
        """The columns of a query; SQLite knows the declared types of plain columns of a table only."""
        names = [name for name, *_ in cursor.description]
        declared = self._declared(statement.text) or [None] * len(names)
        samples = first or (None,) * len(names)
        shown = [name if f'"{name}"' in statement.text else name.upper() for name in names]
        return [make_column(*column) for column in zip(shown, declared, samples)]

    def _declared(self, text: str) -> list[str] | None:
        bare = re.sub(r"\?\d+", "NULL", text)
        with suppress(sqlite3.Error):  # a view carries the declarations of its columns
            self.connection.execute("DROP VIEW IF EXISTS temp.described")
            self.connection.execute(f"CREATE TEMP VIEW described AS {bare}")
            found = [row[2] for row in self.connection.execute("PRAGMA temp.table_info('described')")]
            self.connection.execute("DROP VIEW temp.described")
            return found
        return None

    def _begin_read_only(self, statement: Translated) -> int:
        if re.search(r"READ\s+ONLY", statement.text, re.IGNORECASE):
            if self.in_transaction:
                raise OraError(1453, "SET TRANSACTION must be first statement of transaction")
            self.connection.execute("BEGIN")
            self.connection.execute("SELECT 1 FROM main.sqlite_master").fetchone()  # the snapshot is taken now
            self.is_read_only = True
        return 0

    def _pad_chars(self, text: str) -> None:
        """Make the new table keep its CHAR values padded with blanks, as Oracle does."""
        made = re.match(r"CREATE\s+TABLE\s+(\w+)", text, re.IGNORECASE)
        if made is None:
            return
        for _, name, declared, *_ in self.connection.execute("SELECT * FROM pragma_table_info(?)", made.groups()):
            if length := re.fullmatch(r"CHAR(?: CHARS)?\s*\(\s*(\d+)\s*\)", declared, re.IGNORECASE):
                padded = f"UPDATE {made[1]} SET {name} = printf('%-{length[1]}s', {name})"
                padded += f" WHERE rowid = new.rowid AND {name} NOTNULL"
                self.connection.execute(
                    f"CREATE TRIGGER pad_{made[1]}_{name} AFTER INSERT ON {made[1]} BEGIN {padded}; END"
                )

    def _changed(self, text: str, row: Sequence[Any]) -> int:
        return max(self.connection.execute(text, row).rowcount, 0)

    def _end(self, how: str) -> None:
        if self.in_transaction:
            self.connection.execute(how)
        self.is_read_only = False
        for table in self._dropped_at_commit:
            self.connection.execute(f"DROP TABLE IF EXISTS {table}")
        self._dropped_at_commit.clear()

    def _run(self, work: Callable[[], T]) -> T:
        self._raised = None
        try:
            return work()
        except sqlite3.Error as error:
            raise (self._raised or from_sqlite(error)) from None

    def _fail(self, code: int, text: str) -> Any:
        self._raised = OraError(code, text)
        raise self._raised

    def _sleep(self, seconds: float) -> int:
        if self._has_input(seconds):
            self._raised = Cancelled()
            raise self._raised
        return 1

    def _progress(self) -> int:
        if self._has_input(0):
            self._raised = Cancelled()
        return int(isinstance(self._raised, Cancelled))
