"""One small table in each known database, and the ways to reach it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

KEY_TYPES = ("text", "bigint", "char(6)")
STRATEGIES = ("auto", "in-list", "array", "look-up", "temporary-table")


class Database(Protocol):
    """*own* is a URL or a function that connects, *borrowed* an open connection; *strategies* are those it has.

    *tables_need_a_key* says that a table of keys takes its type from the key's column in the result, and
    *by_is_a_name* that a column may be called so.
    """

    own: Any
    borrowed: Any
    strategies: tuple[str, ...]
    tables_need_a_key: bool
    by_is_a_name: bool

    def load(self, key_type: str, rows: Iterable[tuple[Any, Any, Any]]) -> str:
        """Put *rows* (n, k, v) into the table of *key_type*, in place of those before; the table's name."""

    def fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows at once; a bind is written as a question mark."""

    def run(self, sql: str) -> None:
        """Execute a statement that returns no rows, and commit it."""


class SqliteDatabase:
    """A file, opened by sqlite3 itself or by *module* where that is apsw."""

    strategies = ("auto", "in-list", "array", "temporary-table")
    tables_need_a_key = False
    by_is_a_name = True

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
    tables_need_a_key = False
    by_is_a_name = True

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
    tables_need_a_key = False
    by_is_a_name = True

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
        if columns := list(map(list, zip(*rows))):  # row by row takes DuckDB 0.3 ms for each
            self._admin.execute(f"insert into {table} select unnest(?), unnest(?), unnest(?)", columns)
        return table

    def fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._admin.execute(sql, values).fetchall()

    def run(self, sql: str) -> None:
        self._admin.execute(sql)

    def close(self) -> None:
        self.borrowed.close()
        self._admin.close()


class MariadbDatabase:
    """A database of a running server, made for one test; its text columns compare by code point."""

    strategies = ("auto", "in-list", "array", "temporary-table")
    tables_need_a_key = True
    by_is_a_name = False

    def __init__(self, arguments: dict[str, Any], name: str) -> None:
        import pymysql

        self._name = name
        self._admin = pymysql.connect(**arguments, autocommit=True)
        self.run(f"create database {name} character set utf8mb4 collate utf8mb4_nopad_bin")
        self._admin.select_db(name)
        arguments = {**arguments, "database": name}
        self.own = lambda: pymysql.connect(**arguments, autocommit=True)
        self.borrowed = self.own()
        for key_type in KEY_TYPES:
            declared = "varchar(200)" if key_type == "text" else key_type
            self.run(f"create table {_table(key_type)} (n int, k {declared}, v text, index (k))")

    def load(self, key_type: str, rows: Iterable[tuple[Any, Any, Any]]) -> str:
        table = _table(key_type)
        with self._admin.cursor() as cursor:
            cursor.execute(f"delete from {table}")
            cursor.executemany(f"insert into {table} values (%s, %s, %s)", list(rows))
        self.borrowed.rollback()
        return table

    def fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._admin.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), values or None)
            return list(cursor.fetchall())

    def run(self, sql: str) -> None:
        with self._admin.cursor() as cursor:
            cursor.execute(sql)

    def close(self) -> None:
        self.borrowed.close()
        self.run(f"drop database {self._name}")
        self._admin.close()


def _table(key_type: str) -> str:
    return f"by_{key_type.partition('(')[0]}"
