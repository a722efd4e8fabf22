"""Threads that a read may leave behind."""

from __future__ import annotations

import threading

# They live as long as the process: one watches the answers of all applications, and pools run the calls of ASGI.
OF_THE_PROCESS = ("mesbatch-untaken", "mesbatch-asgi_", "mesbatch-asgi-wait_")


def threads_of_reads() -> list[str]:
    """The names of our threads, without those that belong to the process."""
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("mesbatch") and not name.startswith(OF_THE_PROCESS))
