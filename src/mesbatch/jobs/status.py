"""The six words for what became of a job, and which may follow which."""

from __future__ import annotations

from typing import Literal, get_args

JobStatus = Literal["queued", "started", "finished", "failed", "cancelled", "lost"]
STATUSES: tuple[JobStatus, ...] = get_args(JobStatus)
_NEXT: dict[JobStatus, frozenset[JobStatus]] = {
    "queued": frozenset({"started", "failed", "cancelled", "lost"}),
    # queued again: its worker was stopped, or died, and another goes on
    "started": frozenset({"queued", "finished", "failed", "cancelled", "lost"}),
    "finished": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
    "lost": frozenset(),
}
TERMINAL = frozenset(status for status in STATUSES if not _NEXT[status])


def may_become(status: JobStatus) -> frozenset[JobStatus]:
    """The statuses from which a job may become *status*; none of the terminal ones is among them.

    >>> sorted(may_become("finished")), sorted(may_become("cancelled"))
    (['started'], ['queued', 'started'])
    """
    return frozenset(old for old, following in _NEXT.items() if status in following)
