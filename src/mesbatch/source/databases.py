"""The databases that are known: their folder, the modules of their drivers and the schemes of their URLs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mesbatch.source.session import Driver, Session, Source


@dataclass(frozen=True)
class Database:
    """A folder below `mesbatch.source` with what is known of one kind of database.

    *drivers* names, for the module that a connection's class comes from, the class or function of ``<folder>.driver``
    that makes its driver of the connection; with a dot, that of another module of the folder. *schemes* are those of
    URLs that ``<folder>.url`` opens itself, and *sqlalchemy* is a URL of the dialect that SQLAlchemy's statements are
    compiled for on such a connection, with braces in place of that module. *named_bind* is how its driver for URLs
    writes a parameter. A database that *is_file* takes no password.
    """

    folder: str
    drivers: Mapping[str, str]
    schemes: frozenset[str] = frozenset()
    sqlalchemy: str = ""
    named_bind: str = ":{}"
    is_file: bool = False

    def driver(self, family: str, connection: Any) -> Driver:
        """A driver for *connection*, whose class comes from the module *family*."""
        module, _, name = self.drivers[family].rpartition(".")
        made: Driver = getattr(import_module(f"mesbatch.source.{self.folder}.{module or 'driver'}"), name)(connection)
        return made

    def pool_source(self, pool: Any) -> Source:
        """The source of the connections of *pool*, a pool of this database's own driver."""
        source: Source = import_module(f"mesbatch.source.{self.folder}.driver").pool_source(pool)
        return source

    def connect(self, url: str, timeout: float | None) -> Callable[[], Session]:
        """A function that opens a session of *url*; *timeout*, in seconds, is for connecting."""
        opening: Callable[[], Session] = import_module(f"mesbatch.source.{self.folder}.url").connect(url, timeout)
        return opening

    def connect_for_arrow(self, url: str) -> Callable[[str, Any], Session | None] | None:
        """A function that opens a session of *url* for record batches of a statement, with the types that a schema
        declares; None where nothing does."""
        opening: Callable[[str, Any], Session | None] | None = import_module(
            f"mesbatch.source.{self.folder}.url"
        ).connect_for_arrow(url)
        return opening

    def steady_url(self, url: str) -> str:
        """*url*, so that a statement gives its rows in the same order each time."""
        steady: str = import_module(f"mesbatch.source.{self.folder}.url").steady_url(url)
        return steady


DATABASES = (
    Database(
        "sqlite",
        {"sqlite3": "SqliteDriver", "apsw": "ApswDriver"},
        frozenset({"sqlite"}),
        sqlalchemy="sqlite://",
        is_file=True,
    ),
    Database(
        "postgres",
        {"psycopg": "PsycopgDriver", "psycopg2": "psycopg2.Psycopg2Driver", "pg8000": "pg8000.Pg8000Driver"},
        frozenset({"postgresql", "postgres", "postgresql+psycopg"}),
        sqlalchemy="postgresql+{}://",
        named_bind="%({})s",
    ),
    Database("oracle", {"oracledb": "OracleDriver"}, sqlalchemy="oracle+oracledb://"),
    Database("duckdb", {"duckdb": "DuckdbDriver", "_duckdb": "DuckdbDriver"}, is_file=True),
    Database("odbc", {"pyodbc": "OdbcDriver"}),
    Database(
        "mysql",
        {
            "pymysql": "pymysql.PymysqlDriver",
            "MySQLdb": "mysqlclient.MysqlclientDriver",
            "mysql": "connector.ConnectorDriver",
            "mariadb": "mariadb.MariadbDriver",
        },
        frozenset(
            f"{name}{driver}"
            for name in ("mysql", "mariadb")
            for driver in ("", "+pymysql", "+mysqldb", "+mysqlconnector", "+mariadbconnector")
        ),
        sqlalchemy="mysql+pymysql://",
        named_bind="%({})s",
    ),
    Database("adbc", {"adbc_driver_manager": "make_driver"}),
)


def modules_of(con: Any) -> list[str]:
    """The packages that *con*'s class and those that it inherits from come from."""
    return [cls.__module__.partition(".")[0] for cls in type(con).__mro__]


def database_of(con: Any) -> tuple[str, Database] | None:
    """The package of *con*'s driver, and its database; None where none is known. No driver is imported for it."""
    modules = modules_of(con)
    return next(
        ((module, database) for database in DATABASES for module in modules if module in database.drivers), None
    )


def database_of_scheme(scheme: str) -> Database | None:
    """The database that opens URLs of *scheme* itself."""
    return next((database for database in DATABASES if scheme in database.schemes), None)


def is_file_scheme(scheme: str) -> bool:
    """Tell whether URLs of *scheme*, SQLAlchemy's ``duckdb`` and ``sqlite+pysqlite`` among them, name a file."""
    folder = scheme.partition("+")[0]
    return any(database.is_file and database.folder == folder for database in DATABASES)
