"""Threads that a read may leave behind."""

from __future__ import annotations

import threading

OF_THE_PROCESS = "mesbatch-untaken"  # it watches the answers of all Flask applications, as long as the process lives


def threads_of_reads() -> list[str]:
    """The names of our threads, without the one that belongs to the process."""
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("mesbatch") and name != OF_THE_PROCESS)
