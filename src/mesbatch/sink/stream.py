"""Bytes for a response: an iterator that closes its origin."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Self


class ByteStream(Iterator[bytes]):
    """The chunks of a generator; closing it, even before the first chunk, closes *origin*, too.

    A generator alone would not do: if it was never started, because the client asked for the headers only, closing it
    runs none of its ``finally``. WSGI servers call ``close()``.
    """

    def __init__(self, chunks: Generator[bytes], origin: Any) -> None:
        self._chunks, self._origin = chunks, origin

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except BaseException:  # the end, or a failure
            self.close()
            raise

    def close(self) -> None:
        """Stop; may be called twice."""
        self._chunks.close()
        if close := getattr(self._origin, "close", None):
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
