"""The entry point of a local job's process, ``python -m mesbatch.jobs.child``: its work is a line of standard input."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from mesbatch.jobs.process import die_with_parent, end_now, enter_job, limit_memory, watch_pipe


def main() -> None:
    """Do the job, and die with the process that started this one."""
    enter_job()
    work = json.loads(_read_line(sys.stdin.fileno()))
    die_with_parent(work["parent"])
    watch_pipe(sys.stdin.fileno())
    sys.path[:] = work["path"]
    _run(work)


def _run(work: dict[str, Any]) -> None:
    from mesbatch.jobs.app import import_jobs  # from here on the parent's death is noticed
    from mesbatch.jobs.run import run_job
    from mesbatch.jobs.stop import Stop

    jobs = import_jobs(work["app"])
    limit_memory(work["memory_limit"])
    stop = Stop(end_now)
    signal.signal(signal.SIGTERM, lambda *_: stop.ask("shutdown"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends us
    run_job(jobs.store, work["job_id"], jobs.functions, work["worker"], settings=jobs.settings, stop=stop)


def _read_line(descriptor: int) -> bytes:
    """Read a line, and not a byte more: the rest is for `watch_pipe`."""
    line = bytearray()
    while not line.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        line += byte
    return bytes(line)


if __name__ == "__main__":
    main()
