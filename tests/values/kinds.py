"""How a value that came is held against the database's own text of it.

A `Kind` reads the text into something that can be compared, and has a form for every class that a value of it may come
as: what no form takes is no such value, and fails.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Literal
from uuid import UUID

from tests.values.came import Clock, Days, Moment, Pairs, Single, Span, from_json
from tests.values.times import (
    DAY,
    clock_of,
    days_of,
    nanos_of_datetime,
    nanos_of_delta,
    nanos_of_time,
    offset_clock_of,
    read_iso_duration,
    read_moment,
)

Way = Literal["tuple", "json", "arrow"]
Forms = Mapping[type, Callable[[Any], Any]]
NO_NUMBERS = {"nan", "inf", "infinity", "-inf", "-infinity"}  # null in JSON, and where a type of decimals has no place


@dataclass(frozen=True)
class Kind:
    """*read* takes the database's text; *forms* those values that came, by their class, whatever the way.

    *by_way* has the forms of one way where they are others. *loses* says of a text that null may stand for it on a way.
    """

    read: Callable[[str], Any]
    forms: Forms
    by_way: Mapping[Way, Forms] = field(default_factory=dict)
    loses: Callable[[Way, str], bool] = lambda way, text: False

    def form(self, way: Way, value: Any) -> Any:
        """Give the form in which *value*, which came on *way*, is compared."""
        forms = self.by_way.get(way, self.forms)
        if type(value) not in forms:
            raise TypeError(f"{value!r} is a {type(value).__name__}, which is none of the forms that were written down")
        return forms[type(value)](value)

    def or_text(self) -> Kind:
        """Do the same for a column that is read as text, as ``schema=`` may ask for."""
        return replace(self, forms={str: self.read, **self.forms})

    def same(self, way: Way, text: str | None, value: Any) -> bool:
        """Tell if *value* is what the database writes as *text*."""
        if text is None or value is None:
            return text is None is value or (text is not None and value is None and self.loses(way, text))
        return bool(self.form(way, value) == self.read(text))


def _is_no_number(ways: set[Way]) -> Callable[[Way, str], bool]:
    return lambda way, text: way in ways and text.lower() in NO_NUMBERS


def bits(number: float) -> bytes:
    """Give a double's bits, so that NaN is NaN, and -0 is not 0."""
    return struct.pack(">d", number) if number == number else b"NaN"


def _single(number: Any) -> bytes:
    return bits(struct.unpack(">f", struct.pack(">f", float(number)))[0])


def _digits(number: Any) -> Any:
    """Keep the zeros at a decimal's end, which say how exact it is."""
    return Decimal(number).as_tuple()


def _whole(number: Decimal) -> int:
    if number != int(number):
        raise ValueError(f"{number} is no whole number")
    return int(number)


def document(text: str) -> Any:
    """Compare JSON documents: the order of members, repeated ones and all digits count, blanks do not."""
    return _document(from_json(text))


def _document(value: Any) -> Any:
    """Give the tree of a document in which 1, 1.0 and true differ."""
    if isinstance(value, dict):
        return "object", tuple((name, _document(item)) for name, item in value.items())
    if isinstance(value, Pairs):
        return "object", tuple((name, _document(item)) for name, item in value)
    if isinstance(value, list | tuple):
        return "array", tuple(map(_document, value))
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "number", Decimal(value).as_tuple()
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float, and was a number of a document")
    return type(value).__name__, value


def _address(text: Any) -> Any:
    return ipaddress.ip_interface(str(text))


def _address_or_net(text: Any) -> str:
    return str(ipaddress.ip_network(str(text)))


def _any(*classes: type) -> Forms:
    return dict.fromkeys(classes, lambda value: value)


