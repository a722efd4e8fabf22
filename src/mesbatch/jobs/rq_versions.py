"""Differences between the versions of RQ, from 1.16 on."""

from __future__ import annotations

import os
import socket
from typing import Any

from rq import Worker
from rq.version import VERSION

IS_RQ_1 = VERSION.startswith("1.")


class VersionedWorker(Worker):
    """A worker with the arguments that RQ 2 and 3 know."""

    def __init__(self, queues: Any, *, worker_ttl: int | None = None, **options: Any) -> None:
        if not IS_RQ_1:
            super().__init__(queues, worker_ttl=worker_ttl, **options)
            return
        # While it makes itself ready it asks for its address by CLIENT LIST, and ends where that is not allowed.
        super().__init__(queues, default_worker_ttl=worker_ttl, **{**options, "prepare_for_work": False})
        if options.get("prepare_for_work", True):
            self.hostname, self.pid = socket.gethostname(), os.getpid()
