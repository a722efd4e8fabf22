"""`OracleSource`: an Oracle database with a say in how its LOBs, CHAR values and calls are treated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from mesbatch.errors import UnknownSource
from mesbatch.source.connect import find_source
from mesbatch.source.databases import modules_of
from mesbatch.source.oracle import errors as oracle_errors
from mesbatch.source.oracle.driver import FetchModes, Numbers, OracleDriver, pool_source
from mesbatch.source.oracle.lobs import Loan, LobPolicy
from mesbatch.source.session import Session, Source


@dataclass(frozen=True)
class OracleSource:
    """Oracle behind *con*, with choices for LOBs, CHAR values and slow calls.

    Pass it where `read_sql_iter` takes *con*. Without it a pool or connection is read as ``OracleSource(con)``.

    The choices for *lobs* are:

    * ``whole``: text or bytes. The size of each is known before it is read, in a round trip of its own; one above
      *lob_limit* raises `RowTooLarge`, unread.
    * ``inline``: they come with their rows, without round trips of their own, and are in memory before their size is
      known; one above *lob_limit* (64 KiB by default) raises `RowTooLarge`. For columns whose values you know to be
      small.
    * ``slices``: those above *lob_limit* are `LobSlices`, read while you iterate over them.
    * ``omit``: None, and nothing of them is read.
    * ``refuse``: a result with such a column raises `StatementError` before a row is fetched.

    Args:
        con: A pool, a connection, a function that connects, or a SQLAlchemy engine or connection.
        lobs: The treatment of CLOB and BLOB columns: ``whole``, ``inline``, ``slices``, ``omit`` or ``refuse``.
        lob_limit: The largest LOB, in bytes of a BLOB and characters of a CLOB; by default the reader's ``max_bytes``.
        strip_char: True takes off the blanks that pad CHAR values.
        numbers: ``exact`` gives a NUMBER as an int or float where that holds every value of its column, and else as a
            Decimal; ``driver`` gives what the driver gives by itself. Arrow has the declared types either way.
        call_timeout: Seconds for one round trip on our own connections; the read's ``timeout`` bounds all of them
            together.

    Raises:
        UnknownSource: *con* is none of these.
        ValueError: an unknown policy, a limit that is not above 0, or a *call_timeout* for the caller's own connection.

    >>> OracleSource(lambda: None, lobs="maybe")
    Traceback (most recent call last):
        ...
    ValueError: lobs must be one of whole, inline, slices, omit, refuse; got 'maybe'
    """

    con: Any
    lobs: LobPolicy = "whole"
    lob_limit: int | None = None
    strip_char: bool = False
    numbers: Numbers = "exact"
    call_timeout: float | None = None

    def __post_init__(self) -> None:
        if self.lobs not in get_args(LobPolicy):
            raise ValueError(f"lobs must be one of {', '.join(get_args(LobPolicy))}; got {self.lobs!r}")
        if self.numbers not in get_args(Numbers):
            raise ValueError(f"numbers must be one of {', '.join(get_args(Numbers))}; got {self.numbers!r}")
        for name in ("lob_limit", "call_timeout"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value!r}")
        if self.call_timeout is not None and not self._source().owned:
            raise ValueError(
                f"call_timeout={self.call_timeout}: a connection that you pass stays as it is; set its call_timeout "
                "yourself"
            )

    @property
    def dialect_of(self) -> Any:
        """The engine, connection or URL whose dialect a SQLAlchemy statement is compiled for."""
        return self.con if "sqlalchemy" in modules_of(self.con) else "oracle+oracledb://"

    def as_source(self) -> Source:
        """The source that the reader opens its sessions with."""
        source = self._source()
        return Source(lambda: self._open(source), source.owned, source.label)

    def _source(self) -> Source:
        con = self.con
        if hasattr(con, "acquire"):
            return pool_source(con)
        if isinstance(con, str) or hasattr(con, "as_source"):
            raise UnknownSource(
                "OracleSource takes a pool, a connection, a function that connects, or a SQLAlchemy engine or "
                f"connection; got {type(con).__qualname__}"
            )
        return find_source(con)

    def _open(self, source: Source) -> Session:
        with oracle_errors.explained(source.label):
            session = source.open()
        if not isinstance(session.driver, OracleDriver):
            session.close()
            raise UnknownSource(f"OracleSource reads Oracle; {source.label} is {session.driver.dialect}")
        modes = FetchModes(self.lobs, self.lob_limit, self.strip_char, self.numbers)
        connection = session.connection
        if not session.owned:
            session.driver = OracleDriver(connection, modes)
            return session
        restore = limit_calls(connection, self.call_timeout)

        def give_back() -> None:
            restore()
            session._release()

        loan = Loan(give_back)
        return Session(OracleDriver(connection, modes, loan), connection, True, loan.end, session._discard)


def limit_calls(connection: Any, timeout: float | None) -> Callable[[], None]:
    """Set the timeout of a connection's calls, in seconds; what is given back puts the old one into place again."""
    if timeout is None:
        return lambda: None
    before = connection.call_timeout
    connection.call_timeout = max(1, round(timeout * 1_000))

    def restore() -> None:
        if connection.is_healthy():  # setting it on a dead session kills the interpreter
            connection.call_timeout = before

    return restore
