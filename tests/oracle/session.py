"""One client from its first packet to its last: requests come in, and answers, breaks and faults go out."""

from __future__ import annotations

import struct
import sys
import traceback
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

from tests.oracle import login, piggybacks
from tests.oracle.calls import Calls
from tests.oracle.cursors import be_silent
from tests.oracle.database import Database
from tests.oracle.failures import CANCELLED, SESSION_KILLED, Cancelled, Gone, OraError
from tests.oracle.faults import Fault
from tests.oracle.lobs import Lobs
from tests.oracle.packets import Wire
from tests.oracle.primitives import Reader
from tests.oracle.protocol import Call, DataFlag, Marker, Message, Packet
from tests.oracle.replies import Ending

if TYPE_CHECKING:
    from tests.oracle.server import Server

BUGS = (ValueError, TypeError, KeyError, AttributeError, IndexError, struct.error)
_numbers = count(1)
_count_lock = Lock()


class Session:
    """A connection to *server*; *killed* makes its next call answer that its session was killed."""

    def __init__(self, server: Server, wire: Wire) -> None:
        self.server, self.wire = server, wire
        self.killed = False
        self.ending = Ending(server.profile.field_version)
        self.lobs = Lobs()
        self._login = login.Login(server.passwords, next(_numbers), server.profile, server.service)
        self._calls: Calls | None = None
        self._closing = False

    def serve(self) -> None:
        """Answer requests until the client leaves."""
        try:
            if login.shake_hands(self.wire, self.server.profile, self.server.service):
                while not self._closing:
                    self._serve_packet(*self.wire.read())
        except Gone:
            pass
        finally:
            self.wire.close()
            if self._calls is not None:
                self._calls.database.close()

    def count(self, name: str, number: int = 1) -> None:
        with _count_lock:
            self.server.counts[name] += number

    def _serve_packet(self, kind: int, body: bytes) -> None:
        if kind == Packet.MARKER:
            self._answer_break(body)
        elif kind != Packet.DATA or int.from_bytes(body[:2], "big") & DataFlag.EOF:
            self._closing = True
        elif len(body) > 2:
            self._answer(Reader(body[2:], self._more))

    def _more(self) -> bytes:
        kind, body = self.wire.read()
        if kind != Packet.DATA:
            raise Gone
        return body[2:]

    def _answer_break(self, body: bytes) -> None:
        """Exchange the markers of a break, and send the error that ends the broken call."""
        if body[2] != Marker.RESET:
            self.wire.send_marker(Marker.BREAK)
            while True:
                kind, body = self.wire.read()
                if kind == Packet.MARKER and body[2] == Marker.RESET:
                    break
        self.wire.send_marker(Marker.RESET)
        self.count("break")
        self._send(self.ending.error(OraError(CANCELLED, "user requested cancel of current operation")))

    def _answer(self, reader: Reader) -> None:
        while (kind := reader.u8()) == Message.PIGGYBACK:
            self.count("cursors_closed", piggybacks.read(reader, self.ending.field_version, self._close_cursor))
        self.count("round_trips")
        match kind:
            case Message.PROTOCOL:  # this reply and the next have no mark of their end
                login.skip_protocol(reader)
                self.wire.send(self.wire.frame(login.protocol_reply(self.server.profile)))
            case Message.DATA_TYPES:
                login.skip_types(reader)
                self.wire.send(self.wire.frame(login.TYPES_REPLY))
            case Message.FAST_AUTH:
                self._send(self._fast_login(reader))
            case Message.CALL:
                self._answer_call(reader)
            case _:
                raise Gone

    def _fast_login(self, reader: Reader) -> bytes:
        """Protocol, types and the first half of the login in one message, the last part in an older field version."""
        reader.raw(4)
        login.skip_protocol(reader)
        reader.raw(5)
        reader.u8()
        reader.u8()
        login.skip_types(reader)
        reader.raw(2)
        self.ending.sequence = reader.u8()
        reply = login.protocol_reply(self.server.profile) + login.TYPES_REPLY
        return reply + self._login.challenge(reader) + self.ending.status()

    def _answer_call(self, reader: Reader) -> None:
        code, self.ending.sequence = reader.u8(), reader.u8()
        if self.ending.field_version >= 18:
            reader.ub()  # a token, for pipelines
        try:
            call = Call(code)
            self.count(call.name.lower())
            answer = self._result_of(call, reader)
        except Cancelled:
            return  # its marker is the next thing to read
        except OraError as error:
            answer = self._error(error)
        except BUGS as error:  # a mistake of this stand-in, or data that it does not know
            traceback.print_exc(file=sys.stderr)
            answer = self._error(OraError(600, f"internal error code, arguments: [{error!r}]"))
        self._send(answer, self._calls.fault if self._calls else None)

    def _error(self, error: OraError) -> bytes:
        self._closing = self._closing or error.code == SESSION_KILLED
        self.ending.in_transaction = self._calls is not None and self._calls.database.in_transaction
        return self.ending.error(error)

    def _result_of(self, call: Call, reader: Reader) -> bytes:
        if call == Call.CHALLENGE:
            return self._login.challenge(reader) + self.ending.status()
        if call == Call.AUTHENTICATE:
            return self._open_session(reader)
        if self.killed:
            raise OraError(SESSION_KILLED, "your session has been killed")
        if self._calls is None:
            raise OraError(1012, "not logged on")
        return self._calls.answer(call, reader)

    def _open_session(self, reader: Reader) -> bytes:
        reply = self._login.verify(reader)
        server = self.server
        database = Database(server.path, self._login.user, server.profile.banner, self.wire.has_input)
        self._calls = Calls(database, self.wire, server.profile, server.plan, self.ending, self.lobs, self.count)
        return reply + self.ending.status()

    def _close_cursor(self, number: int) -> None:
        if self._calls is not None:
            self._calls.cursors.pop(number, None)

    def _send(self, answer: bytes, fault: Fault | None = None) -> None:
        flags = DataFlag(0)
        if self.server.profile.has_end_of_response:
            answer += bytes((Message.END_OF_RESPONSE,))
            flags = DataFlag.END_OF_RESPONSE
        data = self.wire.frame(answer, flags)
        match fault:
            case Fault("stall", seconds=seconds):
                self.wire.send(data[: len(data) // 2])
                be_silent(self.wire, seconds)
                self.wire.send(data[len(data) // 2 :])
            case Fault("trickle", seconds=seconds):
                for start in range(0, len(data), self.wire.sdu):
                    self.wire.send(data[start : start + self.wire.sdu])
                    be_silent(self.wire, seconds)
            case _:
                self.wire.send(data)
