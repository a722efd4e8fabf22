"""Waiting for another thread, process or clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def until(ask: Callable[[], Answer | None], seconds: float = 20.0) -> Answer:
    """Wait until *ask* returns a true value, and return it."""
    end = time.monotonic() + seconds
    while True:
        if answer := ask():
            return answer
        assert time.monotonic() < end, f"nothing came of it within {seconds:g} s"
        time.sleep(0.005)
