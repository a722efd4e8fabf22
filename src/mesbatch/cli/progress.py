"""The progress of an export: one line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TextIO

from mesbatch.events import BatchRead, Event, PartRead, PartRetried

TERMINAL_SECONDS, LOG_SECONDS = 0.1, 5.0
BAR = 24


class Progress:
    """A hook that writes the progress of a read to *stream*; *keys* is their number, if that is known."""

    def __init__(self, keys: int | None = None, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._keys, self._keys_read, self._rows = keys, 0, 0
        self._began = self._shown = monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case BatchRead(rows=rows):
                self._rows += rows
            case PartRead(keys=keys):
                self._keys_read += keys
            case PartRetried(attempt=attempt, error=error):
                self._say(f"try {attempt} failed and begins again: {type(error).__name__}")
        now = monotonic()
        if now - self._shown >= (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            self._shown = now
            self._show(now)

    def close(self) -> None:
        """Leave the terminal's line clean."""
        if self._terminal:
            self._write("\r\x1b[K")

    def _show(self, now: float) -> None:
        rate = self._rows / max(now - self._began, 1e-9)
        text = f"{self._rows:,} rows, {rate:,.0f} rows/s"
        if self._keys:
            done = self._keys_read / self._keys
            bar = f"[{'#' * round(done * BAR):<{BAR}}] " if self._terminal else ""
            text = f"{bar}{self._keys_read:,} of {self._keys:,} keys, {text}"
        self._write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")

    def _say(self, text: str) -> None:
        self._write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
