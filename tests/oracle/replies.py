"""The messages that end an answer, and those around rows and OUT binds."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle.failures import OraError
from tests.oracle.primitives import blob, ub
from tests.oracle.protocol import Message

NO_PARAMETERS = bytes((Message.PARAMETER, 0, 0, 0, 0))
OUT = 16  # the direction of a bind


@dataclass
class Ending:
    """The members that every ending of one answer shares: *sequence* of the call, and *in_transaction*."""

    field_version: int
    sequence: int = 0
    in_transaction: bool = False

    def status(self) -> bytes:
        """The ending of a call that gives nothing back."""
        return bytes((Message.STATUS,)) + ub(self._call_status) + ub(self.sequence)

    def error(self, failure: OraError | None = None, cursor: int = 0, rows: int = 0) -> bytes:
        """The ending with *failure*, or without one; *rows* is the number of rows sent or changed so far."""
        code = failure.code if failure else 0
        out = [bytes((Message.ERROR,)), ub(self._call_status), ub(self.sequence), ub(0), ub(code & 0xFFFF)]
        out += (ub(0), ub(0), ub(cursor), ub(0))  # array errors, cursor, position
        out.append(bytes(6))  # type of the statement, fatal, flags, options, UPI, warning
        out.append(bytes(5))  # rowid
        out += (ub(0), b"\0\0", ub(0), ub(0), ub(0))  # system's error, call numbers, padding, iterations, rowid
        out += (ub(0), ub(0), ub(0))  # batch errors: codes, offsets, messages
        out += (ub(code), ub(rows))
        if self.field_version >= 14:
            out += (ub(0), ub(0))
        if failure:
            out.append(blob(str(failure).encode()))
        return b"".join(out)

    @property
    def _call_status(self) -> int:
        return 2 if self.in_transaction else 0


def row_header(columns: int, wanted: int) -> bytes:
    return bytes((Message.ROW_HEADER, 0)) + ub(columns) + ub(0) + ub(wanted) + ub(0) + ub(0) + ub(0)


def out_binds(values: list[bytes]) -> bytes:
    """The values of a block's OUT binds, encoded before."""
    head = bytes((Message.IO_VECTOR, 0)) + ub(len(values)) + ub(0) * 5 + bytes([OUT] * len(values))
    return head + bytes((Message.ROW,)) + b"".join(value + b"\0" for value in values) + NO_PARAMETERS
