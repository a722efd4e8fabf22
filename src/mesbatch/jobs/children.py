"""Processes for local jobs: started when a submission begins, and told the job once it is there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

from mesbatch.jobs.process import count_kills
from mesbatch.store import new_job_id

READY_SECONDS = 10.0  # that a process waits for a job: the keys of a million take 3 s


@dataclass
class Child:
    """A process that does the job *job_id* under the name *worker*, or waits for one since *started*."""

    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    job_id: str = ""
    worker: str = ""
    kills: int = 0  # for memory, on this machine, before it was told its job

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def tell(self, **work: object) -> None:
        """Write a line for it; one that has died is reaped."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(work).encode() + b"\n")
            self.process.stdin.flush()  # and it stays open: its end tells the process that we are gone

    def close(self) -> None:
        """Let go of a process that has ended."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def end(self) -> None:
        """End a process that has no job."""
        self.process.kill()
        self.process.wait()
        self.close()


class ReadyChildren:
    """Processes that have imported *app* and wait for a job, for `READY_SECONDS`; used by one thread."""

    def __init__(self, app: str, memory_limit: int | None) -> None:
        self._app, self._memory_limit = app, memory_limit
        self._ready: list[Child] = []

    def prepare(self, count: int) -> None:
        """Start processes until *count* are ready."""
        self.retire(READY_SECONDS)
        self._ready += [self._started() for _ in range(count - len(self._ready))]

    def take(self, job_id: str) -> Child:
        """Return a process that does *job_id*: one that is ready, else a new one."""
        self.retire(READY_SECONDS)
        child = self._ready.pop(0) if self._ready else self._started()
        child.job_id, child.kills = job_id, count_kills()
        child.worker = f"{socket.gethostname()}:{os.getpid()}:{new_job_id()[:8]}"
        child.tell(job_id=job_id, worker=child.worker)
        return child

    def retire(self, after: float) -> None:
        """End the processes that have waited longer than *after* seconds, and forget those that ended."""
        kept = []
        for child in self._ready:
            if child.is_alive and time.monotonic() - child.started <= after:
                kept.append(child)
            else:
                child.end()
        self._ready = kept

    def _started(self) -> Child:
        command = [sys.executable, "-m", "mesbatch.jobs.child"]
        child = Child(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))  # noqa: S603
        child.tell(app=self._app, parent=os.getpid(), path=_import_path(), memory_limit=self._memory_limit)
        return child


def _import_path() -> list[str]:
    """Return where modules are looked for; an entry that is no text, such as a Path, is passed over by import, too."""
    entries: list[object] = list(sys.path)
    return [entry for entry in entries if isinstance(entry, str)]
