"""A database of our own connecting, read through ADBC where that gives the very values that tuples would."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mesbatch.arrow.convert import declares_otherwise
from mesbatch.errors import UnencodableValue
from mesbatch.source.adbc.driver import AdbcPostgresDriver
from mesbatch.source.adbc.postgres import plan
from mesbatch.source.adbc.sqlite_file import AdbcFileDriver, declared_columns
from mesbatch.source.session import Session


def open_postgres(url: str, sql: str, schema: Any) -> Session | None:
    """Open a session for *sql*; None where ADBC has another value than psycopg, or *schema* asks for another.

    An error of the connection or the statement is None, too: the other way then raises it.
    """
    import adbc_driver_postgresql.dbapi

    with suppress(Exception):
        connection = adbc_driver_postgresql.dbapi.connect(url, autocommit=True)
        try:
            if (driver := _postgres_driver(connection, sql, schema)) is not None:
                return Session(driver, connection, True, connection.close, connection.close)
        except BaseException:
            connection.close()
            raise
        connection.close()
    return None


def open_sqlite(path: str, sql: str, schema: Any) -> Session | None:
    """Open a session for *sql*; None where a column's declared type proves nothing, or *schema* asks for another."""
    columns = declared_columns(path, sql) if path else ()
    if not columns or declares_otherwise(columns, "sqlite", schema):
        return None
    driver = AdbcFileDriver(path, columns)
    connection = driver.connect()
    return Session(driver, connection, True, connection.close, connection.close)


def _postgres_driver(connection: Any, sql: str, schema: Any) -> AdbcPostgresDriver | None:
    with connection.cursor() as cursor:
        given = cursor.adbc_execute_schema(sql)
        try:
            planned = plan(sql, given)
        except UnencodableValue:
            return None
        if declares_otherwise(planned.columns, "postgres", schema):
            return None
        cursor.adbc_execute_schema(planned.sql)  # no other statement can hold some
    return AdbcPostgresDriver((sql, planned))
