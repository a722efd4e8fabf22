"""Dates, times and durations of any age as whole numbers, from the texts that databases and JSON have for them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

DAY = 86_400 * 10**9  # nanoseconds
_EPOCH = date(1970, 1, 1).toordinal()
_CYCLE = 146_097  # days of the 400 years after which the calendar repeats
_DATE = re.compile(r"(-?\d{4,})-(\d\d)-(\d\d)( BC| \(BC\))?")
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?")
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?$")
_ISO = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?")
_SIGNED_ISO = re.compile(r"P(-?\d+)M(-?\d+)DT(-?)(\d+)\.(\d{9})S")
_UNITS = {"year": 12, "mon": 1, "month": 1}


def days_of(text: str) -> Any:
    """Days from 1970-01-01 of ``2024-01-01``, ``4713-01-01 BC`` or ``5874897-12-31``; ``infinity`` is itself."""
    if "infinity" in text:
        return text
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no date")
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if found[4]:
        year = 1 - year
    cycles, year = divmod(year, 400)
    return date(year + 400, month, day).toordinal() + (cycles - 1) * _CYCLE - _EPOCH


def clock_of(text: str) -> int:
    """Nanoseconds of ``23:59:59.999999``, up to ``24:00:00``."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3] or 0)
    return ((hours * 60 + minutes) * 60 + seconds) * 10**9 + int((found[4] or "").ljust(9, "0"))


def offset_clock_of(text: str) -> tuple[int, int]:
    """Read the nanoseconds of ``12:00:00+01`` and the seconds of its offset."""
    clock, seconds = _split_offset(text)
    if seconds is None:
        raise ValueError(f"{text!r} has no offset")
    return clock_of(clock), seconds


def read_moment(text: str, *, aware: bool) -> Any:
    """Nanoseconds from 1970-01-01 of a timestamp, in UTC where it is *aware*."""
    if "infinity" in text:
        return text
    text, era = (text[:-3], " BC") if text.endswith(" BC") else (text, "")
    text, era = (text.replace(" (BC)", ""), " BC") if " (BC)" in text else (text, era)
    day, _, clock = text.replace("T", " ").partition(" ")
    clock, seconds = _split_offset(clock)
    if (seconds is not None) != aware:
        raise ValueError(f"{text!r} has {'no' if aware else 'an'} offset")
    return days_of(day + era) * DAY + clock_of(clock) - (seconds or 0) * 10**9


def _split_offset(text: str) -> tuple[str, int | None]:
    if text.endswith("Z"):
        return text[:-1], 0
    found = _OFFSET.search(text)
    if found is None:
        return text, None
    hours, minutes, seconds = (int(found[i] or 0) for i in (2, 3, 4))
    total = (hours * 60 + minutes) * 60 + seconds
    return text[: found.start()], -total if found[1] == "-" else total


def nanos_of_datetime(value: datetime, *, aware: bool) -> Any:
    if (value.tzinfo is not None) != aware:
        return "naive" if aware else "zone", value
    value = value.astimezone(UTC) if aware else value
    since = value.replace(tzinfo=None) - datetime(1970, 1, 1)
    return nanos_of_delta(since)


def nanos_of_delta(value: timedelta) -> int:
    return ((value.days * 86_400 + value.seconds) * 10**6 + value.microseconds) * 1_000


def nanos_of_time(value: time) -> Any:
    return ("zone", value) if value.tzinfo else clock_of(value.isoformat())


def read_iso_duration(text: str) -> tuple[int, int]:
    """Read no months and the nanoseconds of ``P1DT2H3M4.5S``, or a text of PostgreSQL's own, as of a cast."""
    if (signed := _SIGNED_ISO.fullmatch(text)) is not None:
        clock = int(signed[4] + signed[5])
        return int(signed[1]), int(signed[2]) * DAY + (-clock if signed[3] else clock)
    found = _ISO.fullmatch(text)
    if found is None:
        return read_interval(text)
    days, hours, minutes, seconds = (int(found[i] or 0) for i in (2, 3, 4, 5))
    nanos = ((days * 24 + hours) * 60 + minutes) * 60 * 10**9 + seconds * 10**9
    nanos += int((found[6] or "").ljust(9, "0"))
    return 0, -nanos if found[1] else nanos


def read_interval(text: str) -> tuple[int, int]:
    """Read the months of ``1 year 2 mons -3 days 04:05:06.7`` and the nanoseconds of the rest."""
    months = nanos = 0
    for number, unit in re.findall(r"([+-]?\d+) (year|mon|month|day)s?\b", text):
        if unit == "day":
            nanos += int(number) * DAY
        else:
            months += int(number) * _UNITS[unit]
    for sign, hours, rest in re.findall(r"([+-]?)(\d+):(\d\d:\d\d(?:\.\d+)?)$", text):
        clock = int(hours) * 3_600 * 10**9 + clock_of(f"00:{rest}")
        nanos += -clock if sign == "-" else clock
    return months, nanos
