"""Functions for `mesbatch.demo.watch` to call in a process of their own."""

from __future__ import annotations

import os
import sys
import time
from signal import SIGKILL


def allocate(nbytes: int, seconds: float = 0.0) -> int:
    """Fill *nbytes*, so that the operating system must give them, and let them go after *seconds*."""
    filled = bytearray(b"x") * nbytes
    time.sleep(seconds)
    return len(filled)


def fail(reason: str) -> None:
    """Raise, after a word to stderr."""
    print("a last word", file=sys.stderr)
    raise ValueError(reason)


def die() -> None:
    """End this process as the kernel does one that took too much."""
    os.kill(os.getpid(), SIGKILL)


def chatter() -> str:
    """Print something that looks like a report."""
    print('{"seconds": 1, "peak": 1, "result": "not this"}', flush=True)
    return "this"


def modules() -> list[str]:
    """Give the modules that are imported when the function is called."""
    return sorted(sys.modules)
