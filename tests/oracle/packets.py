"""Packets on a socket: unwrapped on arrival, wrapped for sending."""

from __future__ import annotations

import socket
import struct
from select import select

from tests.oracle.failures import Gone
from tests.oracle.protocol import Marker, Packet

HEADER = 8
DATA_HEADER = HEADER + 2  # with the data flags


class Wire:
    """One connection; *sdu* is the largest size of a packet, and *large* says that lengths have 32 bits from now on."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket, self.sdu, self.large = sock, 8_192, False
        self._arrived = b""

    def read(self) -> tuple[int, bytes]:
        """Read the next packet: its type, and the bytes after its header."""
        self._fill(HEADER)
        size = int.from_bytes(self._arrived[: 4 if self.large else 2], "big")
        self._fill(size)
        kind, body, self._arrived = self._arrived[4], self._arrived[HEADER:size], self._arrived[size:]
        return kind, body

    def has_input(self, seconds: float = 0.0) -> bool:
        """Wait at most *seconds* for input of the client; return True if there is some."""
        return bool(self._arrived) or bool(select([self.socket], [], [], seconds)[0])

    def is_closed(self) -> bool:
        """Return True if the client has hung up; reads nothing."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            raise Gone from None

    def send_packet(self, kind: Packet, body: bytes) -> None:
        self.send(self._header(HEADER + len(body), kind) + body)

    def send_marker(self, kind: Marker) -> None:
        self.send_packet(Packet.MARKER, bytes((1, 0, kind)))

    def frame(self, payload: bytes, flags: int = 0) -> bytes:
        """*payload* in DATA packets; *flags* are those of the last one."""
        room = self.sdu - DATA_HEADER
        out = []
        for start in range(0, len(payload), room):
            part = payload[start : start + room]
            last = start + room >= len(payload)
            out += (self._header(len(part) + DATA_HEADER, Packet.DATA), struct.pack(">H", flags if last else 0), part)
        return b"".join(out)

    def close(self, *, reset: bool = False) -> None:
        """Hang up; with *reset* as a firewall or a dying machine does."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _fill(self, size: int) -> None:
        while len(self._arrived) < size:
            try:
                got = self.socket.recv(65_536)
            except OSError:
                got = b""
            if not got:
                raise Gone
            self._arrived += got

    def _header(self, size: int, kind: Packet) -> bytes:
        return struct.pack(">IBBH" if self.large else ">HxxBBH", size, kind, 0, 0)
