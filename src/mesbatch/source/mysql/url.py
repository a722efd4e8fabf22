"""MySQL and MariaDB behind URLs, through the first driver that is installed, or the one that the URL names."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mesbatch.errors import UnknownSource
from mesbatch.source.drivers import session_of
from mesbatch.source.session import Session

# SQLAlchemy's names of the drivers, and the modules; the C library's first, which is several times as fast.
MODULES = {
    "mysqldb": "MySQLdb",
    "pymysql": "pymysql",
    "mysqlconnector": "mysql.connector",
    "mariadbconnector": "mariadb",
}
PORT = 3306
TEXTS = frozenset({"unix_socket", "charset", "collation", "ssl_ca", "ssl_cert", "ssl_key"})
NUMBERS = frozenset({"connect_timeout", "read_timeout", "write_timeout"})


def connect(url: str, timeout: float | None) -> Callable[[], Session]:
    """A function that connects to *url* within *timeout* seconds.

    Raises:
        UnknownSource: the URL has an option that is none of the drivers'.
    """
    name = urlsplit(url).scheme.partition("+")[2]
    options = arguments_of(url)
    if timeout is not None:
        options.setdefault("connect_timeout", ceil(timeout))

    def open_session() -> Session:
        module = MODULES[name] if name else _installed()
        return session_of(lambda: _connect(module, options))

    return open_session


def connect_for_arrow(url: str) -> Callable[[str, Any], Session | None] | None:
    """None: no driver of these gives record batches."""
    return None


def steady_url(url: str) -> str:
    """*url* as it is: a statement gives its rows in the order of the index that it reads."""
    return url


def arguments_of(url: str) -> dict[str, Any]:
    """The keyword arguments of the drivers' ``connect`` for *url*.

    >>> arguments_of("mysql://ann:p%40ss@db:3307/mes?charset=utf8mb4")
    {'host': 'db', 'port': 3307, 'user': 'ann', 'password': 'p@ss', 'database': 'mes', 'charset': 'utf8mb4'}
    """
    parts = urlsplit(url)
    found: dict[str, Any] = {"host": parts.hostname or "localhost", "port": parts.port or PORT}
    for name, value in (("user", parts.username), ("password", parts.password), ("database", parts.path[1:])):
        if value:
            found[name] = unquote(value)
    for name, value in parse_qsl(parts.query):
        if name not in TEXTS | NUMBERS:
            known = ", ".join(sorted(TEXTS | NUMBERS))
            raise UnknownSource(f"a URL of MySQL has no option {name!r}: the options are {known}")
        found[name] = int(value) if name in NUMBERS else value
    return found


def _installed() -> str:
    for module in MODULES.values():
        if find_spec(module.partition(".")[0]) and find_spec(module):
            return module
    raise UnknownSource("no driver of MySQL is installed: pip install 'mesbatch[mysql]'")


def _connect(module: str, options: dict[str, Any]) -> Any:
    given = dict(options)
    if module == "mysql.connector":
        given |= {"use_pure": True}  # its C extension gives None for dates that Python does not have
        if "connect_timeout" in given:
            given["connection_timeout"] = given.pop("connect_timeout")
    if module == "mariadb":
        given.pop("charset", None)  # always utf8mb4
    else:
        given.setdefault("charset", "utf8mb4")
    if module == "MySQLdb":
        given = _mysqlclient(given)
    return import_module(module).connect(autocommit=True, **given)


def _mysqlclient(given: dict[str, Any]) -> dict[str, Any]:
    ssl = {name.removeprefix("ssl_"): given.pop(name) for name in ("ssl_ca", "ssl_cert", "ssl_key") if name in given}
    return {**given, "ssl": ssl} if ssl else given
