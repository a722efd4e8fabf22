"""PostgreSQL through psycopg2, whose own cursors hold whole results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from uuid import UUID

import psycopg2
from psycopg2 import extensions

from mesbatch.batch import Column
from mesbatch.errors import ConnectionClosed, ConnectionLost, MesbatchError
from mesbatch.source.dbapi import describe
from mesbatch.source.documents import read_any_document, read_document
from mesbatch.source.key_forms import KeyedQuery, KeyForms
from mesbatch.source.postgres.errors import meaning_of_sqlstate
from mesbatch.source.postgres.oids import TYPES, declared
from mesbatch.source.postgres.prepared_keys import PreparedKeys
from mesbatch.source.postgres.server import DeclaringDriver
from mesbatch.source.session import Params, Session

RANGES = tuple(f"{kind}range" for kind in ("int4", "int8", "num", "date", "ts", "tstz"))
INFINITE = ("date", "timestamp", "timestamptz")  # psycopg2 makes the largest date of Python of an infinity


class Psycopg2Keys(PreparedKeys):
    """Keys as psycopg2 writes them into the text of a statement."""

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        return [str(key) if isinstance(key, UUID) else key for key in super().bound(query, keys)]

    def as_array(self, keys: list[Any]) -> Any:
        return super().as_array([str(key) for key in keys] if isinstance(keys[0], UUID) else keys)


class Psycopg2Driver(DeclaringDriver):
    """psycopg2 by cursors of the server, on our own connections and on the caller's."""

    keys: KeyForms = Psycopg2Keys()

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = "pyformat"

    def open_cursor(self, session: Session) -> Any:
        """A cursor of tuples, whatever class the caller's connection makes, whose values are not changed."""
        cursor = session.connection.cursor(cursor_factory=extensions.cursor)
        for caster in _casters():
            extensions.register_type(caster, cursor)
        return cursor

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
def _casters() -> list[Any]:
    """psycopg2's conversions that would change a value, replaced for our cursors alone."""
    makers: dict[str, Callable[[str], Any]] = {
        "bytea": lambda text: bytes.fromhex(text.removeprefix("\\x")),
        "uuid": UUID,
        "json": read_any_document,
        "jsonb": read_document,
        **dict.fromkeys(RANGES, str),
    }
    casters = []
    for name, (oid, array_oid) in TYPES.items():
        caster = _checked(oid, _check_has_no_months if name == "interval" else _check_is_finite)
        if name in makers:
            caster = extensions.new_type((oid,), name, _null_or(makers[name]))
        if name in makers or name in (*INFINITE, "interval"):
            casters += [caster, _checked_array(extensions.new_array_type((array_oid,), f"{name}[]", caster), array_oid)]
        elif array_oid in extensions.string_types:
            casters.append(_checked(array_oid, _check_begins_at_one))
    return casters


def _null_or(convert: Callable[[str], Any]) -> Callable[[str | None, Any], Any]:
    return lambda text, cursor: None if text is None else convert(text)


def _checked(oid: int, check: Callable[[str], None]) -> Any:
    """psycopg2's own conversion of a type, after *check*."""
    return _after(check, extensions.string_types.get(oid, extensions.UNICODE), oid)


def _checked_array(caster: Any, oid: int) -> Any:
    return _after(_check_begins_at_one, caster, oid)


def _after(check: Callable[[str], None], caster: Any, oid: int) -> Any:
    def convert(text: str | None, cursor: Any) -> Any:
        if text is not None:
            check(text)
        return caster(text, cursor)

    return extensions.new_type((oid,), f"mesbatch_{oid}", convert)


def _check_is_finite(text: str) -> None:
    if text in ("infinity", "-infinity"):
        raise ValueError(f"{text!r} has no form in Python: read it as text")


def _check_has_no_months(text: str) -> None:
    if "mon" in text or "year" in text:
        raise ValueError(f"{text!r}: months have no fixed number of days: read it as text")


def _check_begins_at_one(text: str) -> None:
    if text.startswith("["):
        raise ValueError(f"{text[:80]!r}: the bounds of an array do not begin at 1: read it as text")
