"""LOBs by locator: given to the client with their size, read in pieces, or made by the client."""

from __future__ import annotations

import secrets
from itertools import count

from tests.oracle.failures import OraError
from tests.oracle.primitives import Reader, blob, ub
from tests.oracle.protocol import Message
from tests.oracle.replies import Ending

READ, WRITE, LENGTH, CREATE, CHUNK_SIZE = 0x02, 0x40, 0x01, 0x110, 0x4000
CHUNK = 8_060
KEPT = 5_000  # locators of a session; a test that needs more reads them in time


class Lobs:
    """The LOBs of one session, by locator; *bytes_read* counts the bytes that were sent of them."""

    def __init__(self) -> None:
        self._values: dict[bytes, str | bytes] = {}
        self._numbers = count()
        self.bytes_read = 0

    def get(self, locator: bytes | None) -> str | bytes | None:
        return self._values.get(locator) if locator else None

    def locate(self, value: str | bytes) -> bytes:
        """A column's value as a locator with its size."""
        locator = (38).to_bytes(2, "big") + bytes(6) + next(self._numbers).to_bytes(8, "big") + bytes(24)
        self._values[locator] = value
        while len(self._values) > KEPT:
            del self._values[next(iter(self._values))]
        return ub(len(locator)) + ub(len(value)) + ub(CHUNK) + blob(locator)

    def answer(self, reader: Reader, ending: Ending) -> bytes:
        """Answer a call that reads, writes, measures or makes a LOB."""
        reader.u8()
        length = reader.ub()
        reader.skip("1nnn111")
        operation = reader.ub()
        reader.raw(2)
        offset = reader.ub()
        reader.ub()
        has_amount = reader.u8()
        reader.raw(6)
        locator = reader.raw(length)
        if operation == CREATE:
            return self._create(reader, ending)
        written = reader.blob() if operation == WRITE and reader.u8() == Message.LOB_DATA else b""
        amount = reader.ub() if has_amount else 0
        value = self._values.get(locator)
        if value is None:
            raise OraError(22275, "invalid LOB locator specified")
        data, amount = self._operate(operation, locator, value, offset, amount, written or b"")
        number = ub(amount) if has_amount else b""
        return data + bytes((Message.PARAMETER,)) + locator + number + ending.error()

    def _operate(
        self, operation: int, locator: bytes, value: str | bytes, offset: int, amount: int, written: bytes
    ) -> tuple[bytes, int]:
        """The bytes before the locator in the answer, and the number after it."""
        if operation == READ:
            part = value[offset - 1 : offset - 1 + amount]
            raw = part.encode() if isinstance(part, str) else part
            self.bytes_read += len(raw)
            return (bytes((Message.LOB_DATA,)) + blob(raw) if raw else b""), len(part)
        if operation == WRITE:
            self._values[locator] = value + written.decode() if isinstance(value, str) else value + written
            return b"", amount
        return b"", {LENGTH: len(value), CHUNK_SIZE: CHUNK}.get(operation, 0)

    def _create(self, reader: Reader, ending: Ending) -> bytes:
        reader.ub()
        locator = secrets.token_bytes(4) + bytes(4) + secrets.token_bytes(32)
        self._values[locator] = ""
        return bytes((Message.PARAMETER,)) + locator + ub(0) + b"\0" + ending.error()
