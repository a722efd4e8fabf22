"""Messages that the driver sends in front of a call; each is read to its last byte, where the call begins."""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle.failures import Gone
from tests.oracle.primitives import Reader
from tests.oracle.protocol import Piggyback


def read(reader: Reader, field_version: int, close_cursor: Callable[[int], None]) -> int:
    """Read one, pass cursors that the client no longer needs to *close_cursor*, and return their number."""
    code = reader.u8()
    reader.u8()  # sequence
    if field_version >= 18:
        reader.ub()
    match code:
        case Piggyback.CLOSE_CURSORS:
            reader.u8()
            number = reader.ub()
            for _ in range(number):
                close_cursor(reader.ub())
            return number
        case Piggyback.SCHEMA:
            reader.u8()
            reader.lblob()
        case Piggyback.SESSION_STATE:
            reader.ub()
        case Piggyback.KEY_VALUES:
            _skip_key_values(reader)
        case Piggyback.END_TO_END:
            _skip_end_to_end(reader)
        case Piggyback.FREE_LOBS:
            reader.u8()
            total = reader.ub()
            reader.skip("1nnn111n1nnn1" + "1n1n1n")
            reader.raw(total)
        case _:
            raise Gone
    return 0


def _skip_key_values(reader: Reader) -> None:
    reader.skip("1n1")
    pairs = reader.ub()
    reader.skip("n1")
    reader.blob()
    for _ in range(pairs):
        reader.lblob(), reader.lblob(), reader.ub()


def _skip_end_to_end(reader: Reader) -> None:
    """Flags, the lengths of eight texts, and those texts that are there."""
    reader.skip("11n")
    lengths = []
    for i, name in enumerate(("id", "module", "action", None, "info", None, None, "operation")):
        reader.u8()
        length = reader.ub()
        if i == 3:  # two more fields stand after the first unused pair
            reader.skip("1n")
        lengths.append(length if name else 0)
    for length in lengths:
        if length:
            reader.blob()
