"""Dates and timestamps: ISO text in SQLite, seven to thirteen bytes on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.oracle.failures import OraError

HOUR_OFFSET, MINUTE_OFFSET = 20, 60  # of a time zone's bytes


def encode_date(value: object) -> bytes:
    return _seconds(_moment(value))


def encode_timestamp(value: object) -> bytes:
    moment = _moment(value)
    return _seconds(moment) + _fraction(moment) if moment.microsecond else _seconds(moment)


def encode_timestamp_tz(value: object) -> bytes:
    """The moment in UTC, and the offset of its zone."""
    moment = _moment(value)
    offset = moment.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    hours, rest = int(minutes / 60), minutes - 60 * int(minutes / 60)
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return _seconds(utc) + _fraction(utc) + bytes((HOUR_OFFSET + hours, MINUTE_OFFSET + rest))


def decode_date(data: bytes) -> str:
    """Any date or timestamp as the text that SQLite keeps."""
    micros = int.from_bytes(data[7:11], "big") // 1000 if len(data) >= 11 else 0
    year = (data[0] - 100) * 100 + data[1] - 100
    return datetime(year, data[2], data[3], data[4] - 1, data[5] - 1, data[6] - 1, micros).isoformat(sep=" ")


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise OraError(932, "inconsistent datatypes: expected DATE got NUMBER")
    return datetime.fromisoformat(value.replace(" +", "+").replace(" -", "-"))


def _seconds(moment: datetime) -> bytes:
    century, year = divmod(moment.year, 100)
    return bytes(
        (century + 100, year + 100, moment.month, moment.day, moment.hour + 1, moment.minute + 1, moment.second + 1)
    )


def _fraction(moment: datetime) -> bytes:
    return (moment.microsecond * 1000).to_bytes(4, "big")
