"""PostgreSQL through pg8000, which holds whole results and cannot be interrupted by itself."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pg8000
from pg8000.dbapi import convert_paramstyle

from mesbatch.batch import Column
from mesbatch.errors import ConnectionClosed, ConnectionLost, MesbatchError
from mesbatch.source.dbapi import describe
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.paramstyle import paramstyle_of
from mesbatch.source.postgres.errors import meaning_of_sqlstate
from mesbatch.source.postgres.oids import declared
from mesbatch.source.postgres.prepared_keys import PreparedKeys
from mesbatch.source.postgres.server import DeclaringDriver
from mesbatch.source.postgres.text_values import AS_TEXT_OIDS, PLAIN_OIDS
from mesbatch.source.session import Params, Session

# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-CANCELREQUEST
CANCEL_REQUEST = 80877102
CANCEL_SECONDS = 1.0


class Pg8000Driver(DeclaringDriver):
    """pg8000 by cursors of the server, on our own connections and on the caller's."""

    keys: KeyForms = PreparedKeys()

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = paramstyle_of(connection)

    def describe(self, cursor: Any) -> tuple[Column, ...]:
        names = describe(cursor.description)
        fields = cursor._context.columns  # all that the server tells, of which the description leaves most out
        return tuple(
            Column(name.name, *declared(field["type_oid"], field["type_size"], field["type_modifier"]))
            for name, field in zip(names, fields)
        )

    def fetch_from(self, cursor: Any, sql: str) -> list[Any]:
        with _as_texts(cursor._c):
            return super().fetch_from(cursor, sql)

    def numbered(self, session: Session, sql: str, params: Params, mark: str) -> tuple[str, int]:
        text, values = convert_paramstyle(self.paramstyle, sql, params)
        return text, list(values).index(mark) + 1

    def is_idle(self, connection: Any) -> bool:
        return not connection._in_transaction

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        told = error.args[0] if error.args else None
        if isinstance(error, pg8000.DatabaseError) and isinstance(told, dict) and "C" in told:
            return meaning_of_sqlstate(told["C"])
        if isinstance(error, pg8000.InterfaceError):
            return ConnectionClosed if "closed" in str(error) else ConnectionLost
        return ConnectionLost if isinstance(error, struct.error | OSError) else None  # an answer that was cut

    def interrupt(self, connection: Any) -> None:
        """Ask the server to cancel as libpq does: by a message of its own on a new connection, without a login."""
        wire = connection._usock
        with socket.socket(wire.family, socket.SOCK_STREAM) as asking:
            asking.settimeout(CANCEL_SECONDS)
            asking.connect(wire.getpeername())
            asking.sendall(struct.pack("!ii", 16, CANCEL_REQUEST) + connection._backend_key_data)
            asking.recv(1)  # the server closes once it has done so

    def cut(self, connection: Any) -> None:
        connection._usock.shutdown(socket.SHUT_RDWR)


@contextmanager
def _as_texts(connection: Any) -> Iterator[None]:
    """Values as texts but for those of plain types, while we fetch: the conversions belong to the connection."""
    before = dict(connection.pg_types)
    connection.pg_types.update(dict.fromkeys((AS_TEXT_OIDS | before.keys()) - PLAIN_OIDS, str))
    try:
        yield
    finally:
        connection.pg_types.clear()
        connection.pg_types.update(before)
