"""Operations on databases, sockets, object stores and processes, as `points` counts them."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from tests.faults.points import points

DATABASE, SOCKET, PROCESS = "database", "socket", "process"
OBJECTS = {
    "object read": ("get", "head", "list", "list_with_delimiter", "open_reader"),
    "object write": ("put", "copy", "rename"),
    "object remove": ("delete",),
}


def _sqlite_failure() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("disk I/O error")


def _counted(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        real = getattr(super(self._faulty, self), name)
        if not points.watch():
            return real(*arguments, **options)
        return points.call(DATABASE, name, _sqlite_failure, lambda: real(*arguments, **options))

    return method


class FaultyCursor(sqlite3.Cursor):
    """A cursor whose every call and every row counts."""

    execute, executemany, fetchone, fetchmany, fetchall, __next__ = map(
        _counted, ("execute", "executemany", "fetchone", "fetchmany", "fetchall", "__next__")
    )


FaultyCursor._faulty = FaultyCursor  # type: ignore[attr-defined]


def _connection_class(base: type[sqlite3.Connection]) -> type[sqlite3.Connection]:
    class FaultyConnection(base):  # type: ignore[misc, valid-type]
        def cursor(self, factory: Any = FaultyCursor) -> Any:
            return super().cursor(factory)

        execute, executemany, commit, rollback = map(_counted, ("execute", "executemany", "commit", "rollback"))

    FaultyConnection._faulty = FaultyConnection  # type: ignore[attr-defined]
    return FaultyConnection


def _connect(*arguments: Any, factory: type[sqlite3.Connection] = sqlite3.Connection, **options: Any) -> Any:
    def real() -> Any:
        return _sqlite_connect(*arguments, factory=_connection_class(factory), **options)

    if not points.watch():
        return real()
    if points.due(DATABASE, "connect"):
        raise _sqlite_failure()
    return real()


_sqlite_connect = sqlite3.connect


def _on_socket(name: str) -> Callable[..., Any]:
    real = getattr(socket.socket, name)

    def method(self: socket.socket, *arguments: Any, **options: Any) -> Any:
        if not points.watch() or self.family == socket.AF_UNIX:
            return real(self, *arguments, **options)
        if points.due(SOCKET, name):
            if points.mode == "late":
                real(self, *arguments, **options)
            with suppress(OSError):
                self.shutdown(socket.SHUT_RDWR)
            raise ConnectionRefusedError("injected") if name == "connect" else ConnectionResetError("injected")
        return real(self, *arguments, **options)

    return method


def _install_psycopg(monkeypatch: Any) -> None:
    """Cut the wire of libpq itself, before a wait for the server or after it."""
    psycopg = import_module("psycopg")
    wait, connect = psycopg.Connection.wait, psycopg.Connection.connect.__func__

    def cut(connection: Any) -> None:
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def waited(self: Any, *arguments: Any, **options: Any) -> Any:
        if not points.watch() or not points.due(DATABASE, "wait"):
            return wait(self, *arguments, **options)
        if points.mode == "late":
            wait(self, *arguments, **options)
            cut(self)
            raise psycopg.OperationalError("injected: the answer was lost")
        cut(self)
        return wait(self, *arguments, **options)

    def connected(cls: Any, *arguments: Any, **options: Any) -> Any:
        if points.watch() and points.due(DATABASE, "connect"):
            raise psycopg.OperationalError("injected: connection refused")
        return connect(cls, *arguments, **options)

    monkeypatch.setattr(psycopg.Connection, "wait", waited)
    monkeypatch.setattr(psycopg.Connection, "connect", classmethod(connected))
    monkeypatch.setattr(psycopg, "connect", psycopg.Connection.connect)


def _install_obstore(monkeypatch: Any) -> None:
    obstore = import_module("obstore")
    from obstore.exceptions import GenericError

    def counted(family: str, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            if not points.watch():
                return real(*arguments, **options)
            return points.call(
                family, name, lambda: GenericError("injected: no answer"), lambda: real(*arguments, **options)
            )

        return operation

    for family, names in OBJECTS.items():
        for name in names:
            monkeypatch.setattr(obstore, name, counted(family, name, getattr(obstore, name)))


class FaultyPopen(subprocess.Popen):  # type: ignore[type-arg]
    """A process whose start counts."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        if points.watch() and points.due(PROCESS, "start"):
            raise BlockingIOError(11, "Resource temporarily unavailable")
        super().__init__(*arguments, **options)


def install(monkeypatch: Any) -> None:
    """Let all operations on databases, sockets, object stores and processes count."""
    monkeypatch.setattr(sqlite3, "connect", _connect)
    for name in ("connect", "send", "sendall", "recv", "recv_into"):
        monkeypatch.setattr(socket.socket, name, _on_socket(name))
    monkeypatch.setattr(subprocess, "Popen", FaultyPopen)
    for install_it in (_install_psycopg, _install_obstore):
        with suppress(ModuleNotFoundError):
            install_it(monkeypatch)
