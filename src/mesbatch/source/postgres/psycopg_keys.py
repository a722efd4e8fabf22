"""Keys of PostgreSQL through psycopg 3, which describes a statement's binds without running it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from psycopg import generators, pq
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from mesbatch.source.key_forms import FilterColumn, KeyedQuery
from mesbatch.source.postgres.filter_column import describe_filter
from mesbatch.source.postgres.keys import PostgresKeys
from mesbatch.source.session import Session
from mesbatch.sql.keyed import bind_name

COPY_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}  # backslashes first: the others write some


class PsycopgKeys(PostgresKeys):
    """`PostgresKeys`, with the filter's type from the description of its bind."""

    def describe_filter(self, session: Session, query: KeyedQuery) -> FilterColumn:
        with _protected(session.connection):
            return describe_filter(session, query, _type_of_bind(session, query))

    def fill(self, session: Session, table: str, lists: Iterable[list[Any]], type_: str) -> None:
        encoding = session.connection.info.encoding
        encoding = "utf-8" if encoding == "ascii" else encoding  # as psycopg writes texts into a database without one
        with session.connection.cursor() as cursor, cursor.copy(f"COPY {table} (key) FROM STDIN") as copy:
            for keys in lists:
                if isinstance(keys[0], str):
                    copy.write(_as_lines(keys).encode(encoding))
                else:
                    for key in keys:
                        copy.write_row((key,))


def _as_lines(keys: list[str]) -> str:
    """Texts as lines of COPY, which psycopg takes 1.4 us a key to write one by one.

    Only backslashes, tabs and ends of lines are special
    (https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2).
    """
    joined = "".join(keys)
    if any(special in joined for special in COPY_ESCAPES):
        for special, escaped in COPY_ESCAPES.items():
            keys = [key.replace(special, escaped) for key in keys]
    return "\n".join(keys) + "\n"


def _type_of_bind(session: Session, query: KeyedQuery) -> int:
    """The number of the type that PostgreSQL gives to an untyped bind in place of ``:keys``; 0 where it cannot tell."""
    statement, connection = query.statement, session.connection.pgconn
    (bind,) = statement.placeholders(1)
    text, params = statement.with_keys(bind, [None])
    converted = PostgresQuery(Transformer(session.connection))
    converted.convert(text, params)
    if isinstance(params, Mapping):
        index = list(converted._order or ()).index(bind_name(0))
    else:
        index = statement.count_binds_before()
    connection.send_prepare(b"", converted.query, converted.types)
    if _result(session.connection).status != pq.ExecStatus.COMMAND_OK:
        return 0
    connection.send_describe_prepared(b"")
    return int(_result(session.connection).param_type(index) or 0)


def _result(connection: Any) -> Any:
    """The answer to what was sent, waited for as psycopg waits: libpq's own calls could not be interrupted."""
    return connection.wait(generators.execute(connection.pgconn))[-1]


def _protected(connection: Any) -> AbstractContextManager[Any]:
    """A savepoint where an error would spoil a transaction."""
    in_transaction = connection.info.transaction_status == pq.TransactionStatus.INTRANS or not connection.autocommit
    return connection.transaction() if in_transaction else nullcontext()
