"""Operations on files: every function of `os` and every file object, as `points` counts them."""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tests.faults.points import points

READ, WRITE, REMOVE, LOCK = "disk read", "disk write", "disk remove", "lock"
FUNCTIONS = {
    READ: ("pread", "read", "listdir", "scandir", "stat", "lstat", "fstat"),
    WRITE: ("pwrite", "fsync", "link", "replace", "rename", "mkdir", "ftruncate", "truncate", "utime", "chmod", "dup"),
    REMOVE: ("unlink", "remove", "rmdir"),
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def failure(family: str) -> OSError:
    """Make the error that the kernel gives for this family of operations."""
    number = {WRITE: errno.ENOSPC, LOCK: errno.ENOLCK}.get(family, errno.EIO)
    return OSError(number, os.strerror(number))


def closing_of(found: Any) -> None:
    found.close()


def _plain(family: str, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def operation(*arguments: Any, **options: Any) -> Any:
        if not points.watch():
            return real(*arguments, **options)
        undo = {"scandir": closing_of, "dup": os.close}.get(name)
        return points.call(family, f"os.{name}", lambda: failure(family), lambda: real(*arguments, **options), undo)

    return operation


def _written(descriptor: int, data: Any) -> int:
    if not points.watch() or not points.due(WRITE, "os.write"):
        return _write(descriptor, data)
    if points.mode in {"short", "late"}:
        done = _write(descriptor, memoryview(data)[: max(1, len(data) // 2)])
        if points.mode == "short":
            return done
    raise failure(WRITE)


def _opened(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
    if not points.watch():
        return _os_open(path, flags, *arguments, **options)
    family = WRITE if flags & WRITING else READ
    if points.due(family, "os.open"):
        if points.mode == "late":
            os.close(_os_open(path, flags, *arguments, **options))
        raise failure(family)
    return _os_open(path, flags, *arguments, **options)


class FaultyFile(io.FileIO):
    """A file without a buffer whose operations count."""

    def write(self, data: Any) -> int | None:
        if points.watch() and points.due(WRITE, "write"):
            if points.mode in {"short", "late"}:
                done = super().write(memoryview(data).cast("B")[: max(1, memoryview(data).nbytes // 2)])
                if points.mode == "short":
                    return done
            raise failure(WRITE)
        return super().write(data)

    def readinto(self, buffer: Any) -> int | None:
        return self._call(READ, "readinto", lambda: super(FaultyFile, self).readinto(buffer))

    def readall(self) -> bytes | None:
        return self._call(READ, "readall", lambda: super(FaultyFile, self).readall())

    def truncate(self, size: int | None = None) -> int:
        return self._call(WRITE, "truncate", lambda: super(FaultyFile, self).truncate(size))

    def _call(self, family: str, name: str, real: Callable[[], Any]) -> Any:
        return points.call(family, name, lambda: failure(family), real) if points.watch() else real()


def _file(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
          newline: Any = None, closefd: bool = True, opener: Any = None) -> Any:  # fmt: skip
    if not points.watch():
        return _io_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    family = WRITE if set(mode) & set("wxa+") else READ

    def real() -> Any:
        return FaultyFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)

    if points.due(family, "open"):
        if points.mode == "late":
            real().close()
        raise failure(family)
    raw = real()
    if buffering == 0:
        return raw
    kind = io.BufferedRandom if "+" in mode else io.BufferedReader if family == READ else io.BufferedWriter
    buffered = kind(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


def _time() -> float:
    """The wall clock; in mode ``jump`` it is an hour late, or early, from the n-th look on."""
    if points.armed and points.mode == "jump":
        if points.watch():
            points.due("clock", "time")
        if points.failed is not None:
            return _clock() + (3600.0 if points.at % 2 else -3600.0)
    return _clock()


_write, _os_open, _io_open, _clock = os.write, os.open, io.open, time.time


def install(monkeypatch: Any) -> None:
    """Let all operations on files, and looks at the wall clock, count."""
    for family, names in FUNCTIONS.items():
        for name in names:
            monkeypatch.setattr(os, name, _plain(family, name, getattr(os, name)))
    monkeypatch.setattr(fcntl, "flock", _plain(LOCK, "flock", fcntl.flock))
    monkeypatch.setattr(fcntl, "fcntl", _plain(LOCK, "fcntl", fcntl.fcntl))
    monkeypatch.setattr(os, "write", _written)
    monkeypatch.setattr(os, "open", _opened)
    monkeypatch.setattr(io, "open", _file)
    monkeypatch.setattr(builtins, "open", _file)
    monkeypatch.setattr(time, "time", _time)
    tempfile.gettempdir()  # which is found by writing to it, once
