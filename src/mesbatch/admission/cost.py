"""Cost of one request."""

from __future__ import annotations

from dataclasses import dataclass

from mesbatch.admission.check import check_count
from mesbatch.units import MiB

BUFFER_BYTES = 8 * MiB  # of a reader by default: the max_bytes of read_sql_iter


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one request. None is unknown, and unknown is never small.

    Args:
        profile: The profile of the request.
        keys: The number of keys, without repeats.
        nbytes: Bytes of the whole answer in memory.
        buffers: Bytes that remain in memory when the answer is *streamed*.
        streamed: True where the answer is never whole in memory.

    Raises:
        InvalidLimit: a number is negative or no integer.

    >>> Cost("query_tool", keys=500, nbytes=2 * MiB).held == 2 * MiB
    True
    >>> Cost("query_tool", keys=500, streamed=True).held == BUFFER_BYTES
    True
    """

    profile: str
    keys: int | None
    nbytes: int | None = None
    buffers: int = BUFFER_BYTES
    streamed: bool = False

    def __post_init__(self) -> None:
        check_count("keys", self.keys, unknown=True)
        check_count("nbytes", self.nbytes, unknown=True)
        check_count("buffers", self.buffers)

    @property
    def held(self) -> int | None:
        """Bytes that this answer holds in memory; None if they are unknown."""
        return self.buffers if self.streamed else self.nbytes
