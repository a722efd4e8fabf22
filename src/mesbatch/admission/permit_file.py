"""File of claims, whose record locks the kernel frees when a process dies; Linux only."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import NamedTuple

from mesbatch.admission.claims import Claim
from mesbatch.errors import LimiterUnavailable

MAGIC = b"mesbatch permits 1\n".ljust(32)
HEADER = struct.Struct("=32sQQ")  # magic, the ticket drawn last, the number of changes
RECORD = struct.Struct("=QQQQ16s")  # ticket (0: no claim), turn, 1 if it holds, bytes, digest of the principal
FLOCK = struct.Struct("@hhqqi4x")  # struct flock of Linux on 64 bits: type, whence, start, length, process

MUTEX_SECONDS = 5.0  # the mutex is held for microseconds, unless its holder was stopped
PAUSE_SECONDS = 0.0002  # between two tries to get it


class Header(NamedTuple):
    """Header of the file: the ticket drawn last, and the number of changes."""

    ticket: int
    changes: int


class PermitFile:
    """Claims of all processes that open the same *path*; every method but `drop` needs `exclusive`.

    The owner of a claim holds a lock on its record. It is an open file description lock, so that a process gives it up
    when it is killed, and does not when it closes the file elsewhere. A record without a lock is free.

    Raises:
        LimiterUnavailable: the file cannot be opened, belongs to another user, holds something else, or the system has
            no such locks.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._closed = False
        self._descriptors: tuple[int, int] | None = None
        self._threads = Lock()
        if not hasattr(fcntl, "F_OFD_SETLK"):
            raise self._unavailable("this system has no open file description locks")
        self._open()

    def close(self) -> None:
        """Close the file, which drops every claim of this process; may be called twice."""
        self._closed = True
        self._close()

    def _close(self) -> None:
        descriptors, self._descriptors = self._descriptors, None
        if descriptors is not None:
            os.close(descriptors[0])
            os.close(descriptors[1])

    def __del__(self) -> None:
        if getattr(self, "_descriptors", None):
            self.close()

    def reopen(self) -> None:
        """Open the file that lies at the path now, which is made if it is missing.

        Only for a process without claims: those of others stay in the old file, where they count until they end.
        """
        with self._threads:
            if self._closed or (self._descriptors is not None and self._is_in_place()):
                return
            old = self._descriptors or ()
            try:
                self._descriptors = (self._open_once(), self._open_once())
            except OSError as error:
                raise self._unavailable(error.strerror) from error
            for descriptor in old:
                os.close(descriptor)
        self._begin()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep every other thread and process away from the claims meanwhile."""
        until = time.monotonic() + MUTEX_SECONDS
        if not self._threads.acquire(timeout=MUTEX_SECONDS):
            raise self._unavailable(f"another thread did not finish in {MUTEX_SECONDS} s")
        try:
            self._check_place()
            while not _try_lock(self._table, 0, 1):
                if time.monotonic() > until:
                    raise self._unavailable(f"another process did not finish in {MUTEX_SECONDS} s")
                time.sleep(PAUSE_SECONDS)
            try:
                for index in sorted(self._kept):
                    _unlock(self._table, _offset(index), RECORD.size)
                    self._kept.discard(index)
                yield
            finally:
                _unlock(self._table, 0, 1)
        except OSError as error:
            raise self._unavailable(error.strerror) from error
        finally:
            self._threads.release()

    @property
    def header(self) -> Header:
        content = os.pread(self._table, HEADER.size, 0)
        if len(content) < HEADER.size or not content.startswith(MAGIC):
            raise self._unavailable("the file holds something else")
        return Header(*HEADER.unpack(content)[1:])

    def claims(self) -> dict[int, Claim]:
        """Read the claims of living processes, by the number of their record."""
        content = os.pread(self._table, os.fstat(self._table).st_size, 0)
        claims = {}
        for index in range((len(content) - HEADER.size) // RECORD.size):
            ticket, turn, holding, nbytes, principal = RECORD.unpack_from(content, _offset(index))
            if ticket and _is_locked(self._witness, _offset(index), RECORD.size):
                claims[index] = Claim(ticket, turn, principal, nbytes, bool(holding))
        return claims

    def add(self, claim: Claim, used: dict[int, Claim]) -> int:
        """Write a new claim into a record that is not *used*, lock it, and return its number."""
        index = next(index for index in count() if index not in used)
        self._write_header(claim.ticket, self.header.changes)
        try:
            _lock(self._table, _offset(index), RECORD.size)
            self.write(index, claim)
        except OSError:
            self.drop(index)
            raise
        return index

    def write(self, index: int, claim: Claim) -> None:
        record = RECORD.pack(claim.ticket, claim.turn, claim.holding, claim.nbytes, claim.principal)
        os.pwrite(self._table, record, _offset(index))

    def drop(self, index: int) -> None:
        """Give up a claim of this process: without its lock the record is free, even if everything else fails.

        Where the kernel refuses, which may need memory to cut a lock in two, the next `exclusive` tries again.
        """
        try:
            _unlock(self._table, _offset(index), RECORD.size)
        except OSError:
            self._kept.add(index)

    def note_change(self) -> None:
        """Make every process that waits look again."""
        self._write_header(self.header.ticket, self.header.changes + 1)

    def forget(self) -> None:
        """Drop all claims in a forked process: they are its parent's, and it may not keep them alive.

        The file is opened again by `reopen`, when it is needed: a failure here would be nobody's.
        """
        self._close()
        self._threads = Lock()
        self._kept.clear()

    def _open(self) -> None:
        self._threads = Lock()
        self._kept = set[int]()  # records that are free, and still locked
        try:  # twice, because a lock cannot be seen through the descriptor that holds it
            self._descriptors = (self._open_once(), self._open_once())
        except OSError as error:
            raise self._unavailable(error.strerror) from error
        self._begin()

    def _begin(self) -> None:
        with self.exclusive():
            if not os.fstat(self._table).st_size:
                self._write_header(0, 0)
            _ = self.header

    def _open_once(self) -> int:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        status = os.fstat(descriptor)
        if S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            return descriptor
        os.close(descriptor)
        raise self._unavailable(f"not a file of user {os.geteuid()}, but of {status.st_uid}")

    @property
    def _table(self) -> int:
        return self._opened()[0]

    @property
    def _witness(self) -> int:
        return self._opened()[1]

    def _opened(self) -> tuple[int, int]:
        if self._descriptors is None:
            raise self._unavailable("it was closed")
        return self._descriptors

    def _check_place(self) -> None:
        """Check that other processes find the same file; with two files there would be two limits side by side."""
        self.path.stat()  # tells that it is missing
        if not self._is_in_place():
            raise self._unavailable("the file was replaced while it was in use")

    def _is_in_place(self) -> bool:
        try:
            ours, theirs = os.fstat(self._table), self.path.stat()
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)

    def _write_header(self, ticket: int, changes: int) -> None:
        os.pwrite(self._table, HEADER.pack(MAGIC, ticket, changes), 0)

    def _unavailable(self, reason: object) -> LimiterUnavailable:
        return LimiterUnavailable(f"permits in {self.path}: {reason}")


def _offset(index: int) -> int:
    return HEADER.size + index * RECORD.size


def _lock(descriptor: int, start: int, length: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))


def _try_lock(descriptor: int, start: int, length: int) -> bool:
    try:
        _lock(descriptor, start, length)
    except BlockingIOError:
        return False
    return True


def _unlock(descriptor: int, start: int, length: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, start, length, 0))


def _is_locked(descriptor: int, start: int, length: int) -> bool:
    asked = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    lock_type: int = FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))[0]
    return lock_type != fcntl.F_UNLCK
