"""Waiting for something that another thread, process or clock does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def until(ask: Callable[[], Answer | None], seconds: float = 20.0) -> Answer:
    """What *ask* returns as soon as that is true."""
    end = time.monotonic() + seconds
    while True:
        if answer := ask():
            return answer
        assert time.monotonic() < end, f"nothing came of it within {seconds:g} s"
        time.sleep(0.005)
