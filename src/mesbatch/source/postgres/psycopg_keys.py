"""Keys of PostgreSQL through psycopg 3, which describes a statement's binds without running it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from psycopg import pq
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer
from psycopg.rows import tuple_row

from mesbatch.source.key_forms import FilterColumn, KeyedQuery
from mesbatch.source.postgres.filter_column import describe_filter
from mesbatch.source.postgres.keys import PostgresKeys
from mesbatch.source.session import Params, Session


class PsycopgKeys(PostgresKeys):
    """`PostgresKeys`, with the filter's type from the description of its bind."""

    def describe_filter(self, session: Session, query: KeyedQuery, names: int) -> FilterColumn:
        def fetch(sql: str, params: Params) -> list[tuple[Any, ...]]:
            with session.connection.cursor(row_factory=tuple_row) as cursor:
                rows: list[tuple[Any, ...]] = cursor.execute(sql, params).fetchall()
                return rows

        with _protected(session.connection):
            return describe_filter(fetch, query, names, _type_of_bind(session, query))


def _type_of_bind(session: Session, query: KeyedQuery) -> int:
    """The number of the type that PostgreSQL gives to an untyped bind in place of ``:keys``; 0 where it cannot tell."""
    statement, connection = query.statement, session.connection.pgconn
    (bind,) = statement.placeholders(1)
    text, params = statement.with_keys(bind, [None])
    converted = PostgresQuery(Transformer(session.connection))
    converted.convert(text, params)
    if isinstance(params, Mapping):
        index = list(converted._order or ()).index(statement.bind_name(0))
    else:
        index = statement.count_binds_before()
    if connection.prepare(b"", converted.query, converted.types).status != pq.ExecStatus.COMMAND_OK:
        return 0
    return int(connection.describe_prepared(b"").param_type(index))


def _protected(connection: Any) -> AbstractContextManager[Any]:
    """A savepoint where an error would spoil a transaction."""
    in_transaction = connection.info.transaction_status == pq.TransactionStatus.INTRANS or not connection.autocommit
    return connection.transaction() if in_transaction else nullcontext()
