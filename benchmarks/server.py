"""The PostgreSQL of the benchmarks: its data outlives the run, and a running one is used as it is.

``python -m benchmarks.server start`` leaves it running, ``python -m benchmarks.server stop`` ends it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.cache import cache_directory
from tests.rig import postgres

SETTINGS = {
    "shared_buffers": "512MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",  # a table filled in the transaction that made it writes no log
    "max_wal_senders": "0",
    "jit": "off",
}


class KeptPostgres(postgres.PrivatePostgres):
    """A server that entering starts unless it runs already, and leaving stops only if entering started it."""

    def __init__(self) -> None:
        super().__init__(**SETTINGS)

    def __enter__(self) -> Self:
        self._binaries, self._identity = postgres.find_binaries(), postgres._unprivileged_identity()
        self.directory = cache_directory() / "postgres"
        if not (self.directory / "port").exists():
            self._make()
        self.port = int((self.directory / "port").read_text())
        self._started = not self.running
        if self._started:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._started:
            self.stop()

    @property
    def running(self) -> bool:
        return (self.directory / "data/postmaster.pid").exists() and Path(f"/proc/{self.pid}").exists()

    def _make(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)  # one that was never finished has no server
        self.directory.mkdir(parents=True)
        self.port = postgres._free_port()
        self._create()
        (self.directory / "port").write_text(str(self.port))


def processor_seconds() -> float:
    """Measure the processor time of all sessions that have ended since the kept server was started."""
    pid = (cache_directory() / "postgres/data/postmaster.pid").read_text().split()[0]
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    of_children_user, of_children_system = map(int, after_name[13:15])
    return (of_children_user + of_children_system) / os.sysconf("SC_CLK_TCK")


def main(action: str) -> None:
    with KeptPostgres() as server:
        server._started = action == "stop"
        print(server.url, "stops" if action == "stop" else "runs", "in", server.directory)


if __name__ == "__main__":
    main(*sys.argv[1:])
