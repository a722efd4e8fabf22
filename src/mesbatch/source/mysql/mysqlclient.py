"""mysqlclient, whose package is MySQLdb: MySQL over the C library."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from typing import Any

from MySQLdb.constants import FIELD_TYPE
from MySQLdb.cursors import SSCursor

from mesbatch.batch import Column
from mesbatch.source.mysql.columns import column_of
from mesbatch.source.mysql.driver import MysqlDriver
from mesbatch.source.mysql.rows import decoding_is_off
from mesbatch.source.session import Params


class MysqlclientDriver(MysqlDriver):
    """mysqlclient, over the C library. It tells nothing of a connection in which another thread waits."""

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self._file_number = -1
        with suppress(Exception):  # of a connection that is closed
            self._file_number = int(connection.fileno())

    def file_number(self, connection: Any) -> int:
        try:
            return int(connection.fileno())
        except Exception as error:
            if "another thread" in str(error):
                return self._file_number
            raise

    def cursor(self, connection: Any) -> Any:
        return connection.cursor(SSCursor)

    def start(self, cursor: Any, sql: str, params: Params) -> None:
        """Execute *sql*; dates that Python does not have come as MySQL writes them, where the driver gives None."""
        connection = cursor.connection
        converter = connection.converter
        if converter.get(FIELD_TYPE.VAR_STRING, bytes) is bytes:  # the types of columns do not always tell texts here
            raise decoding_is_off(bytes, "text")
        connection.converter = {**converter, **dict.fromkeys((7, 12), _moment), 10: _date}
        try:
            super().start(cursor, sql, params)
        finally:
            connection.converter = converter

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        return tuple(
            column_of(name, code, flags, length, scale)
            for (name, code, _, length, _, scale, _), flags in zip(cursor.description, cursor.description_flags)
        )


def _date(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:  # such as 0000-00-00
        return text


def _moment(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text
