"""Permits for all processes of one machine, without a server."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from mesbatch.admission.claims import MAX_WAITING, InFlight, count_claims, digest, draw_claim, next_claim
from mesbatch.admission.limiter import Limiter
from mesbatch.admission.permit_file import PermitFile
from mesbatch.errors import AdmissionError

PAUSE_SECONDS = 0.002  # between two looks at the number of changes, one system call each


@dataclass(slots=True)
class _OwnClaim:
    """Claim of this process: its record in the file, and the number of changes when it last looked."""

    index: int
    holding: bool
    seen: int = 0


class MachineLimiter(Limiter):
    """Permits for all processes of this machine that open the same *path*; Linux only.

    If somebody removes or replaces the file, a process that holds permits refuses others until these are back, and
    then goes on with the new one; until all processes have done so, more may be held than the limit says. When a
    process dies, for whatever reason, the kernel frees its permits. Processes should pass the same limits; while
    these differ, each process applies its own to all.

    Args:
        path: A file on a local disk, such as ``/run/mes/permits``; it is made if missing, and stays.
        permits: Readers at once, in all processes.
        max_bytes: Bytes that they hold together.
        max_waiting: Requests that wait beside them; one more is refused.

    Raises:
        LimiterUnavailable: the file cannot be opened, belongs to another user, or the system has no such locks.
    """

    def __init__(
        self, path: str | os.PathLike[str], permits: int, max_bytes: int, *, max_waiting: int = MAX_WAITING
    ) -> None:
        super().__init__(permits, max_bytes, max_waiting=max_waiting)
        self._file = PermitFile(path)
        self._own: dict[int, _OwnClaim] = {}  # by ticket

    def _forget(self) -> None:
        self._own = {}
        self._file.forget()

    def _count(self) -> InFlight:
        self._reopen()
        with self._file.exclusive():
            return count_claims(self._file.claims().values())

    def close(self) -> None:
        """Close the file, and with it give back every permit that this process still holds; may be called twice."""
        self._file.close()

    def _reopen(self) -> None:
        if not self._own:
            self._file.reopen()

    def _join(self, nbytes: int, principal: str) -> int | None:
        self._reopen()
        index = None
        try:
            with self._file.exclusive():
                used, header = self._file.claims(), self._file.header
                claim = draw_claim(used.values(), self.limit, header.ticket + 1, digest(principal), nbytes)
                claims = [*used.values(), claim]
                holding = next_claim(claims, self.limit) == claim
                if not holding and count_claims(claims).waiting > self.limit.waiting:
                    return None
                index = self._file.add(replace(claim, holding=holding), used)
        except BaseException:
            if index is not None:  # the end of the exclusive block failed, and nobody will get this permit
                self._file.drop(index)
            raise
        self._own[claim.ticket] = _OwnClaim(index, holding, header.changes)
        return claim.ticket

    def _begin(self, ticket: int) -> bool:
        own = self._own[ticket]
        if own.holding:
            return True
        with self._file.exclusive():
            own.seen = self._file.header.changes
            claim = next_claim(self._file.claims().values(), self.limit)
            if claim is not None and claim.ticket == ticket:
                self._file.write(own.index, replace(claim, holding=True))
                self._file.note_change()  # there may be room for the next claim, too
                own.holding = True
        return own.holding

    def _wait(self, ticket: int, timeout: float) -> None:
        until = time.monotonic() + timeout
        while self._file.header.changes == self._own[ticket].seen and (remaining := until - time.monotonic()) > 0:
            time.sleep(min(PAUSE_SECONDS, remaining))

    def _leave(self, ticket: int) -> None:
        self._file.drop(self._own.pop(ticket).index)
        with self._file.exclusive():
            self._file.note_change()

    def _check(self, ticket: int) -> None:
        """Do nothing: the kernel takes permits from dead processes only."""

    def _abandon(self, ticket: int) -> None:
        with suppress(AdmissionError):  # it was closed, and holds nothing
            self._file.drop(self._own.pop(ticket).index)  # one system call; other processes see it when they look
