"""Dates and timestamps: ISO text in SQLite, seven to thirteen bytes on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tests.oracle.failures import OraError

HOUR_OFFSET, MINUTE_OFFSET = 20, 60  # of a time zone's bytes
_BEFORE_CHRIST = re.compile(r"-(\d{4})(-.*)")
_LEAP_YEAR = "2000"  # stands in for a year that Python's datetime has not
_FRACTION = re.compile(r":\d\d\.(\d+)")


def encode_date(value: object) -> bytes:
    return _seconds(value, _moment(value))


def encode_timestamp(value: object) -> bytes:
    moment, fraction = _moment(value), _fraction(value)
    return _seconds(value, moment) + fraction if any(fraction) else _seconds(value, moment)


def encode_timestamp_tz(value: object) -> bytes:
    """The moment in UTC, and the offset of its zone."""
    moment = _moment(value)
    offset = moment.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    hours, rest = int(minutes / 60), minutes - 60 * int(minutes / 60)
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return _seconds(value, utc) + _fraction(value) + bytes((HOUR_OFFSET + hours, MINUTE_OFFSET + rest))


def decode_date(data: bytes) -> str:
    """Any date or timestamp as the text that SQLite keeps."""
    micros = int.from_bytes(data[7:11], "big") // 1000 if len(data) >= 11 else 0
    year = (data[0] - 100) * 100 + data[1] - 100
    return datetime(year, data[2], data[3], data[4] - 1, data[5] - 1, data[6] - 1, micros).isoformat(sep=" ")


def _moment(value: object) -> datetime:
    """The moment, in a year of our era."""
    if not isinstance(value, str):
        raise OraError(932, "inconsistent datatypes: expected DATE got NUMBER")
    ours = _BEFORE_CHRIST.sub(rf"{_LEAP_YEAR}\2", value) if value.startswith("-") else value
    return datetime.fromisoformat(ours.replace(" +", "+").replace(" -", "-"))


def _seconds(value: object, moment: datetime) -> bytes:
    before = _BEFORE_CHRIST.fullmatch(str(value))
    century, year = divmod(int(before[1]) if before else moment.year, 100)
    sign = -1 if before else 1
    return bytes(
        (
            *(100 + sign * century, 100 + sign * year, moment.month, moment.day),
            *(moment.hour + 1, moment.minute + 1, moment.second + 1),
        )
    )


def _fraction(value: object) -> bytes:
    """Nanoseconds, which a datetime would cut."""
    found = _FRACTION.search(str(value))
    return int(found[1].ljust(9, "0") if found else 0).to_bytes(4, "big")
