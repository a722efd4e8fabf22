"""The right to read from the database, where the number of those who do is limited."""

from __future__ import annotations

from typing import Protocol

from mesbatch.jobs.stop import Stop


class Permit(Protocol):
    """The right to read from the database now."""

    def take(self, stop: Stop) -> None:
        """Wait for it; raises `Stopped` when that is asked for meanwhile."""

    def renew(self) -> None:
        """Say that its holder lives."""

    def give_back(self) -> None: ...


class NoLimit:
    """A permit where nobody counts."""

    def take(self, stop: Stop) -> None:
        pass

    def renew(self) -> None:
        pass

    def give_back(self) -> None:
        pass
