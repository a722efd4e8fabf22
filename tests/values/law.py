"""The law of the matrix: a value comes as the database has it, or an error names it and a way out that works."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mesbatch.errors import MesbatchError
from tests.values.kinds import TEXT, Kind
from tests.values.ways import Came, Way

_ROW = re.compile(r"column 'v' of row ([\d,]+)")
_CAST = re.compile(r"(?:CAST|TO_CHAR|TO_JSON)\(.+?\)+(?= |,|;|:|$)")
_SCHEMA = re.compile(r"schema=\{'v': (.+?)\}(?= |,|;|:|$)")
_INVALID = re.compile(r"on_invalid_text=['\"](\w+)['\"]")


@dataclass(frozen=True)
class Type:
    """A type of a database: its *literals*, and the *kind* by which they are compared.

    *readers* names those of the Parquet files that cannot hold it, and the kind by which theirs are compared, or None.
    """

    name: str
    literals: Sequence[Any]
    kind: Kind
    readers: Mapping[str, Kind | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Database:
    """*select* makes the statement of a type and the positions of its literals: columns n and v, ordered by n.

    *own_texts* asks the database for its texts; *cast* puts an expression over v of a statement.
    """

    name: str
    types: Sequence[Type]
    select: Callable[[Type, Sequence[int]], str]
    own_texts: Callable[[Type], list[str | None]]
    cast: Callable[[str, str], str] = lambda sql, expression: (
        f"SELECT n, {expression} AS v FROM (\n{sql}\n) AS t ORDER BY n"
    )


@dataclass
class Outcome:
    """What became of one type on one way: *came* is empty where all of it was refused, by *refusals* of literals."""

    way: str
    came: list[Came] = field(default_factory=list)
    refusals: dict[int, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def run(database: Database, type_: Type, way: Way, texts: Sequence[str | None]) -> Outcome:
    """Read all literals of *type_* on *way*; those that are refused are left out, until the others come."""
    outcome, left = Outcome(way.name), list(range(len(type_.literals)))
    while left:
        sql = database.select(type_, left)
        try:
            came = way.read(sql)
        except Exception as error:  # of any library: that is what is judged
            refused = _judge(database, type_, way, error, left, texts, outcome)
            left = [position for position in left if position not in refused]
            continue
        outcome.came = came
        for one in came:
            kind = type_.readers.get(one.reader, type_.kind)
            if kind is not None:
                _compare(kind, way, one, left, texts, outcome)
        break
    return outcome


def _compare(
    kind: Kind, way: Way, came: Came, positions: Sequence[int], texts: Sequence[str | None], outcome: Outcome
) -> None:
    if len(came.values) != len(positions):
        outcome.wrong.append(f"{came.reader}: {len(came.values)} rows instead of {len(positions)}")
    for position, value in zip(positions, came.values):
        text = texts[position]
        try:
            same = kind.same(way.form, text, value)
        except (TypeError, ValueError, ArithmeticError, KeyError) as error:
            same, value = False, f"{value!r} ({type(error).__name__}: {error})"
        if not same:
            outcome.wrong.append(f"{came.reader}: {text!r:.80} came as {value!r:.160}")


def _judge(
    database: Database,
    type_: Type,
    way: Way,
    error: Exception,
    left: Sequence[int],
    texts: Sequence[str | None],
    outcome: Outcome,
) -> list[int]:
    """Which literals *error* refuses: one that it names, or all of a column whose type it names."""
    message = str(error)
    whole = f"{type(error).__module__}.{type(error).__name__}: {message}"
    row = _ROW.search(message)
    refused = [left[int(row[1].replace(",", "")) - 1]] if row else list(left)
    outcome.refusals.update(dict.fromkeys(refused, message))
    if not isinstance(error, MesbatchError):
        outcome.wrong.append(f"an error that is not ours: {whole:.300}")
    elif "column 'v'" not in message:
        outcome.wrong.append(f"an error that names no column: {whole:.300}")
    else:
        _follow(database, type_, way, message, left, texts, outcome)
    return refused


def _follow(
    database: Database,
    type_: Type,
    way: Way,
    message: str,
    positions: Sequence[int],
    texts: Sequence[str | None],
    outcome: Outcome,
) -> None:
    """Take every way out that *message* names for the column: its values must come then, or their own text."""
    sql = database.select(type_, positions)
    outs: list[tuple[str, str, dict[str, Any], Kind]] = []
    if cast := _CAST.search(message):
        outs.append((cast[0], database.cast(sql, cast[0]), {}, TEXT))
    if schema := _SCHEMA.search(message):
        declared = {"v": eval(schema[1], {"pa": pa})}  # of our own message
        outs.append((schema[0], sql, {"schema": declared}, type_.kind.or_text()))
    if invalid := _INVALID.search(message):
        outs.append((invalid[0], sql, {"on_invalid_text": invalid[1]}, type_.kind))
    if not outs:
        outcome.wrong.append(f"an error without a way out: {message:.300}")
    for name, statement, options, kind in outs:
        try:
            came = way.read(statement, **options)
        except Exception as error:
            outcome.wrong.append(f"{name} is no way out: {type(error).__name__}: {error!s:.200}")
            continue
        for one in came:
            _compare(kind, way, one, positions, texts, outcome)
