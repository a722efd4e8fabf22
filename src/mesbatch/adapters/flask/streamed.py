"""Responses whose bytes are made while they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

from flask import Response
from werkzeug.wsgi import ClosingIterator

from mesbatch.errors import ResponseIsStreamed
from mesbatch.sink.stream import ByteStream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class StreamedResponse(Response):
    """Response whose *body* is made while it is sent, so that hooks cannot have its bytes.

    ``add_etag`` and ``freeze`` change nothing, ``get_data`` raises `ResponseIsStreamed`. Closing it closes *body*, also
    after a hook has put another iterable in its place, and calls the functions of ``call_on_close``.
    """

    def __init__(self, body: ByteStream, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(body, status, headers, direct_passthrough=True)
        self._body = body

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        found = super().get_app_iter(environ)
        return (
            ClosingIterator(found, self.close) if found is self.response else found
        )  # a passed body closes only itself

    def close(self) -> None:
        try:
            self._body.close()
        finally:
            super().close()

    def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:
        """Leave the stream alone: an ETag needs all of its bytes."""

    def freeze(self) -> None:
        """Leave the stream alone."""

    def make_sequence(self) -> NoReturn:
        raise ResponseIsStreamed("the body is made while it is sent; a hook cannot collect it")

    def get_data(self, as_text: bool = False) -> NoReturn:
        self.make_sequence()

    data = property(get_data, Response.set_data)  # werkzeug's reads without our get_data
