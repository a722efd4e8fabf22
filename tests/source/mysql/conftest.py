"""The drivers of MySQL, each with connections to the session's MariaDB."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest

DRIVERS = {
    "pymysql": "pymysql",
    "mysqldb": "MySQLdb",
    "mysqlconnector": "mysql.connector",
    "mariadbconnector": "mariadb",
}
LOTS = 3_000  # of which each has four rows
KEY_COLUMNS = {
    "indexed": "varchar(16) character set utf8mb4 collate utf8mb4_nopad_bin, index (k)",
    "unindexed": "varchar(16) character set utf8mb4 collate utf8mb4_nopad_bin",
    "fixed": "char(16) character set utf8mb4 collate utf8mb4_nopad_bin, index (k)",
    "caseless": "varchar(16) character set utf8mb4 collate utf8mb4_general_ci, index (k)",
}


@dataclass
class Rig:
    """A database of the server and one of the drivers; *name* is that of the driver in URLs."""

    name: str
    url: str
    arguments: dict[str, Any]
    _opened: list[Any] = field(default_factory=list)

    @property
    def bind(self) -> str:
        return "?" if self.name == "mariadbconnector" else "%s"

    @property
    def error(self) -> type[Exception]:
        """The driver's own base of errors."""
        found: type[Exception] = import_module(DRIVERS[self.name]).Error
        return found

    def connect(self, **more: Any) -> Any:
        """A connection of the driver's own, closed after the test."""
        connection = import_module(DRIVERS[self.name]).connect(**self.arguments, **more)
        self._opened.append(connection)
        return connection

    def fetchall(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows by the driver's ordinary cursor."""
        with closing(import_module(DRIVERS[self.name]).connect(**self.arguments)) as connection:
            cursor = connection.cursor()
            cursor.execute(sql, values) if values else cursor.execute(sql)
            rows = list(cursor.fetchall())
            cursor.close()
        return rows

    def close(self) -> None:
        for connection in self._opened:
            connection.close()


@pytest.fixture(scope="session")
def mysql_admin(mariadb_server) -> Iterator[Callable[[str], Any]]:
    """A function that runs a statement, in a database with the tables of all tests, and gives its rows."""
    pymysql = pytest.importorskip("pymysql", reason="no driver of mariadb: pymysql is not installed")
    with closing(pymysql.connect(**mariadb_server.arguments, autocommit=True)) as connection:

        def run(sql: str) -> Any:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()

        for name, column in KEY_COLUMNS.items():
            run(f"create table if not exists {name} (n int, t varchar(300), k {column})")
            run(
                f"insert into {name} select seq, concat('50%:', seq, repeat('x', 200)), "
                f"concat('L', lpad(seq % {LOTS}, 6, '0')) from seq_0_to_{4 * LOTS - 1}"
            )
        yield run


@pytest.fixture(params=DRIVERS)
def rig(request, mariadb_server, mysql_admin) -> Iterator[Rig]:
    module = DRIVERS[request.param]
    pytest.importorskip(module, reason=f"no driver of mariadb: {module.partition('.')[0]} is not installed")
    url = mariadb_server.url.replace("mysql:", f"mysql+{request.param}:")
    rig = Rig(request.param, url, mariadb_server.arguments)
    yield rig
    rig.close()


@pytest.fixture
def new_name() -> str:
    """A name for a table of one test."""
    return f"t_{uuid.uuid4().hex[:12]}"
