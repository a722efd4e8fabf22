"""SQLAlchemy's statements, compiled for the driver underneath: text, binds, and what makes values of their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Integer, Numeric, TextClause, bindparam
from sqlalchemy.engine import Connection, Dialect, Engine, default, make_url
from sqlalchemy.sql.expression import ClauseElement, Select

from mesbatch.batch import Column
from mesbatch.errors import StatementError
from mesbatch.source.databases import database_of
from mesbatch.source.drivers import driver_of, pooled_session, session_of
from mesbatch.source.postgres.oids import TYPES
from mesbatch.source.session import Params
from mesbatch.source.sqlalchemy.lists import write_lists
from mesbatch.source.unwrap import is_wrapper, pool_of, unwrap

Converter = Callable[[Any], Any]
# SQLAlchemy's place for an expanding list; a text() keeps the parentheses that its author wrote around it.
KEYS_COMPILED = re.compile(r"\(\(__\[POSTCOMPILE_keys[^]]*\]\)\)|\(__\[POSTCOMPILE_keys[^]]*\]\)")

OTHER_COMPILED = re.compile(r"__\[POSTCOMPILE_([^]~]*)")


class Compiled(NamedTuple):
    """A statement in the driver's words: text, parameters, and the conversions by the types of its columns.

    *converters* are made from the columns of the result. Only a ``select()`` knows its columns' types; of a ``text()``
    the values stay the driver's, and there are none. *key_converter* makes the driver's value of a key.
    """

    text: str
    params: Params
    converters: Callable[[tuple[Column, ...]], list[Converter | None] | None] | None
    key_converter: Converter | None


def compile_statement(
    statement: ClauseElement, con: Any, params: Params, *, keyed: bool, paramstyle: str | None = None
) -> Compiled:
    """Compile *statement* for the driver that *con* reads with; *paramstyle* is that of one that is not known.

    Raises:
        StatementError: nobody knows how the driver writes binds, or *params* are no mapping.
    """
    if params is not None and not isinstance(params, Mapping):
        raise StatementError(f"a SQLAlchemy statement takes its params as a mapping, got {type(params).__name__}")
    if isinstance(statement, TextClause) and keyed and "keys" in statement._bindparams:
        statement = statement.bindparams(bindparam("keys", expanding=True))
    if keyed and isinstance(statement, Select):
        statement = write_lists(statement, params or {})
    dialect = _dialect(con, paramstyle)
    compiled: Any = statement.compile(dialect=dialect, compile_kwargs={} if keyed else {"render_postcompile": True})
    given = compiled.construct_params({"keys": None, **params} if params and keyed else params, _check=False)
    values = {name: _to_driver(compiled.binds[name], value, dialect) for name, value in given.items() if name != "keys"}
    text = KEYS_COMPILED.sub("(:keys)", str(compiled))
    if keyed and (other := OTHER_COMPILED.search(text)):
        raise StatementError(
            f"{other[1]!r} beside the keys is a list of a text() or of tuples, or a value that SQLAlchemy writes out "
            "only when it executes: give it one bind for each value"
        )
    converters = partial(_converters, statement, dialect) if isinstance(statement, Select) else None
    bind = compiled.binds.get("keys") if keyed else None
    key_converter = None if bind is None else bind.type.dialect_impl(dialect).bind_processor(dialect)
    if not compiled.positional:
        return Compiled(text, values, converters, key_converter)
    by_position = tuple(values[name] for name in compiled.positiontup or () if name != "keys")
    return Compiled(text, by_position, converters, key_converter)


def _to_driver(bind: BindParameter[Any], value: Any, dialect: Dialect) -> Any:
    convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
    return convert(value) if convert else value


def _converters(statement: Select[Any], dialect: Dialect, columns: tuple[Column, ...]) -> list[Converter | None] | None:
    types = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
    converters: list[Converter | None] = [
        _oracle_converter(type_)
        if dialect.name == "oracle" and isinstance(type_, Integer | Numeric)
        else type_.result_processor(dialect, _type_code(dialect, column))
        for type_, column in zip(types, columns)
    ]
    return converters if any(converters) else None


def _oracle_converter(type_: Integer | Numeric[Any]) -> Converter:
    """The conversion of a NUMBER by the dialect's own type handler, which belongs to its cursors."""
    wanted: type = int if isinstance(type_, Integer) else Decimal if type_.asdecimal else float

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, wanted):
            return value
        return Decimal(str(value)) if wanted is Decimal else wanted(value)

    return convert


def _type_code(dialect: Dialect, column: Column) -> int | None:
    """The number of a column's type, which SQLAlchemy asks for on PostgreSQL only."""
    if dialect.name != "postgresql" or column.type is None:
        return None
    return TYPES[column.type][0] if column.type in TYPES else None


def _dialect(con: Any, paramstyle: str | None) -> Dialect:
    if hasattr(con, "dialect_of"):
        return _dialect(con.dialect_of, paramstyle)
    if isinstance(con, Engine | Connection):
        return _without_numbers(con.dialect)
    if isinstance(con, str):
        dialect = make_url(con).get_dialect()
        return _without_numbers(dialect(dbapi=dialect.import_dbapi()))  # type: ignore[call-arg]
    if is_wrapper(con):
        return _dialect(unwrap(con), paramstyle)
    if (found := pool_of(con)) is not None:
        with closing(pooled_session(*found)) as session:
            return _dialect(session.connection, paramstyle)
    known = database_of(con)
    if known is None and callable(con):
        with closing(session_of(con)) as session:  # nothing else tells which driver a function connects with
            return _dialect(session.connection, paramstyle)
    if known is not None and known[1].sqlalchemy:
        return make_url(known[1].sqlalchemy.format(known[0])).get_dialect()()
    style = paramstyle or driver_of(con).paramstyle
    if not style:
        raise StatementError("a SQLAlchemy statement needs the paramstyle of the driver: name it with paramstyle=")
    return default.DefaultDialect(paramstyle="qmark" if style.startswith("qmark") else style)  # type: ignore[arg-type]


def _without_numbers(dialect: Dialect) -> Dialect:
    """Give *dialect* with binds that are not numbered, as duckdb_engine's are: those of keys come between them."""
    if dialect.paramstyle != "numeric_dollar":
        return dialect
    return dialect.__class__(paramstyle="qmark")  # type: ignore[call-arg]
