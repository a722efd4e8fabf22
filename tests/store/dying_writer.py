"""A process that publishes for ever; run as ``python -m tests.store.dying_writer DIRECTORY JOB_ID``, then killed."""

from __future__ import annotations

import sys
from itertools import count

from mesbatch.store import DirectoryStore, ResultWriter
from tests.store.results import COLUMNS, encode, rows_of


def main(directory: str, job_id: str) -> None:
    store = DirectoryStore(directory, lease_seconds=0.1)
    writer = ResultWriter(store, store.acquire(job_id, "dying"))
    writer.start("a", COLUMNS)
    for number in count(writer.domains["a"].rows):
        writer.publish("a", encode(rows_of(number)), 1, number)
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
