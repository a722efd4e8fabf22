"""A process like a web server: it holds local jobs, submits those that it reads, and stops them on SIGTERM."""

from __future__ import annotations

import json
import signal
import sys
from importlib import import_module

from mesbatch.jobs import JobSpec


def main(module: str, memory_limit: str) -> None:
    jobs = import_module(module).make(json.loads(memory_limit))
    jobs.start()

    def stop(*_: object) -> None:
        jobs.close()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    for line in sys.stdin:
        spec, keys, inputs = json.loads(line)
        print(jobs.submit(JobSpec.decode(spec.encode()), keys, inputs=inputs).job_id, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
