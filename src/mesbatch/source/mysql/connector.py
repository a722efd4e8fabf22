"""mysql-connector-python: its cursors, values and binds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from mysql.connector.conversion import MySQLConverter
from mysql.connector.cursor import MySQLCursor

from mesbatch.batch import Column, Row
from mesbatch.errors import StatementError
from mesbatch.source.mysql.columns import column_of
from mesbatch.source.mysql.driver import DRAINED_ROWS, MysqlDriver
from mesbatch.source.session import Params
from mesbatch.sql.tokens import tokenize


class ConnectorDriver(MysqlDriver):
    """mysql-connector-python. Its binds are looked for inside quotes, too, so values are put into the text here."""

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self.paramstyle = "verbatim"

    def cursor(self, connection: Any) -> Any:
        return unbuffered_cursor(connection)

    def start(self, cursor: Any, sql: str, params: Params) -> None:
        cursor.execute(with_values(cursor, sql, params) if params else sql)

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        return tuple(
            column_of(name, code, flags, charset=charset) for name, code, *_, flags, charset in cursor.description
        )

    def thread_id(self, connection: Any) -> int:
        return int(connection.connection_id)

    def fetch(self, cursor: Any, size: int) -> list[Row]:
        connection = cursor._connection
        converter = connection.converter
        connection.converter = cursor.exact_converter
        try:
            rows: list[Row] = cursor.fetchmany(size)
            return rows
        finally:
            connection.converter = converter

    def has_ended(self, cursor: Any) -> bool:
        return bool(cursor.has_ended)

    def drain(self, cursor: Any) -> None:
        while not cursor.has_ended and cursor.fetchmany(DRAINED_ROWS):
            pass
        cursor.close()

    def file_number(self, connection: Any) -> int:
        return int(connection._socket.sock.fileno())


class ExactConverter(MySQLConverter):
    """The driver's converter, with dates that Python does not have, and sets, as MySQL writes them."""

    @staticmethod
    def _date_to_python(value: Any, dsc: Any = None) -> Any:
        return _as_written(MySQLConverter._date_to_python(value, dsc), value)

    @staticmethod
    def _datetime_to_python(value: Any, dsc: Any = None) -> Any:
        return _as_written(MySQLConverter._datetime_to_python(value, dsc), value)

    _timestamp_to_python = _datetime_to_python

    def _set_to_python(self, value: Any, dsc: Any = None) -> Any:
        return value.decode(self.charset)


def _as_written(found: Any, value: Any) -> Any:
    return value.decode("ascii") if found is None else found


def unbuffered_cursor(connection: Any) -> Any:
    """An unbuffered cursor of *connection*, of the driver's C extension or not, with *exact_converter*."""
    base: type = MySQLCursor
    pure = type(connection).__name__ != "CMySQLConnection"
    if not pure:
        from mysql.connector.cursor_cext import CMySQLCursor

        base = CMySQLCursor
    cursor = connection.cursor(cursor_class=_with_end(base))
    # The extension has a conversion of its own, without a way to change it.
    cursor.exact_converter = ExactConverter(connection.python_charset, True) if pure else connection.converter
    return cursor


@cache
def _with_end(base: type) -> type:
    """A class of cursors that know when their own result has come to its end."""

    class Unbuffered(base):  # type: ignore[misc]
        has_ended = False
        exact_converter: Any = None

        def _handle_eof(self, *eof: Any) -> None:
            super()._handle_eof(*eof)
            self.has_ended = True

    return Unbuffered


def with_values(cursor: Any, sql: str, params: Params) -> bytes:
    """*sql* with *params* in place of its binds, which the driver would also find within quotes.

    Raises:
        StatementError: there are more or fewer binds than values.
    """
    charset = cursor._connection.python_charset
    literals = _literals(cursor, params)
    pieces: list[bytes] = []
    count = 0
    for token in tokenize(sql):
        if token.kind != "bind" or not token.text.startswith("%"):
            pieces.append(token.text.encode(charset))
        elif isinstance(literals, Mapping):
            pieces.append(literals[token.text[2:-2].encode(charset)])
        else:
            pieces += literals[count : count + 1]
            count += 1
    if not isinstance(literals, Mapping) and count != len(literals):
        raise StatementError(f"the statement has {count:,} binds, and {len(literals):,} values were given for them")
    return b"".join(pieces)


def _literals(cursor: Any, params: Any) -> Mapping[bytes, bytes] | list[bytes]:
    """The values as the driver writes them into a statement, by their place or name."""
    named = isinstance(params, Mapping)
    if hasattr(cursor._connection, "prepare_for_mysql"):  # of the C extension
        written = cursor._connection.prepare_for_mysql(dict(params) if named else list(params))
    else:
        written = cursor._process_params_dict(params) if named else cursor._process_params(tuple(params))
    if named:
        return {name: _as_bytes(value) for name, value in written.items()}
    return [_as_bytes(value) for value in written]


def _as_bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray) else str(value).encode()
