"""The law of the matrix: a value comes as the database has it, or an error names it and a way out that works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mesbatch.errors import MesbatchError
from tests.values.came import Field, from_json
from tests.values.kinds import TEXT, Kind
from tests.values.ways import Came, Way

_ROW = re.compile(r"column 'v' of row ([\d,]+)")
_CAST = re.compile(r"(?:CAST|TO_CHAR|TO_JSON)\(.+?\)+(?= |,|;|:|$)")
_SCHEMA = re.compile(r"schema=\{'v': (.+?)\}(?= |,|;|:|$)")
_INVALID = re.compile(r"on_invalid_text=['\"](\w+)['\"]")


@dataclass(frozen=True)
class Type:
    """A type of a database: its *literals*, and the *kind* by which they are compared.

    *readers* names those of the Parquet files that cannot hold it, and the kind by which theirs are compared, or None;
    *as_text* is the kind of a cast to text.
    """

    name: str
    literals: Sequence[Any]
    kind: Kind
    readers: Mapping[str, Kind | None] = field(default_factory=dict)
    as_text: Kind = TEXT


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


def run(database: Database, type_: Type, way: Way, texts: Sequence[str | None], ways: Sequence[Way] = ()) -> Outcome:
    """Read all literals of *type_* on *way*; those that are refused are left out, until the others come.

    *ways* are those that a message may point to.
    """
    outcome, left = Outcome(way.name), list(range(len(type_.literals)))
    judge = _Judge(database, type_, way, texts, {other.name for other in ways}, outcome)
    while left:
        sql = database.select(type_, left)
        try:
            came = way.read(sql)
        except Exception as error:  # of any library: that is what is judged
            refused = judge.refusal(error, left)
            left = [position for position in left if position not in refused]
            continue
        outcome.came = came
        for one in came:
            kind = type_.readers.get(one.reader, type_.kind)
            if kind is not None:
                judge.compare(kind, one, left)
        break
    return outcome


@dataclass
class _Judge:
    """Holds what comes against the database's texts, and follows the ways out of what does not."""

    database: Database
    type: Type
    way: Way
    texts: Sequence[str | None]
    ways: set[str]
    outcome: Outcome

    def compare(self, kind: Kind, came: Came, positions: Sequence[int]) -> None:
        wrong = self.outcome.wrong
        if len(came.values) != len(positions):
            wrong.append(f"{came.reader}: {len(came.values)} rows instead of {len(positions)}: {came.values!r:.200}")
            return
        for position, value in zip(positions, came.values):
            text = self.texts[position]
            try:
                same = _same(kind, self.way, text, value)
            except (TypeError, ValueError, ArithmeticError, KeyError) as error:
                same, value = False, f"{value!r} ({type(error).__name__}: {error})"
            if not same:
                wrong.append(f"{came.reader}: {text!r:.80} came as {value!r:.160}")

    def refusal(self, error: Exception, left: Sequence[int]) -> list[int]:
        """Give the literals that *error* refuses: the one that it names, or all of a column whose type it names."""
        message, wrong = str(error), self.outcome.wrong
        row = _ROW.search(message)
        refused = [left[int(row[1].replace(",", "")) - 1]] if row else list(left)
        self.outcome.refusals.update(dict.fromkeys(refused, message))
        if not isinstance(error, MesbatchError):
            wrong.append(f"an error that is not ours: {type(error).__module__}.{type(error).__name__}: {message:.300}")
        elif "column 'v'" not in message:
            wrong.append(f"an error that names no column: {message:.300}")
        else:
            self.follow(message, left)
        return refused

    def follow(self, message: str, positions: Sequence[int], *, taken: Mapping[str, Any] = {}) -> None:
        """Take every way out that *message* names for the column: its values must come then, or their own text.

        A way out may lead to another one, with the options *taken* before: a column of anything tells one at a time.
        """
        outs = list(self._ways_out(message, self.database.select(self.type, positions)))
        if not outs and not self._points_to_another_way(message):
            self.outcome.wrong.append(f"an error without a way out: {message:.300}")
        for name, statement, option, kind in outs:
            options = {**taken, **option}
            try:
                came = self.way.read(statement, **options)
            except MesbatchError as error:
                if options != taken and "column 'v'" in str(error):
                    self.follow(str(error), positions, taken=options)
                else:
                    self.outcome.wrong.append(f"{name} is no way out: {error!s:.200}")
            except Exception as error:
                self.outcome.wrong.append(f"{name} is no way out: {type(error).__name__}: {error!s:.200}")
            else:
                for one in came:
                    self.compare(kind, one, positions)

    def _ways_out(self, message: str, sql: Any) -> Iterator[tuple[str, Any, dict[str, Any], Kind]]:
        """Follow what *message* advises: the statement and its options, and the form of the values then."""
        if cast := _CAST.search(message):
            yield cast[0], self.database.cast(sql, cast[0]), {}, self.type.as_text
        if schema := _SCHEMA.search(message):
            declared = {"v": eval(schema[1], {"pa": pa})}  # of our own message
            yield schema[0], sql, {"schema": declared}, self.type.kind.or_text()
        for invalid in _INVALID.findall(message):
            yield invalid, sql, {"on_invalid_text": invalid}, self.type.kind

    def _points_to_another_way(self, message: str) -> bool:
        """Tell if *message* advises a way of the matrix, on which the same values are read in their turn."""
        if "by its URL" in message:
            return self.way.name.replace("by ADBC", "by URL").replace("NDJSON by", "NDJSON file by") in self.ways
        return ".arrow()" in message and "Arrow" in self.ways


def _same(kind: Kind, way: Way, text: str | None, value: Any) -> bool:
    """Compare by *kind*; a field of CSV is a text, or the JSON of a value."""
    if not isinstance(value, Field):
        return kind.same(way.form, text, value)
    for read in (str, from_json):
        with suppress(TypeError, ValueError, ArithmeticError, KeyError):
            if kind.same(way.form, text, read(value)):
                return True
    return False
