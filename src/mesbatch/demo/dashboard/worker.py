"""The process that runs a job: found by the facts in the store, and ended by force."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from mesbatch.errors import JobNotFound
from mesbatch.store.protocol import Store

CHILD = b"mesbatch.jobs.child"  # so that no other process is taken for it, once its number is given away again


def worker_pid(store: Store, job_id: str) -> int | None:
    """Find the process that works on the job, if there is one."""
    with suppress(JobNotFound, OSError, ValueError):
        facts = store.facts(job_id)
        if facts["status"] == "started" and CHILD in Path(f"/proc/{facts['pid']}/cmdline").read_bytes():
            return int(facts["pid"])
    return None


def kill(pid: int) -> None:
    """End a process as the kernel does when memory runs out."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
