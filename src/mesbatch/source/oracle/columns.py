"""Columns of an Oracle result, and a way to fetch each so that no value loses anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from inspect import signature
from operator import methodcaller
from typing import Any, Literal

import oracledb

from mesbatch.batch import Column, quoted
from mesbatch.errors import StatementError
from mesbatch.source.oracle.texts import ESCAPE, in_base64

DOUBLE_DIGITS = 15  # decimal digits that every float keeps
LOB_TYPES = frozenset({"clob", "nclob", "blob", "bfile"})
LONG_TYPES = frozenset({"long", "long nvarchar", "long raw"})  # what comes with its row, however long it is
PADDED_TYPES = frozenset({"char", "nchar"})
INLINE: dict[Any, Any] = {
    oracledb.DB_TYPE_CLOB: oracledb.DB_TYPE_LONG,
    oracledb.DB_TYPE_NCLOB: oracledb.DB_TYPE_LONG_NVARCHAR,
    oracledb.DB_TYPE_BLOB: oracledb.DB_TYPE_LONG_RAW,
}

TEXTS = (
    oracledb.DB_TYPE_VARCHAR,
    oracledb.DB_TYPE_NVARCHAR,
    oracledb.DB_TYPE_CHAR,
    oracledb.DB_TYPE_NCHAR,
    oracledb.DB_TYPE_LONG,
)

TEXT_FORMATS = {
    "date": "SYYYY-MM-DD HH24:MI:SS",
    "timestamp": "SYYYY-MM-DD HH24:MI:SS.FF9",
    "timestamp_ltz": "SYYYY-MM-DD HH24:MI:SS.FF9",
    "timestamp_tz": "SYYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM",
}

Texts = Literal["raise", "replace", "base64", "escape"]
TypeHandler = Callable[[Any, Any], Any]

_without_padding = methodcaller("rstrip", " ")


@dataclass(frozen=True, slots=True)
class OracleColumn(Column):
    """A column whose *width* counts bytes where *in_bytes* says so, else characters."""

    in_bytes: bool = True

    @property
    def as_text(self) -> str:
        name = quoted(self.name)
        if self.type == "raw":
            return f"RAWTOHEX({name})"
        return f"TO_CHAR({name}, '{TEXT_FORMATS[self.type]}')" if self.type in TEXT_FORMATS else f"TO_CHAR({name})"


def describe_columns(cursor: Any) -> tuple[Column, ...]:
    """The columns of an executed or parsed cursor.

    Raises:
        StatementError: the statement returned no rows, not even none of them.
    """
    if cursor.description is None:
        raise StatementError("the statement returns no rows: only queries can be read")
    return tuple(map(_describe, cursor.description))


def _describe(info: Any) -> Column:
    kind = info.type_code.name.removeprefix("DB_TYPE_").lower().replace("long_", "long ")
    width, in_bytes = info.internal_size, True
    if kind in PADDED_TYPES and info.display_size != info.internal_size:
        width, in_bytes = info.display_size, False
    return OracleColumn(info.name, kind, width, info.precision or None, info.scale, in_bytes)


@cache
def type_handler(
    *, inline_lobs: bool, strip_char: bool, texts: Texts = "raise", exact_numbers: bool = True
) -> TypeHandler:
    """Make the handler that tells the driver how to fetch each column; the same function for the same choice.

    *texts* says what becomes of text that is no UTF-8: the driver raises, or it is replaced, given in base64, or comes
    with its wrong bytes escaped. Without *exact_numbers* every NUMBER comes as the driver gives it by itself.
    """
    converters: dict[Any, Callable[[Any], Any] | None] = dict.fromkeys(TEXTS, in_base64 if texts == "base64" else None)
    if strip_char:
        for kind in (oracledb.DB_TYPE_CHAR, oracledb.DB_TYPE_NCHAR):
            converters[kind] = _in_turn(converters[kind], _without_padding)
    errors = {"raise": None, "replace": "replace"}.get(texts, ESCAPE)

    def handle(cursor: Any, metadata: Any) -> Any:
        kind = metadata.type_code
        if kind is oracledb.DB_TYPE_NUMBER:
            return None if not exact_numbers or _is_exact(metadata) else cursor.var(Decimal, arraysize=cursor.arraysize)
        if kind in INLINE:  # said in either case: oracledb.defaults.fetch_lobs may say otherwise
            return cursor.var(INLINE[kind] if inline_lobs else kind, arraysize=cursor.arraysize)
        if kind in TEXTS and (errors is not None or converters[kind] is not None):
            return cursor.var(
                kind, metadata.internal_size, arraysize=cursor.arraysize, outconverter=converters[kind],
                encoding_errors=errors,
            )  # fmt: skip
        return None

    # The driver asks for it before each round trip, which otherwise costs 0.15 us a row.
    handle.__signature__ = signature(handle)  # type: ignore[attr-defined]
    return handle


def _in_turn(first: Callable[[Any], Any] | None, then: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return then if first is None else lambda value: then(first(value))


def _is_exact(metadata: Any) -> bool:
    """True where the driver's own int or float holds every value that the column can have."""
    return metadata.scale == 0 or 0 < (metadata.precision or 0) <= DOUBLE_DIGITS
