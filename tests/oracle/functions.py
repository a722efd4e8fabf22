"""Oracle's functions that SQLite lacks."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_FORMATS = (("YYYY", "%Y"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S"), ("MM", "%m"), ("DD", "%d"))
_TEXT_OF_DATE = re.compile(
    r"(?P<sign>-)?(?P<YYYY>\d{4})-(?P<MM>\d\d)-(?P<DD>\d\d)"
    r"(?:[ T](?P<HH24>\d\d):(?P<MI>\d\d):(?P<SS>\d\d)(?:\.(?P<FF9>\d+))?)?\s*(?P<zone>[-+]\d\d:\d\d)?"
)
_UNITS = {"DD": {}, "MM": {"day": 1}, "YYYY": {"day": 1, "month": 1}}

Fail = Callable[[int, str], Any]


def add_functions(connection: sqlite3.Connection, user: str, fail: Fail) -> None:
    """Add these functions to *connection*; *fail* raises an ORA- error by its number and text."""

    def add(name: str, arguments: int, function: Callable[..., Any]) -> None:
        connection.create_function(name, arguments, function)

    add("nvl", 2, lambda value, other: other if value in (None, "") else value)
    add("nvl2", 3, lambda value, given, other: other if value in (None, "") else given)
    add("trunc", 1, truncate)
    add("trunc", 2, truncate)
    add("ora_sysdate", 0, lambda: datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat(sep=" "))
    add("ora_shift", 3, shift)
    add("to_char", 1, lambda value: None if value is None else str(value))
    add("to_char", 2, _written)
    add("to_date", 2, _read)
    add("to_number", 1, lambda value: _to_number(value, fail))
    names = {"CURRENT_SCHEMA": user.upper(), "SESSION_USER": user.upper(), "NLS_SORT": "BINARY"}
    add("sys_context", 2, lambda namespace, name: names.get(name.upper()))


def truncate(value: Any, unit: str | int = "DD") -> Any:
    """A date without its time, or a number without its fraction.

    >>> truncate("2026-02-25 08:00:00"), truncate("2026-02-25 08:00:00", "MM"), truncate(-2.5)
    ('2026-02-25 00:00:00', '2026-02-01 00:00:00', -2)
    """
    if value is None:
        return None
    if isinstance(value, str):
        moment = datetime.fromisoformat(value).replace(hour=0, minute=0, second=0, microsecond=0)
        return moment.replace(**_UNITS[str(unit).upper()]).isoformat(sep=" ")
    factor = 10**unit if isinstance(unit, int) else 1
    return int(value * factor) / factor if factor != 1 else int(value)


def shift(moment: str | None, sign: str, amount: Any) -> Any:
    """A date and a number of days, or the days between two dates.

    >>> shift("2026-02-25 08:00:00", "-", 1.5), shift("2026-02-25 08:00:00", "-", "2026-02-24 20:00:00")
    ('2026-02-23 20:00:00', 0.5)
    """
    if moment is None or amount is None:
        return None
    begin = datetime.fromisoformat(moment)
    if isinstance(amount, str):
        return (begin - datetime.fromisoformat(amount)) / timedelta(days=1)
    days = timedelta(days=float(amount))
    return (begin - days if sign == "-" else begin + days).isoformat(sep=" ")


def _pattern(oracle: str) -> str:
    for theirs, ours in _FORMATS:
        oracle = re.sub(theirs, ours, oracle, flags=re.IGNORECASE)
    return oracle


def _written(value: Any, pattern: str) -> str | None:
    """A date as text: of any age, to the nanosecond and with its zone.

    >>> _written("-0044-03-15", "SYYYY-MM-DD"), _written("2024-02-29 12:00:00.5 +08:00", "SYYYY HH24 FF9 TZH:TZM")
    ('-0044-03-15', ' 2024 12 500000000 +08:00')
    """
    if value is None:
        return None
    found = _TEXT_OF_DATE.fullmatch(str(value))
    if found is None:
        raise ValueError(f"{value!r} is no date")
    parts = found.groupdict()
    zone = parts["zone"] or "+00:00"
    written = {
        "SYYYY": (parts["sign"] or " ") + parts["YYYY"],
        "FF9": (parts["FF9"] or "").ljust(9, "0"),
        "TZH": zone[:3],
        "TZM": zone[4:],
        **{name: parts[name] or "00" for name in ("YYYY", "MM", "DD", "HH24", "MI", "SS")},
    }
    return re.sub("SYYYY|YYYY|HH24|MI|SS|MM|DD|FF9|TZH|TZM", lambda match: written[match[0].upper()], pattern)


def _read(text: str | None, pattern: str) -> str | None:
    return None if text is None else datetime.strptime(text, _pattern(pattern)).isoformat(sep=" ")


def _to_number(value: Any, fail: Fail) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    try:
        return int(value) if re.fullmatch(r"\s*[-+]?\d+\s*", value) else float(value)
    except ValueError:
        return fail(1722, "invalid number")
