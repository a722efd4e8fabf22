"""One connection that a read works on: opened when it is first needed, and again after it was spent."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag

from mesbatch.errors import ConnectionLost, MesbatchError
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.session import Driver, Session, Source


class Lane:
    """Opens sessions of a source, one at a time; *prepare* is run on each, before anything is read on it.

    Without *repeatable*, or on the caller's own connection, nothing is read a second time.
    """

    def __init__(
        self, source: Source, prepare: Callable[[Session], None] | None = None, *, repeatable: bool = True
    ) -> None:
        self.source, self._repeatable = source, repeatable and source.owned
        self.stopped = Flag()  # set when the read ends early: no lane waits for another try then
        self._prepare = prepare
        self._session: Session | None = None
        self._interrupted: Session | None = None
        self._driver: Driver = DbapiDriver()
        self.careful = False  # a text was no UTF-8: the driver is to name the next ones

    def session(self) -> Session:
        if self._session is None:
            session = self.source.open()
            session.careful = self.careful
            if self._prepare is not None:
                try:
                    self._prepare(session)
                except BaseException:
                    session.close(spent=True)
                    raise
            self._session, self._driver = session, session.driver
        return self._session

    @property
    def dialect(self) -> str:
        """The kind of database, such as ``postgres``."""
        return self._driver.dialect

    def is_transient(self, error: Exception) -> bool:
        """True for an error after which the same read may succeed on another connection of this source."""
        return self._repeatable and (isinstance(error, ConnectionLost) or self._driver.is_transient(error))

    def translated(self, error: Exception) -> Exception:
        """Our error for what the driver's means, raised from it; or the driver's own."""
        meaning = None if isinstance(error, MesbatchError) else self._driver.meaning_of(error)
        if meaning is None:
            return error
        ours = meaning(f"{self.source.label}: {error}").hidden()
        ours.__cause__ = error
        return ours

    def spend(self) -> None:
        """The connection failed: it is thrown away, and the next session is a new one."""
        self._end(spent=True)

    def interrupt(self) -> None:
        """Make what this lane's connection is doing in another thread fail soon; a second time by cutting it."""
        self.stopped.set()
        session = self._session
        if session is not None and session is not self._interrupted:
            self._interrupted = session
            session.interrupt()
        elif session is not None:
            session.cut()  # a network that swallows answers does not tell

    def close(self) -> None:
        """Give the connection back; not to a pool where an interruption may still be on its way to it."""
        self._end(spent=self._session is not None and self._session is self._interrupted)

    def _end(self, *, spent: bool) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close(spent=spent)
