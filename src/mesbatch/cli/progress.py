"""The progress of an export: one line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from typing import Self, TextIO

from mesbatch.events import BatchRead, Event, PartRead, PartRetried
from mesbatch.units import format_bytes

TERMINAL_SECONDS, LOG_SECONDS = 0.1, 5.0
BAR = 24
MOST = 0.99  # an estimate may be too low: only the end itself is the end


class Progress:
    """A hook that writes the progress of a read to *stream*.

    *keys* is the number of keys, if there are any. *estimate* asks the database's planner for the number of rows; it is
    called only when there is something to show, and may give None.
    """

    def __init__(
        self, keys: int | None = None, estimate: Callable[[], int | None] | None = None, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._keys, self._keys_read = keys, 0
        self._ask: Callable[[], int | None] | None = estimate
        self._estimate: int | None = None
        self._rows = self._nbytes = 0
        self._began = self._shown = monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case BatchRead(rows=rows, nbytes=nbytes):
                self._rows += rows
                self._nbytes += nbytes
            case PartRead(keys=keys):
                self._keys_read += keys
            case PartRetried(attempt=attempt, error=error):
                self._say(f"try {attempt} failed and begins again: {type(error).__name__}")
        now = monotonic()
        if now - self._shown >= (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            self._shown = now
            self._show(max(now - self._began, 1e-9))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave the terminal's line clean."""
        if self._terminal:
            self._write("\r\x1b[K")

    def _show(self, seconds: float) -> None:
        text = f"{self._rows:,} rows, {format_bytes(self._nbytes)} read, {self._rows / seconds:,.0f} rows/s"
        if self._keys:
            text = f"{self._keys_read:,} of {self._keys:,} keys, {text}"
        done = self._done()
        if done is not None:
            bar = f"[{'#' * round(done * BAR):<{BAR}}] " if self._terminal else ""
            left = f", {_duration(seconds * (1 - done) / done)} left" if done else ""
            text = f"{bar}{'' if self._keys else 'about '}{done:.0%}, {text}{left}"
        self._write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")

    def _done(self) -> float | None:
        """The part that is read; None where nobody knows the whole."""
        if self._keys:
            return self._keys_read / self._keys
        ask, self._ask = self._ask, None
        if ask is not None:
            self._estimate = ask()
        return min(MOST, self._rows / self._estimate) if self._estimate else None

    def _say(self, text: str) -> None:
        self._write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _duration(seconds: float) -> str:
    """Write a duration for a person.

    >>> _duration(7.2), _duration(200), _duration(9_000)
    ('7 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
