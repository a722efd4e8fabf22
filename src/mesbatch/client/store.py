"""Following a job in its store, without a web server between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesbatch.client.stream import JobStream
from mesbatch.store.protocol import Store
from mesbatch.store.stored_lines import stored_lines


def follow_store(
    store: Store, job_id: str, *, on_progress: Callable[[dict[str, Any]], None] | None = None
) -> JobStream:
    """The records of the job *job_id* in *store*, from the first on, until its end; see `JobStream`.

    Raises:
        JobNotFound: there is no such job; raised with the first record.
    """
    return JobStream(lambda first: stored_lines(store, job_id, from_=first), on_progress=on_progress)
