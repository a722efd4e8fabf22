"""Load of the service, as numbers that were read elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, IntEnum

from mesbatch.admission.check import check_count
from mesbatch.admission.cost import Cost


class Pressure(IntEnum):
    """Closeness of memory to its limit.

    >>> Pressure.CALM < Pressure.HIGH < Pressure.CRITICAL
    True
    """

    CALM = 0
    HIGH = 1
    CRITICAL = 2


class Lack(Flag):
    """Lack of memory for the whole answer, now or ever, or for the buffers of a reader.

    >>> bool(Lack.NOTHING), Lack.ANSWER_NOW in (Lack.ANSWER_NOW | Lack.BUFFERS_NOW)
    (False, True)
    """

    NOTHING = 0
    ANSWER_NOW = 1
    ANSWER_EVER = 2
    BUFFERS_NOW = 4


@dataclass(frozen=True, slots=True)
class Load:
    """Load of the service at this moment.

    Args:
        worker_listens: True where a worker listens for jobs.
        pressure: The closeness of memory to its limit.
        headroom: Bytes of free memory; None if unknown.
        memory_limit: Bytes of all memory; None if unknown.
        promised: Bytes of the permits in flight. Some of them are in use already and counted twice, which errs on the
            safe side.

    Raises:
        InvalidLimit: a number of bytes is negative or no integer.

    >>> Load(worker_listens=True, headroom=2**30, promised=2**25).pressure
    <Pressure.CALM: 0>
    """

    worker_listens: bool = False
    pressure: Pressure = Pressure.CALM
    headroom: int | None = None
    memory_limit: int | None = None
    promised: int = 0

    def __post_init__(self) -> None:
        check_count("headroom", self.headroom, unknown=True)
        check_count("memory_limit", self.memory_limit, unknown=True)
        check_count("promised", self.promised)

    @property
    def room(self) -> int | None:
        """Free bytes that were not promised; None if they are unknown."""
        return None if self.headroom is None else max(0, self.headroom - self.promised)


def find_lacks(cost: Cost, load: Load, max_answer_bytes: int) -> Lack:
    """Find the lacks of memory for *cost*; an answer of unknown size counts as one of *max_answer_bytes*."""
    lacks = Lack.NOTHING
    room = load.room
    if room is not None and cost.buffers > room:
        lacks |= Lack.BUFFERS_NOW
    if not cost.streamed:
        nbytes = max_answer_bytes if cost.nbytes is None else cost.nbytes
        ever = max_answer_bytes if load.memory_limit is None else min(max_answer_bytes, load.memory_limit)
        if nbytes > ever:
            lacks |= Lack.ANSWER_EVER | Lack.ANSWER_NOW
        elif room is not None and nbytes > room:
            lacks |= Lack.ANSWER_NOW
    return lacks
