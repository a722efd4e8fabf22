"""A TCP proxy between a driver and its database, which can cut, reset and stall the connection."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Fault = Literal["cut", "reset", "stall"]


class TcpProxy:
    """Forwards *host*``:port`` to *target* (a port of this machine); a context manager.

    Once a connection has carried *after* bytes from the database it is cut, reset or carries no more (*fault*), as the
    first *times* connections that come so far are (None: all). *silent* makes new connections hang: they are accepted,
    and nothing is carried.
    """

    def __init__(
        self,
        target: int,
        fault: Fault = "cut",
        after: int | None = None,
        times: int | None = 1,
        *,
        host: str = "127.0.0.1",
    ) -> None:
        self._host = host
        self.target, self.fault, self.after, self.times = target, fault, after, times
        self.connections = self.faults = 0
        self.silent = False
        self._closing = threading.Event()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self._host, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread("accept", self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._sockets.append(client)
                if not self.silent:
                    self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.target))
        self._sockets.append(server)
        self._thread("up", self._carry, client, server, None)
        self._thread("down", self._carry, server, client, self.after)

    def _thread(self, name: str, run: object, *arguments: object) -> None:
        threading.Thread(target=run, args=arguments, name=f"proxy-{name}", daemon=True).start()  # type: ignore[arg-type]

    def _carry(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(16_384):
                if limit is not None and len(data) >= limit and (self.times is None or self.faults < self.times):
                    sink.sendall(data[:limit])
                    self.faults += 1
                    self._break(source, sink)
                    return
                limit = None if limit is None else max(1, limit - len(data))
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _break(self, server: socket.socket, client: socket.socket) -> None:
        if self.fault == "stall":
            self._closing.wait()
            return
        if self.fault == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.shutdown(socket.SHUT_RD)  # wakes the thread that reads it, without a word to the other side
            client.close()
            server.close()
            return
        for each in (server, client):
            each.shutdown(socket.SHUT_RDWR)
