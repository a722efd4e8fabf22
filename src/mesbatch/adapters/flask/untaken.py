"""Answers that nobody takes: their time is counted from the end of their request, as Flask signals it."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from typing import Any

from flask import Flask, appcontext_tearing_down, g, request, request_tearing_down

from mesbatch.adapters.http.body import ReadBody
from mesbatch.adapters.http.untaken import Untaken, watch
from mesbatch.sink.stream import ByteStream

ANSWERS = "_mesbatch_answers"  # their place in `g`


class TakenBody(ByteStream):
    """Outermost *pieces* of *body*, which is given up if nobody takes the first piece soon after the request.

    A body that becomes garbage is given up, too. Every piece that is asked for later raises.
    """

    def __init__(self, pieces: Generator[bytes], body: ReadBody) -> None:
        super().__init__(pieces, body)
        self._begun = False
        self._untaken = Untaken(body.give_up())
        self._finalizer = weakref.finalize(self, watch.queue.put, body.give_up())
        self._finalizer.atexit = False
        watch.start()
        g.setdefault(ANSWERS, []).append((request.environ, self._untaken))

    def __next__(self) -> bytes:
        if not self._begun:
            self._untaken.take()
            self._begun = True
        return super().__next__()

    def close(self) -> None:
        self._untaken.settle()
        super().close()
        self._finalizer.detach()


def _end_request(app: Flask, **_: Any) -> None:
    """Begin to count the time of the answers of the request that ends; an outer one may share its context."""
    answers = g.pop(ANSWERS, [])
    for environ, untaken in answers:
        if environ is request.environ:
            watch.queue.put(untaken)
    if others := [answer for answer in answers if answer[0] is not request.environ]:
        setattr(g, ANSWERS, others)


def _end_context(app: Flask, **_: Any) -> None:
    """Begin to count the time of answers whose request ended without a signal, as a function for its end raised."""
    for _, untaken in g.pop(ANSWERS, ()):
        watch.queue.put(untaken)


request_tearing_down.connect(_end_request)
appcontext_tearing_down.connect(_end_context)
