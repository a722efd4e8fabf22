"""A private MariaDB server in a temporary directory, for tests and benchmarks."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

USER, PASSWORD, DATABASE = "mes", "p@ss", "mes"
START_SECONDS = 60
SETTINGS = {
    "bind-address": "127.0.0.1",
    "innodb-buffer-pool-size": "32M",
    "innodb-log-file-size": "8M",
    "innodb-flush-log-at-trx-commit": "0",  # nothing here outlives the machine
    "skip-name-resolve": "1",
    "character-set-server": "utf8mb4",
}


class RigUnavailable(RuntimeError):
    """This machine cannot run the server; the message names the missing part."""


class PrivateMariadb:
    """A MariaDB that only this process knows of; entering starts it, leaving removes every trace.

    Raises:
        RigUnavailable: on entering, when there are no programs or no user who may run them.
    """

    def __enter__(self) -> Self:
        self._install, self._server = _program("mariadb-install-db"), _program("mariadbd")
        self._user, self._group = _unprivileged_identity()
        self.port = _free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="my-", dir="/tmp"))  # a socket's path has 107 bytes at most
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._create()
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    @property
    def url(self) -> str:
        return f"mysql://{USER}:{PASSWORD.replace('@', '%40')}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of ``connect``, which are the same for all drivers."""
        return {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD, "database": DATABASE}

    def log(self) -> str:
        """The output of the server, at most its last 4,000 characters."""
        path = self.directory / "log"
        return path.read_text(errors="replace")[-4_000:] if path.exists() else ""

    def _create(self) -> None:
        os.chown(self.directory, self._user, self._group)
        start = self.directory / "start.sql"
        start.write_text(
            f"CREATE DATABASE {DATABASE};\nCREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'%';\n"
        )
        start.chmod(0o644)
        done = self._run(
            [self._install, "--no-defaults", f"--datadir={self.directory}/data", "--skip-test-db",
             "--auth-root-authentication-method=normal"]
        )  # fmt: skip
        if done.wait(START_SECONDS):
            raise RuntimeError(f"MariaDB: {self._install} ended with {done.returncode}: {self.log()}")

    def _start(self) -> None:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        # A server that starts removes the temporary files of any other in the same folder.
        places = [
            f"--tmpdir={self.directory}",
            f"--datadir={self.directory}/data",
            f"--socket={self.directory}/socket",
            f"--port={self.port}",
        ]
        self._process = self._run(
            [self._server, "--no-defaults", *places, *settings, f"--init-file={self.directory}/start.sql"]
        )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MariaDB did not start: {self.log()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
                return bool(wire.recv(1))  # its greeting, which it gives after the init file
        except OSError:
            return False

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        groups: list[int] | None = [] if os.geteuid() == 0 else None  # only root may leave its groups
        with (self.directory / "log").open("ab") as output:
            return subprocess.Popen(
                command,
                user=self._user,
                group=self._group,
                extra_groups=groups,
                cwd="/",  # the user may not enter ours
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _remove(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def _program(name: str) -> str:
    if (found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")) is None:
        raise RigUnavailable(f"no mariadb: there is no {name} on the PATH")
    return found


def _unprivileged_identity() -> tuple[int, int]:
    """User and group that run the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return os.getuid(), os.getgid()
    for name in ("mysql", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise RigUnavailable("mariadb does not run as root, and there is no user mysql or nobody")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
