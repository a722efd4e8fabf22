"""PostgreSQL through psycopg2, whose own cursors hold whole results."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

import psycopg2
from psycopg2 import extensions

from mesbatch.batch import Column
from mesbatch.errors import ConnectionClosed, ConnectionLost, MesbatchError
from mesbatch.source.dbapi import describe
from mesbatch.source.key_forms import KeyedQuery, KeyForms, uuids_as_text
from mesbatch.source.postgres.errors import meaning_of_sqlstate
from mesbatch.source.postgres.oids import declared
from mesbatch.source.postgres.prepared_keys import PreparedKeys
from mesbatch.source.postgres.server import DeclaringDriver
from mesbatch.source.postgres.text_values import AS_TEXT_OIDS
from mesbatch.source.session import Params, Session


class Psycopg2Keys(PreparedKeys):
    """Keys as psycopg2 writes them into the text of a statement."""

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        return uuids_as_text(super().bound(query, keys))

    def bound_place(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(uuids_as_text(values))

    def as_array(self, keys: list[Any]) -> Any:
        return super().as_array(uuids_as_text(keys) if isinstance(keys[0], UUID) else keys)


class Psycopg2Driver(DeclaringDriver):
    """psycopg2 by cursors of the server, on our own connections and on the caller's."""

    keys: KeyForms = Psycopg2Keys()

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = "pyformat"

    def open_cursor(self, session: Session) -> Any:
        """A cursor of tuples, whatever class the caller's connection makes."""
        return session.connection.cursor(cursor_factory=extensions.cursor)

    def fetch_from(self, cursor: Any, sql: str) -> list[Any]:
        extensions.register_type(_as_text(), cursor)
        return super().fetch_from(cursor, sql)

    def describe(self, cursor: Any) -> tuple[Column, ...]:
        names = describe(cursor.description)
        return tuple(Column(name.name, *_declared(column)) for name, column in zip(names, cursor.description))

    def numbered(self, session: Session, sql: str, params: Params, mark: str) -> tuple[str, int]:
        with session.connection.cursor(cursor_factory=extensions.cursor) as cursor:
            text = cursor.mogrify(sql, _with_place(params, mark))
        return text.decode(extensions.encodings[session.connection.encoding]), 1

    def is_idle(self, connection: Any) -> bool:
        return bool(connection.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE)

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        if not isinstance(error, psycopg2.Error):
            return None
        if error.pgcode is not None:
            return meaning_of_sqlstate(error.pgcode)
        if isinstance(error, psycopg2.InterfaceError) and "closed" in str(error):
            return ConnectionClosed
        # Without a code it is the client library's own: psycopg2 has no class for a connection that broke.
        broken = isinstance(error, psycopg2.OperationalError) or "server closed the connection" in str(error)
        return ConnectionLost if broken else None

    def interrupt(self, connection: Any) -> None:
        connection.cancel()


def _declared(column: Any) -> tuple[str | None, int | None, int | None, int | None]:
    """psycopg2 puts a width, or the digits of a numeric, into one field."""
    name, width, *_ = declared(column.type_code, column.internal_size or -1, -1)
    return (name, None, column.precision, column.scale) if name == "numeric" else (name, width, None, None)


def _with_place(params: Params, mark: str) -> Params:
    """*params* with a numbered parameter of PREPARE in place of *mark*."""
    place = extensions.AsIs("$1")
    if isinstance(params, Mapping):
        return {name: place if value == mark else value for name, value in params.items()}
    return tuple(place if isinstance(value, str) and value == mark else value for value in params or ())


@cache
def _as_text() -> Any:
    """Make the conversion that leaves the server's text of all types as it is but for plain ones."""
    return extensions.new_type(tuple(AS_TEXT_OIDS), "mesbatch_text", lambda text, cursor: text)
