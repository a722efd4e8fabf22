"""pymysql: MySQL in pure Python."""

from __future__ import annotations

from typing import Any

from pymysql.cursors import SSCursor

from mesbatch.batch import Column
from mesbatch.source.mysql.columns import column_of
from mesbatch.source.mysql.driver import MysqlDriver


class PymysqlDriver(MysqlDriver):
    """pymysql, in pure Python. Another statement takes the rest of an unbuffered result away, with a warning."""

    def cursor(self, connection: Any) -> Any:
        return connection.cursor(SSCursor)

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        fields = cursor._result.fields
        return tuple(
            column_of(field.name, field.type_code, field.flags, field.length, field.scale, field.charsetnr)
            for field in fields
        )

    def is_ours(self, cursor: Any) -> bool:
        return cursor.connection._result is cursor._result

    def forget(self, cursor: Any) -> None:
        """Without this its finaliser, and the result's, would read on from a connection that has ended."""
        result, cursor.connection = cursor._result, None
        if result is not None:
            result.unbuffered_active, result.connection = False, None

    def file_number(self, connection: Any) -> int:
        return int(connection._sock.fileno())
