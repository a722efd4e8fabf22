"""What the tool runs: one use of mesbatch whose truth is known."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from mesbatch.errors import MesbatchError

REFUSALS: tuple[type[BaseException], ...] = (MesbatchError, OSError, sqlite3.Error)
"""Errors that may come out of a use whose disk, socket or database failed: ours, and the driver's own."""


class Scenario(ABC):
    """One use of mesbatch, in a *folder* that is empty for each run; made once, by `opened`.

    `act` is run with a failure, and gives what the user got. `check` states the laws that are its own, after a run with
    `act`'s result or error. `again` does what the user does next, and must give `truth`.
    """

    name: ClassVar[str]
    modes: ClassVar[tuple[str, ...]] = ("once", "for ever", "late")
    refusals: ClassVar[tuple[type[BaseException], ...]] = ()  # beside `REFUSALS`
    forks: ClassVar[bool] = True  # whether it can be run in a forked process, to be killed there
    folder: Path
    truth: Any

    @contextmanager
    def opened(self, folder: Path, fixture: Callable[[str], Any]) -> Iterator[None]:
        """Make what all runs share; *fixture* gives a fixture of pytest by its name."""
        self.folder = folder
        yield

    def begin(self, folder: Path) -> None:  # noqa: B027  # most scenarios have nothing to prepare
        """Prepare one run, in an empty *folder*."""

    @abstractmethod
    def act(self) -> Any:
        """Use mesbatch, and give what came."""

    def again(self) -> Any:
        """Do what the user does after a failure; gives the truth."""
        return self.act()

    def check(self, came: Any, error: BaseException | None) -> None:
        """Check what *came* of `act`: without an *error* it is the truth."""
        if error is None:
            assert came == self.truth, f"no error, and {came!r:.300} instead of the truth"

    def end(self) -> None:  # noqa: B027
        """Close what stays open between two uses."""

    def left(self) -> list[str]:
        """Name what is still there, such as connections of a server."""
        return []