BOOLEAN = Kind(lambda text: {"true": True, "t": True, "false": False, "f": False}[text], _any(bool))
INTEGER = Kind(int, _any(int))
TEXT = Kind(lambda text: text, _any(str))
DECIMAL = Kind(
    _digits,
    {Decimal: _digits, int: _digits, str: _digits},
    loses=_is_no_number({"json", "arrow"}),
)
DOUBLE = Kind(
    lambda text: bits(float(text)),
    {float: bits, int: lambda n: bits(float(n)), Decimal: lambda n: bits(float(n))},
    loses=_is_no_number({"json"}),
)
SINGLE = Kind(
    _single,
    {float: _single, Decimal: _single, int: _single, Single: lambda s: bits(s.value)},
    loses=_is_no_number({"json"}),
)
DATE = Kind(
    days_of,
    {
        date: lambda d: days_of(d.isoformat()),
        Days: lambda d: d.count,
        Moment: lambda m: m if m.zone or m.nanos % DAY else m.nanos // DAY,
        str: days_of,
    },
)
TIME = Kind(clock_of, {time: nanos_of_time, Clock: lambda c: c.nanos, str: clock_of})
TIME_WITH_ZONE = Kind(offset_clock_of, {time: lambda t: offset_clock_of(t.isoformat()), str: offset_clock_of})
TIMESTAMP = Kind(
    partial(read_moment, aware=False),
    {
        datetime: partial(nanos_of_datetime, aware=False),
        Moment: lambda m: m.nanos if m.zone is None else ("zone", m),
        str: partial(read_moment, aware=False),
    },
)
INSTANT = Kind(
    partial(read_moment, aware=True),
    {
        datetime: partial(nanos_of_datetime, aware=True),
        Moment: lambda m: ("naive", m) if m.zone is None else m.nanos,
        str: partial(read_moment, aware=True),
    },
)
UUIDS = Kind(UUID, {UUID: lambda u: u, str: UUID, bytes: lambda b: UUID(bytes=b)})
ADDRESS = Kind(
    _address,
    dict.fromkeys(
        (ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Interface, ipaddress.IPv6Interface, str), _address
    ),
)
NETWORK = Kind(_address_or_net, dict.fromkeys((ipaddress.IPv4Network, ipaddress.IPv6Network, str), _address_or_net))
_NATIVE = dict.fromkeys((dict, list, tuple, str, bool, int, float, Decimal, Pairs), _document)
JSON = Kind(
    document,
    {},
    {"tuple": _NATIVE, "json": _NATIVE, "arrow": {str: document}},
    loses=lambda way, text: way != "arrow" and text == "null",  # None is what both languages call it
)
JSON_TEXT = Kind(document, {str: document})  # where the database itself gives documents as text
NESTED = Kind(document, _NATIVE)  # structs and maps, whose texts are written as documents here


def bytes_kind(read: Callable[[str], bytes]) -> Kind:
    """Compare bytes, which are base64 in JSON."""
    as_is = _any(bytes)
    return Kind(read, {}, {"tuple": as_is, "arrow": as_is, "json": {str: base64.b64decode}})


def duration(read: Callable[[str], tuple[int, int]], unit: int = 1_000) -> Kind:
    """Compare months, and nanoseconds in which a day has 24 hours; a plain number counts *unit* nanoseconds.

    Parquet has no durations: only readers that know Arrow's schema see more than the number.
    """
    return Kind(
        read,
        {
            int: lambda n: (0, n * unit),
            timedelta: lambda d: (0, nanos_of_delta(d)),
            Span: lambda s: (s.months, s.nanos + s.days * 86_400 * 10**9),
            str: read_iso_duration,
        },
    )


@dataclass(frozen=True)
class Lists(Kind):
    """Arrays of *item* however deep; *split* cuts the database's text into lists of texts."""

    item: Kind = TEXT
    split: Callable[[str], Any] = list

    def same(self, way: Way, text: str | None, value: Any) -> bool:
        if text is None or value is None:
            return text is None is value
        return self._same(way, self.split(text), value)

    def _same(self, way: Way, texts: Any, value: Any) -> bool:
        if not isinstance(texts, list):
            return self.item.same(way, texts, value)
        return (
            isinstance(value, list | tuple)
            and len(texts) == len(value)
            and all(self._same(way, text, one) for text, one in zip(texts, value))
        )


def list_of(kind: Kind, split: Callable[[str], Any]) -> Kind:
    """Arrays of *kind*, whose text *split* cuts into lists of texts."""
    return Lists(split, {}, item=kind, split=split)


def split_braces(text: str) -> Any:
    """PostgreSQL's ``{a,"b c",NULL,{d}}``; one whose bounds do not begin at 1 is a text of its own."""
    if text.startswith("["):
        return [f"with bounds {text}"]
    tokens = re.findall(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', text)
    tokens.reverse()
    return _braces(tokens)


def _braces(tokens: list[str]) -> Any:
    token = tokens.pop()
    if token == "{":
        items = []
        while tokens[-1] != "}":
            items.append(_braces(tokens))
            if tokens[-1] == ",":
                tokens.pop()
        tokens.pop()
        return items
    if token.startswith('"'):
        return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)
    return None if token == "NULL" else token
