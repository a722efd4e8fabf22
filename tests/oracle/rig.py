"""The stand-in in a process of its own, with a handle that makes things go wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.oracle.faults import Kind
from tests.oracle.server import PASSWORD, SERVICE, USER

ROOT = Path(__file__).parents[2]


class OracleServer:
    """A server on the SQLite file at *path*, which it makes; a context manager."""

    def __init__(self, path: Path, profile: str = "19c") -> None:
        self.path, self.profile = path, profile
        self.port = 0

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        return f"127.0.0.1:{self.port}/{SERVICE}"

    @property
    def credentials(self) -> dict[str, str]:
        """The arguments of ``oracledb.connect``."""
        return {"user": USER, "password": PASSWORD, "dsn": self.dsn}

    @property
    def sqlalchemy_url(self) -> str:
        return f"oracle+oracledb://{USER}:{PASSWORD}@127.0.0.1:{self.port}/?service_name={SERVICE}"

    def fault(
        self, kind: Kind, after: int = 0, seconds: float = 0.0, code: int = 1555, *, match: str = "",
        times: int | None = 1,
    ) -> None:  # fmt: skip
        """Plan a fault for the next *times* queries whose text holds *match*; see `tests.oracle.faults`."""
        self._ask("fault", kind=kind, after=after, seconds=seconds, code=code, match=match, times=times)

    def clear_faults(self) -> None:
        self._ask("clear")

    def counts(self) -> dict[str, int]:
        """Counters of all sessions so far: *round_trips*, *rows*, *execute*, *fetch*, ...; *sessions* are open now."""
        answer: dict[str, int] = self._ask("counts")
        return answer

    def drop_sessions(self) -> None:
        """Cut all connections, as a server that dies or a firewall does."""
        self._ask("drop")

    def kill_sessions(self) -> None:
        """Kill all sessions as ``ALTER SYSTEM KILL SESSION`` does: the next call of each ends it."""
        self._ask("kill")

    def memory(self) -> int:
        """The memory of the server's process, in bytes."""
        return int(self._ask("memory"))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the server's answers for a while, as a network does that swallows all packets."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process at once; every connection breaks."""
        self._process.kill()
        self._process.communicate()

    def restart(self) -> None:
        """Start another process on the same port, which knows nothing of the first one's sessions."""
        self.stop()
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.oracle.server", str(self.path), "--profile", self.profile]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True
        )
        self.port = self._answer()["port"]

    def _ask(self, command: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        print(json.dumps({"command": command, **arguments}), file=self._process.stdin, flush=True)
        return self._answer()["answer"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server has ended: its stderr says why"
        answer: dict[str, Any] = json.loads(line)
        return answer
