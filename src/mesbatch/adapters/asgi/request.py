"""Bodies of requests, read in the event loop before any thread is taken: a slow client occupies none."""

from __future__ import annotations

from collections.abc import Mapping

from mesbatch.adapters.asgi.types import Receive
from mesbatch.adapters.http.growing_body import GrowingBody
from mesbatch.adapters.http.request import JSON
from mesbatch.errors import BodyTooLarge, InvalidRequest, MesbatchError


class BodyReader:
    """Body of a request with *headers*; `read` takes it from the server, `give` gives it to the route."""

    def __init__(self, headers: Mapping[str, str], receive: Receive) -> None:
        self._headers, self._receive = headers, receive
        self._body: bytearray | None = bytearray()
        self._failure: Exception | None = None

    async def read(self, max_body: int) -> None:
        """Read at most *max_body* bytes; a body that is no JSON, or said to be larger, is left alone."""
        if not self._headers.get("content-type", "").lower().startswith(JSON):
            return
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > max_body:
            self._failure = BodyTooLarge(f"the body has {int(length):,} bytes, the limit is {max_body:,}")
            return
        try:
            body = GrowingBody(self._headers.get("content-encoding", ""), max_body)
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    self._failure = InvalidRequest("the client left before the end of its body")
                    return
                body.add(message.get("body", b""))
                if not message.get("more_body", False):
                    self._body = body.end()
                    return
        except MesbatchError as error:  # told where the body is asked for
            self._failure = error

    def give(self, max_body: int) -> bytearray:
        """Give the body, once.

        Raises:
            BodyTooLarge, InvalidRequest, UnsupportedMediaType: it could not be read.
        """
        if self._failure is not None:
            raise self._failure
        body, self._body = self._body, None
        return body if body is not None else bytearray()
