"""`docs/types.md`: what becomes of every type, as the matrix finds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.values.came import Pairs
from tests.values.law import Database, Outcome, run
from tests.values.ways import Way

WAYS = ("tuples", "NDJSON objects", "Arrow", "Parquet file")
HEAD = """# Types

This page says what every type of a database becomes on every way out of mesbatch. A test makes it,
`tests/values/test_page.py`, out of the matrix that proves it. There each type with its extremes goes through
tuples, spilled groups, NDJSON, CSV, Arrow, Parquet and exports, from a connection, a URL and an ADBC connection,
and the result is compared with the database's own text of the value. A value comes as the database has it, or the
read is an error that names column, row and a way out: a cast, `schema=` or `on_invalid_text=`. The test takes that
way, too.

Some rules hold everywhere:

* **Numbers** keep all their digits. A Decimal is a JSON number if its column has at most 15 digits or is Oracle's
  NUMBER without a precision, else a string. NaN and the infinities are `null` in JSON and in decimals.
* **Documents**: numbers inside `json` keep their digits on all ways. Arrow and Parquet have the database's own text
  of a document. Elsewhere an object that names a member twice is an error, and the document `null` is `None`.
* **Times** that Python does not have are errors as tuples and in JSON: infinities, years before 1 and after 9999,
  24:00:00 and parts of a microsecond. Arrow has more years. An interval is a duration with days of 24 hours; one
  with months is an error. A moment whose offset from UTC is no whole minute, as before 1972, is written in UTC.
* **Bytes** are base64 in JSON and CSV.
* **Arrays** are lists, and lists of lists if they have more dimensions; for those Arrow needs `schema={"column":
  pa.list_(pa.list_(pa.int32()))}`. An array whose bounds do not begin at 1 is an error.
* **Text** is valid UTF-8, or what `on_invalid_text=` makes of it. NUL is a character like any other.
* **Types that Arrow does not have** are text as the database writes it: ranges, records, enums, addresses, bits.

"""
NOTES = {
    "PostgreSQL": """
A connection of psycopg and a URL give the same. An ADBC connection refuses arrays, intervals and ranges, and advises
the cast.""",
    "SQLite": """
SQLite keeps values of any class in a column. In Arrow the column's declared type decides, and a value of another class
is an error. The table is that of apsw and of URLs; for `sqlite3`, which tells no declared types, the first batch
decides.""",
    "Oracle": """
`TIMESTAMP WITH TIME ZONE` is the clock of its zone, without the zone, which the driver drops:
`SYS_EXTRACT_UTC(column)` gives the instant.""",
    "DuckDB": """
A connection is read as tuples, whatever is made of them.""",
    "Arrow": """
Any object with `__arrow_c_stream__` is read as it is.""",
}


def page(sections: Iterable[tuple[Database, Sequence[Way]]]) -> str:
    """Write the page for all databases, with the ways of each."""
    return HEAD + "\n".join("\n".join(_section(database, ways)) for database, ways in sections) + "\n"


def _section(database: Database, ways: Sequence[Way]) -> Iterator[str]:
    yield f"## {database.name}"
    yield NOTES[database.name]
    yield ""
    yield "| type | tuple | NDJSON | Arrow | Parquet | an error |"
    yield "|---|---|---|---|---|---|"
    shown = [[way for way in ways if way.name in (name, f"{name} by apsw")][-1] for name in WAYS]
    for type_ in database.types:
        texts = database.own_texts(type_)
        tuples, lines, arrow, parquet = (run(database, type_, way, texts, ways) for way in shown)
        shown_as = [literal if isinstance(literal, str) else text for literal, text in zip(type_.literals, texts)]
        refused = _refused([tuples, lines, arrow, parquet], shown_as)
        cells = (_classes(tuples), _json_kinds(lines), _arrow_type(arrow), _arrow_type(parquet), refused)
        yield f"| {_code(type_.name or 'no type')} | {' | '.join(cells)} |"
    yield ""


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _classes(outcome: Outcome) -> str:
    return _joined(_class(value) for value in _values(outcome))


def _class(value: Any) -> str:
    if isinstance(value, list | tuple) and value and not hasattr(value, "_fields"):
        return f"{type(value).__name__} of {_class(next((item for item in value if item is not None), None))}"
    return type(value).__name__


def _json_kinds(outcome: Outcome) -> str:
    return _joined(map(_json_kind, _values(outcome)))


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Pairs) else "array" if isinstance(value, list) else "number"


def _arrow_type(outcome: Outcome) -> str:
    return "" if not outcome.came else _code(str(outcome.came[0].type).replace("item: ", "").replace("element: ", ""))


def _values(outcome: Outcome) -> list[Any]:
    return [] if not outcome.came else [value for value in outcome.came[0].values if value is not None]


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))


def _refused(outcomes: Sequence[Outcome], texts: Sequence[str | None]) -> str:
    """List the values that are errors, and where: as tuples and lines, or in Arrow and Parquet."""
    rows, columnar = ({n for one in pair for n in one.refusals} for pair in (outcomes[:2], outcomes[2:]))
    parts = []
    for where, positions in (("", rows & columnar), (" in tuples and NDJSON", rows - columnar),
                             (" in Arrow", columnar - rows)):  # fmt: skip
        if positions:
            shown = sorted({_short(texts[n]) for n in positions})
            parts.append(", ".join(shown[:4]) + (" ..." if len(shown) > 4 else "") + where)
    return "; ".join(parts)


def _short(text: str | None) -> str:
    text = (text or "NULL").replace("\n", " ")
    return _code(text if len(text) <= 30 else f"{text[:27]}...")
