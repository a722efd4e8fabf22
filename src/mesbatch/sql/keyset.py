"""A statement ordered by the columns of a keyset, from a place on: text and binds in the driver's own style."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mesbatch.errors import StatementError
from mesbatch.sql.keyed import BINDS, NUMBERED, PERCENT, Params, bind_name, numbered, style_beside


def by_keyset(
    sql: str, params: Params, names: Sequence[str], after: Sequence[Any] | None, paramstyle: str,
    quote: Callable[[str], str],
) -> tuple[str, Params]:  # fmt: skip
    """Order *sql* by the columns *names*, and keep the rows from the values *after* on; quotes come from *quote*.

    The place is written as OR-terms, which every database knows, and which say the same whatever the columns' types.
    The row at the place itself comes again, and so does every NULL: where the database takes other values for equal,
    or orders NULLs last, nothing is left out before `mesbatch.keys.ascent` has looked at it.

    Raises:
        StatementError: nobody knows how the driver writes binds.

    >>> sql, params = by_keyset("select * from t", None, ["day", "id"], ["d", 7], "qmark", '"{}"'.format)
    >>> print(sql, params)
    SELECT * FROM (
    select * from t
    ) mesbatch_rows
    WHERE ("day" > ?) OR ("day" = ? AND "id" >= ?) OR "day" IS NULL OR "id" IS NULL
    ORDER BY "day", "id" ('d', 'd', 7)
    """
    columns = [quote(name) for name in names]
    if after is None:
        return _wrapped(sql, "", columns), params
    if paramstyle not in BINDS and paramstyle not in NUMBERED:
        raise StatementError("to go on needs binds, and nobody knows how the driver writes them: name paramstyle=")
    paramstyle = style_beside(sql, params, paramstyle)
    if paramstyle in PERCENT:  # a percent sign that is no bind is written twice, once anything is bound
        columns = [column.replace("%", "%%") for column in columns]
        sql = sql.replace("%", "%%") if params is None else sql
    used = [position for last in range(len(columns)) for position in range(last + 1)]
    binds = iter(_binds(used, params, paramstyle))
    terms = []
    for last, column in enumerate(columns):
        above = ">=" if last == len(columns) - 1 else ">"
        equal = [f"{before} = {next(binds)}" for before in columns[:last]]
        terms.append(" AND ".join([*equal, f"{column} {above} {next(binds)}"]))
    where = " OR ".join([*(f"({term})" for term in terms), *(f"{column} IS NULL" for column in columns)])
    where = f"WHERE {where}\n"
    return _wrapped(sql, where, columns), _bound(used, params, after)


def _wrapped(sql: str, where: str, columns: Sequence[str]) -> str:
    return f"SELECT * FROM (\n{sql}\n) mesbatch_rows\n{where}ORDER BY {', '.join(columns)}"


def _binds(used: Sequence[int], params: Params, paramstyle: str) -> list[str]:
    if paramstyle in NUMBERED:
        return numbered(paramstyle, params, len(used))
    by_position, by_name = BINDS[paramstyle]
    if isinstance(params, Mapping):
        return [by_name.format(bind_name(position)) for position in used]
    return [by_position.format(bind_name(number)) for number in range(len(used))]


def _bound(used: Sequence[int], params: Params, after: Sequence[Any]) -> Params:
    if isinstance(params, Mapping):
        return {**params, **{bind_name(position): value for position, value in enumerate(after)}}
    return (*(params or ()), *(after[position] for position in used))
