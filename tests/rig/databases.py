"""One small table in each known database, and the ways to reach it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

KEY_TYPES = ("text", "bigint", "char(6)")
STRATEGIES = ("auto", "in-list", "array", "look-up", "temporary-table")


class Database(Protocol):
    """*own* is a URL or a function that connects, *borrowed* an open connection; *strategies* are those it has."""

    own: Any
    borrowed: Any
    strategies: tuple[str, ...]

    def load(self, key_type: str, rows: Iterable[tuple[Any, Any, Any]]) -> str:
        """Put *rows* (n, k, v) into the table of *key_type*, in place of those before; the table's name."""

    def fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows at once; a bind is written as a question mark."""

    def run(self, sql: str) -> None:
        """Execute a statement that returns no rows, and commit it."""


class SqliteDatabase:
    """A file, opened by sqlite3 itself or by *module* where that is apsw."""

    strategies = ("auto", "in-list", "array", "temporary-table")

    def __init__(self, path: str, module: Any = sqlite3) -> None:
        self._admin = sqlite3.connect(path)
        for key_type in KEY_TYPES:
            table = _table(key_type)
            self._admin.execute(f"create table {table} (n integer, k {key_type}, v text)")
            self._admin.execute(f"create index {table}_k on {table} (k)")
        connect = module.connect if module is sqlite3 else module.Connection
        self.own = lambda: connect(path)
        self.borrowed = connect(path)

    def load(self, key_type: str, rows: Iterable[tuple[Any, Any, Any]]) -> str:
        table = _table(key_type)
        with self._admin:
            self._admin.execute(f"delete from {table}")
            self._admin.executemany(f"insert into {table} values (?, ?, ?)", rows)
        return table

    def fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._admin.execute(sql, values).fetchall()

    def run(self, sql: str) -> None:
        self._admin.executescript(sql)

    def close(self) -> None:
        self.borrowed.close()
        self._admin.close()


class PostgresDatabase:
    """A schema of a running server; *url* has it as its search path."""

    strategies = STRATEGIES

    def __init__(self, url: str) -> None:
        import psycopg

        self.own = url
        self.borrowed = psycopg.connect(url, autocommit=True)
        self._admin = psycopg.connect(url, autocommit=True)
        for key_type in KEY_TYPES:
            table = _table(key_type)
            self._admin.execute(f"create table {table} (n int, k {key_type}, v text)")
            self._admin.execute(f"create index on {table} (k)")

    def load(self, key_type: str, rows: Iterable[tuple[Any, Any, Any]]) -> str:
        table = _table(key_type)
        with self._admin.transaction(), self._admin.cursor() as cursor:
            cursor.execute(f"delete from {table}")
            cursor.executemany(f"insert into {table} values (%s, %s, %s)", list(rows))
        return table

    def fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._admin.execute(sql.replace("?", "%s"), values or None).fetchall()

    def run(self, sql: str) -> None:
        self._admin.execute(sql)

    def close(self) -> None:
        self.borrowed.close()
        self._admin.close()


class Psycopg2Database(PostgresDatabase):
    """The same, through psycopg2."""

    def __init__(self, url: str) -> None:
        import psycopg2

        super().__init__(url)
        self._borrowed_before = self.borrowed
        self.own = lambda: psycopg2.connect(url)
        self.borrowed = psycopg2.connect(url)
        self.borrowed.autocommit = True

    def close(self) -> None:
        super().close()
        self._borrowed_before.close()


class DuckdbDatabase:
    """A file, opened by DuckDB's own connections."""

    strategies = ("auto", "in-list", "array", "temporary-table")

    def __init__(self, path: str) -> None:
        import duckdb

        self._admin = duckdb.connect(path)
        for key_type in KEY_TYPES:
            self._admin.execute(f"create table {_table(key_type)} (n int, k {key_type}, v text)")
        self.own = lambda: duckdb.connect(path)
        self.borrowed = duckdb.connect(path)

    def load(self, key_type: str, rows: Iterable[tuple[Any, Any, Any]]) -> str:
        table = _table(key_type)
        self._admin.execute(f"delete from {table}")
        for row in rows:
            self._admin.execute(f"insert into {table} values (?, ?, ?)", row)
        return table

    def fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._admin.execute(sql, values).fetchall()

    def run(self, sql: str) -> None:
        self._admin.execute(sql)

    def close(self) -> None:
        self.borrowed.close()
        self._admin.close()


def _table(key_type: str) -> str:
    return f"by_{key_type.partition('(')[0]}"
