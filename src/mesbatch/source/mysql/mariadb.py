"""mariadb: MariaDB's own driver, over the C library."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import mariadb

from mesbatch.batch import Column
from mesbatch.source.mysql.columns import column_of
from mesbatch.source.mysql.driver import MysqlDriver


class MariadbDriver(MysqlDriver):
    """mariadb, MariaDB's own, over the C library; of dates that Python does not have it gives None."""

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self.paramstyle = "qmark_pyformat"

    def cursor(self, connection: Any) -> Any:
        return connection.cursor(buffered=False, named_tuple=False, dictionary=False)

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        return tuple(
            column_of(name, code, flags, length, scale)
            for name, code, _, length, _, scale, _, flags, *_ in cursor.description
        )

    def thread_id(self, connection: Any) -> int:
        return int(connection.thread_id)

    def has_ended(self, cursor: Any) -> bool:
        """Ask the server for an error of the statement, since the driver takes one, and a lost connection, for the end.

        Raises:
            The driver's error: there was one.
        """
        connection = cursor.connection
        cursor.close()
        with closing(self.cursor(connection)) as other:
            other.execute("SHOW ERRORS")
            errors = other.fetchall()
        for _, number, message in errors[:1]:
            failure = mariadb.OperationalError(message)
            failure.errno = number
            raise failure
        return True

    def file_number(self, connection: Any) -> int:
        return int(connection._get_socket())  # the socket that `connection.socket` makes of it would close it
