"""The process that runs a job: how much memory it holds, and its end by force."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from mesbatch.errors import JobNotFound
from mesbatch.store.protocol import Store

CHILD = b"mesbatch.jobs.child"  # so that no other process is taken for it, once its number is given away again


def worker_pid(store: Store, job_id: str) -> int | None:
    """The process at work on the job, if there is one."""
    with suppress(JobNotFound, OSError, ValueError):
        facts = store.facts(job_id)
        if facts["status"] == "started" and CHILD in Path(f"/proc/{facts['pid']}/cmdline").read_bytes():
            return int(facts["pid"])
    return None


def rss_of(pid: int) -> int | None:
    """The resident memory of a process, in bytes; None when it has gone.

    >>> rss_of(os.getpid()) > 2**20
    True
    """
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def kill(pid: int) -> None:
    """End it as the kernel does when memory runs out."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
