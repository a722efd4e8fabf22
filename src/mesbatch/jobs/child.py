"""The entry point of a local job's process, ``python -m mesbatch.jobs.child``.

The first line of standard input says where it belongs, the second one its work.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from mesbatch.jobs.process import die_with_parent, end_now, enter_job, limit_memory, watch_pipe


def main() -> None:
    """Make ready, wait for the job, do it, and die with the process that started this one."""
    enter_job()
    lines = watch_pipe(sys.stdin.fileno())
    place = json.loads(lines.get())
    die_with_parent(place["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends us
    sys.path[:] = place["path"]

    from mesbatch.jobs.app import import_jobs  # from here on the parent's death is noticed
    from mesbatch.jobs.run_and_join import run_and_join
    from mesbatch.jobs.stop import Stop

    jobs = import_jobs(place["app"])
    limit_memory(place["memory_limit"])
    work: dict[str, Any] = json.loads(lines.get())
    stop = Stop(end_now)
    signal.signal(signal.SIGTERM, lambda *_: stop.ask("shutdown"))
    run_and_join(jobs.store, work["job_id"], jobs.functions, work["worker"], settings=jobs.settings, stop=stop)


if __name__ == "__main__":
    main()
