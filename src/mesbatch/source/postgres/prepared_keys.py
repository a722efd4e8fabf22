"""Keys of PostgreSQL through drivers that describe no binds: the server's own PREPARE tells the filter's type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mesbatch.source.key_forms import FilterColumn, KeyedQuery, new_table_name
from mesbatch.source.postgres.filter_column import describe_filter
from mesbatch.source.postgres.keys import PostgresKeys
from mesbatch.source.session import Session

MARK = "mesbatch_bind_of_keys"
PARAMETER = "SELECT parameter_types[{number}]::oid::bigint FROM pg_prepared_statements WHERE name = '{name}'"


class PreparedKeys(PostgresKeys):
    """`PostgresKeys`, with the filter's type from a statement that is prepared and never run."""

    binds_floats = False

    def describe_filter(self, session: Session, query: KeyedQuery) -> FilterColumn:
        oid = 0
        with suppress(Exception), _protected(session):  # a bind whose type the server cannot tell
            oid = _type_of_bind(session, query)
        with _protected(session):
            return describe_filter(session, query, oid)


def _type_of_bind(session: Session, query: KeyedQuery) -> int:
    """The number of the type that PostgreSQL gives to an untyped bind in place of ``:keys``."""
    driver: Any = session.driver
    (bind,) = query.statement.placeholders(1)
    text, number = driver.numbered(session, *query.statement.with_keys(bind, [MARK]), MARK)
    name = new_table_name()
    driver.run(session, f"PREPARE {name} AS {text}")
    try:
        ((oid,),) = driver.fetch_all(session, PARAMETER.format(number=number, name=name), None)
        return int(oid)
    finally:
        driver.run(session, f"DEALLOCATE {name}")


@contextmanager
def _protected(session: Session) -> Iterator[None]:
    """A savepoint where an error would spoil a transaction."""
    driver: Any = session.driver
    if session.connection.autocommit and driver.is_idle(session.connection):
        yield
        return
    driver.run(session, "SAVEPOINT mesbatch_described")
    try:
        yield
    except BaseException:
        driver.run(session, "ROLLBACK TO SAVEPOINT mesbatch_described")
        raise
    finally:
        driver.run(session, "RELEASE SAVEPOINT mesbatch_described")
