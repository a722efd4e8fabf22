"""The reason why connecting failed, told apart by the driver's codes and words, without repeating either."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mesbatch.errors import ConnectionLost, LoginRefused, MissingDriver, SourceError

# The packages that bring a module, where the two have other names; ours as extras.
PACKAGES = {
    "psycopg": "mesbatch[postgres]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "duckdb_engine": "duckdb-engine",
    "adbc_driver_manager": "mesbatch[arrow]",
}
# By codes where the driver has one (SQLSTATE, Oracle's, MySQL's), by the words of the server or the system where not.
REASONS: tuple[tuple[str, type[SourceError], str], ...] = (
    (
        (
            r"Name or service not known|could not translate host|getaddrinfo|name resolution|nodename nor servname"
            r"|Unknown (MySQL )?server host|\b2005\b|DPY-6005.*Errno -\d"
        ),
        ConnectionLost,
        "the name of the host is not known",
    ),
    (r"DPY-4001", LoginRefused, "no user or no password was given"),
    (
        r"28P01|28000|ORA-01017|ORA-01005|\b1045\b|password|authentication|Access denied|role .* does not exist|pg_hba",
        LoginRefused,
        "the user or the password was refused",
    ),
    (
        r"3D000|ORA-1251[24]|DPY-6001|\b1049\b|database .* does not exist|Unknown database",
        LoginRefused,
        "there is no such database",
    ),
    (
        r"unable to open database|CantOpen|cannot open database|No such file",  # a file may come later
        ConnectionLost,
        "there is no such database, or it cannot be opened",
    ),
    (
        r"Connection refused|\bE?CONNREFUSED\b|Errno 111|\b200[23]\b|DPY-6005|ORA-12541",
        ConnectionLost,
        "nothing listens on that port",
    ),
    (r"timed? ?out|timeout", ConnectionLost, "the host did not answer in time"),
)


def explain(label: str, error: Exception) -> SourceError:
    """The error for a connection to *label* that failed with *error*, whose own text may quote a password."""
    if isinstance(error, ImportError):
        module = (error.name or "").partition(".")[0]
        package = PACKAGES.get(module, module)
        return MissingDriver(
            f"cannot connect to {label}: no module {module!r} is installed: pip install '{package}'"
        ).hidden()
    text = "\n".join(_texts(error))
    for pattern, kind, reason in REASONS:
        if re.search(pattern, text):
            return kind(f"cannot connect to {label}: {reason} ({type(error).__name__})").hidden()
    return ConnectionLost(f"cannot connect to {label}: {type(error).__name__}").hidden()


def _texts(error: BaseException | None) -> Iterator[str]:
    """The words and codes of *error* and of those that it was raised from."""
    for _ in range(5):
        if error is None:
            return
        yield f"{type(error).__name__} {getattr(error, 'sqlstate', None)} {getattr(error, 'pgcode', None)} {error}"
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
