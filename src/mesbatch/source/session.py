"""One connection while we read from it: what a driver must be able to do, and who gives the connection back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mesbatch.batch import Column, Row
from mesbatch.errors import MesbatchError
from mesbatch.sql.keyed import Params as Params

if TYPE_CHECKING:
    from mesbatch.source.key_forms import KeyForms

# Of a request to cancel: it may be lost on the way as well, and some drivers open a connection for it.
INTERRUPT_SECONDS = 2.0

OnInvalidText = Literal["raise", "replace", "base64"]


class Rows(Protocol):
    """The rows of one running statement, fetched a few at a time."""

    columns: tuple[Column, ...]

    def fetch(self, size: int) -> list[Row]:
        """At most *size* further rows; an empty list at the end and ever after."""

    def close(self) -> None:
        """Give the cursor back; may be called twice."""


class Driver(Protocol):
    """Knowledge of one database and its driver; it holds no state of a connection.

    *dialect* is the database's kind, such as ``postgres``, and *keys* its ways with keys. *waits_for_fetch* says that
    the database sends rows only when they are asked for, so that asking ahead in a thread pays. *max_binds* is the most
    binds that one statement may carry. *bounded_values* says that `execute` itself refuses a value above *max_bytes*.
    *shares_snapshots* says that several connections can see one state of the data, and *moves_between_threads* that a
    connection may be used by another thread than the one that opened it. *waits_for_goodbye* says that closing a
    connection waits for an answer, and *cuts_borrowed* that the caller's own connection may be cut when no interruption
    reaches it.
    """

    dialect: str
    keys: KeyForms
    waits_for_fetch: bool
    max_binds: int
    paramstyle: str
    bounded_values: bool
    shares_snapshots: bool
    moves_between_threads: bool
    waits_for_goodbye: bool
    cuts_borrowed: bool

    def as_read(self, session: Session, sql: str) -> str:
        """*sql* as `mesbatch.sql` reads it, where the database has a spelling of its own."""

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows: ...

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        """The columns of a query without running it; None where the driver cannot tell."""

    def cost_of(self, session: Session, sql: str, params: Params) -> float | None:
        """The cost of a query by the database's planner; None where it does not say so cheaply."""

    def estimate(self, session: Session, sql: str, params: Params) -> int | None:
        """The number of rows of a query by the database's planner; None where it does not say so cheaply."""

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        """All rows of a small result, as tuples."""

    def run(self, session: Session, sql: str) -> None:
        """Execute a statement that returns no rows."""

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        """Begin a transaction that sees one state of the data: that of *snapshot*, or a new one, whose name is returned
        if other connections can share it."""

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        """Which of our errors the driver's error is; None where it is only itself."""

    def is_transient(self, error: BaseException) -> bool:
        """True for an error after which the same statement may succeed on another connection."""

    def interrupt(self, connection: Any) -> None:
        """Make a fetch that blocks in another thread fail soon; never touches a dead session."""

    def interrupt_session(self, session: Session) -> None:
        """`interrupt` the session's connection, by another one where the database takes it only from there."""

    def cut(self, connection: Any) -> None:
        """End the way to the database at once, so that a fetch which no interruption reaches fails."""


def _nothing() -> None:
    pass


@dataclass(eq=False)
class Session:
    """A connection, how to read from it, and what to do with it afterwards.

    A session that is not *owned* is the caller's: closing it does nothing, and nothing is retried on it. *share* says
    how many bytes the driver may hold while somebody reads; it may change meanwhile. *is_snapshot* says that its
    transaction was begun to see one state of the data, and *columnar* asks for record batches where the driver has
    them, for which the caller declares the types of *schema*. *on_invalid_text* says what becomes of text that is no
    UTF-8; *careful* asks a driver that fails on it without naming it to look at each text, and to go on.
    *connect_again* makes a second connection of the same kind, where we opened this one.
    """

    driver: Driver
    connection: Any
    owned: bool
    _release: Callable[[], None] = field(default=_nothing)
    _discard: Callable[[], None] = field(default=_nothing)
    share: Callable[[], int] | None = None
    is_snapshot: bool = False
    _open: bool = True
    columnar: bool = False
    schema: Any = None
    on_invalid_text: OnInvalidText = "raise"
    careful: bool = False
    connect_again: Callable[[], Any] | None = None

    def execute(self, sql: str, params: Params, max_bytes: int) -> Rows:
        return self.driver.execute(self, sql, params, max_bytes)

    def close(self, *, spent: bool = False) -> None:
        """Give the connection back; a *spent* one never to a pool. May be called twice."""
        if not self._open:
            return
        if spent and self.owned and self.driver.waits_for_goodbye:
            self.cut()
        self._open = False
        with suppress(
            Exception
        ):  # the read has its rows or its error already, and a dead connection cannot say goodbye
            self._discard() if spent else self._release()

    def interrupt(self) -> None:
        """Ask the database to end what runs; where it does not answer, cut a connection of ours."""
        asking = Thread(target=self._ask_to_end, name="mesbatch-interrupt", daemon=True)
        try:
            asking.start()
        except RuntimeError:  # the interpreter ends, and starts no thread
            self.cut()
            return
        asking.join(INTERRUPT_SECONDS)
        if asking.is_alive():
            self.cut()

    def _ask_to_end(self) -> None:
        with suppress(Exception):
            self.driver.interrupt_session(self)

    def cut(self) -> None:
        """End the way to the database at once; nothing once it is closed, for its socket's number is another's then."""
        if self._open and (self.owned or self.driver.cuts_borrowed):
            with suppress(Exception):
                self.driver.cut(self.connection)


@dataclass(frozen=True)
class Source:
    """The origin of sessions: *open* makes one; *label* names it in messages, without a password.

    *open_for_arrow* makes one that gives record batches of the query that it is told, with the types that the caller's
    schema declares, where *open* could not.
    """

    open: Callable[[], Session]
    owned: bool
    label: str
    open_for_arrow: Callable[[str, Any], Session | None] | None = None
