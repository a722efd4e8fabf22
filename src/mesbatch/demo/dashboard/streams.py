"""The streams that are being sent, so that they can be cut off on purpose."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import Lock
from typing import Any

STREAMS = ("/stream", "/events")


class Streams:
    """A WSGI middleware under werkzeug's server that remembers the socket of each stream while it is sent."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._sockets: set[socket.socket] = set()
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = self._app(environ, start_response)
        if not environ["PATH_INFO"].endswith(STREAMS):
            return body
        return _Sent(body, environ["werkzeug.socket"], self)

    def cut(self) -> int:
        """Cut all streams, as a network would, and count them."""
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            with suppress(OSError):  # it is closed already
                sock.shutdown(socket.SHUT_RDWR)
        return len(sockets)

    def begin(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)

    def end(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)


class _Sent:
    """The body of a stream, whose socket is known while it is sent."""

    def __init__(self, body: Iterable[bytes], sock: socket.socket, streams: Streams) -> None:
        self._body, self._sock, self._streams = body, sock, streams
        streams.begin(sock)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        self._streams.end(self._sock)
        if close := getattr(self._body, "close", None):
            close()
