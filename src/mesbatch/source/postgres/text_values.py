"""Values from the text that PostgreSQL writes, for drivers whose own readers would change some of them or guess.

A text that is of no form known here, such as a date of another DateStyle, is refused with its column and row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

from mesbatch.batch import Column, Row
from mesbatch.source.documents import read_any_document, read_document
from mesbatch.source.postgres.oids import TEXT_IN_ARROW, TYPES
from mesbatch.source.refusal import refuse
from mesbatch.source.session import Rows

Read = Callable[[str], Any]

# Every driver reads these as they are. All others, and all arrays, are to come as text.
PLAIN: dict[str, Read] = {
    "bool": lambda text: text == "t",
    **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
    **dict.fromkeys(("float4", "float8"), float),
    "numeric": Decimal,
    **dict.fromkeys(("text", "varchar", "bpchar", "name"), str),
}
PLAIN_OIDS = frozenset(TYPES[name][0] for name in PLAIN)
AS_TEXT_OIDS = frozenset(oid for oids in TYPES.values() for oid in oids) - PLAIN_OIDS

_is_date = re.compile(r"\d{4}-\d\d-\d\d").fullmatch
_is_datetime = re.compile(r"\d{4}-\d\d-\d\d ([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,6})?").fullmatch
_is_moment = re.compile(r"\d{4}-\d\d-\d\d ([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d){0,2}").fullmatch
_is_time = re.compile(r"([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,6})?([+-]\d\d(:\d\d){0,2})?").fullmatch
_interval = re.compile(r"(?:(-?\d+) days?)? ?(?:(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?").fullmatch
_tokens = re.compile(r'([{},])|"((?:[^"\\]|\\.)*)"|([^{},"]+)', re.DOTALL).finditer
_escaped = re.compile(r"\\(.)", re.DOTALL)


def _checked(form: Callable[[str], object], read: Read) -> Read:
    def read_checked(text: str) -> Any:
        if form(text) is None:
            raise ValueError("Python has no such time, or it is not written as ISO 8601")
        return read(text)

    return read_checked


def _read_interval(text: str) -> timedelta:
    """Read an interval of days and of a time, each with its own sign.

    >>> _read_interval("1 day -00:00:01.5")
    datetime.timedelta(seconds=86398, microseconds=500000)
    """
    found = _interval(text)
    if found is None or not text:
        raise ValueError("months have no fixed number of days, or IntervalStyle is not postgres")
    days, sign, hours, minutes, seconds, fraction = found.groups()
    clock = timedelta(
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "").ljust(6, "0")),
    )
    return timedelta(days=int(days or 0)) + (-clock if sign else clock)


def _read_bytes(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise ValueError("bytea_output is not hex")
    return bytes.fromhex(text[2:])


READERS: dict[str, Read] = {
    **PLAIN,
    "bytea": _read_bytes,
    "cidr": ip_network,
    "date": _checked(_is_date, date.fromisoformat),
    "inet": lambda text: ip_interface(text) if "/" in text else ip_address(text),
    "interval": _read_interval,
    "json": read_any_document,
    "jsonb": read_document,
    "time": _checked(_is_time, time.fromisoformat),
    "timestamp": _checked(_is_datetime, datetime.fromisoformat),
    "timestamptz": _checked(_is_moment, datetime.fromisoformat),
    "timetz": _checked(_is_time, time.fromisoformat),
    "uuid": UUID,
}


def read_array(text: str, read: Read) -> list[Any]:
    """Read an array of values that *read* reads; arrays in it become lists.

    Raises:
        ValueError: its bounds do not begin at 1.

    >>> read_array('{{1,NULL},{"3",4}}', int)
    [[1, None], [3, 4]]
    """
    if not text.startswith("{"):
        raise ValueError("the bounds of an array do not begin at 1")
    outer: list[Any] = []
    open_lists = [outer]
    for found in _tokens(text):
        sign, quoted, bare = found.groups()
        if sign == "{":
            open_lists.append([])
            open_lists[-2].append(open_lists[-1])
        elif sign == "}":
            open_lists.pop()
        elif bare is not None:
            open_lists[-1].append(None if bare == "NULL" else read(bare))
        elif quoted is not None:
            open_lists[-1].append(read(_escaped.sub(r"\1", quoted)))
    found_array: list[Any] = outer[0]
    return found_array


def _reader_of(column: Column, *, columnar: bool) -> Read | None:
    """Find the reader of the texts of *column*; None where they, or the driver's own values, are as they should be."""
    name = column.type or ""
    is_array = name.endswith("[]")
    element = name.removesuffix("[]")
    read = str if columnar and element in TEXT_IN_ARROW else READERS.get(element, str)
    if is_array:
        return partial(read_array, read=read) if element in TYPES else None
    return None if element in PLAIN or read is str else read


class ReadRows:
    """The *rows* of a statement, whose values come as text unless their types are `PLAIN`."""

    def __init__(self, rows: Rows, *, columnar: bool) -> None:
        self.columns = rows.columns
        self._rows = rows
        readers = ((position, _reader_of(column, columnar=columnar)) for position, column in enumerate(rows.columns))
        self._readers = [(position, read) for position, read in readers if read is not None]
        self._taken = 0

    def fetch(self, size: int) -> list[Row]:
        """Fetch at most *size* rows.

        Raises:
            UnencodableValue: a value has no form in Python, or is not written in a form that is known.
        """
        rows = self._rows.fetch(size)
        if rows and self._readers:
            columns: list[Sequence[Any]] = list(zip(*rows))
            for position, read in self._readers:
                columns[position] = self._read(position, read, columns[position])
            rows = list(zip(*columns))
        self._taken += len(rows)
        return rows

    def _read(self, position: int, read: Read, texts: Sequence[str | None]) -> list[Any]:
        values: list[Any] = []
        try:
            values.extend(None if text is None else read(text) for text in texts)
        except (ValueError, ArithmeticError) as error:
            at = len(values)
            raise refuse(self.columns[position], self._taken + at + 1, texts[at], error) from error
        return values

    def close(self) -> None:
        self._rows.close()
