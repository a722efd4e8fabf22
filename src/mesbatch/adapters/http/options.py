"""Options of an application: the style of its answers and the limits of its requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mesbatch.codec.rows import DatetimeSeparator
from mesbatch.sink.csv import CsvStyle
from mesbatch.trace.ndjson import BATCH_SIZE
from mesbatch.trace.words import TRACE_WORDS, Words
from mesbatch.units import MiB

Envelope = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Style of an application's answers over HTTP; it has nothing to do with the dialect of a database.

    Args:
        envelope: A function that turns the members of a problem into the application's own error body, which may be
            anything that is JSON. Without it they are sent as they are, as ``application/problem+json``.
        datetime_separator: The character between date and time.
        batch_size: The most rows of a line.
        csv: The style of answers as CSV.
        words: The names of members: those of the trace, or `mesbatch.trace.words.PLAIN_WORDS`, as the routes of results
            always have them.

    >>> Dialect(envelope=lambda problem: {"ok": False, "message": problem["detail"]}).batch_size
    5000
    """

    envelope: Envelope | None = None
    datetime_separator: DatetimeSeparator = "T"
    batch_size: int = BATCH_SIZE
    csv: CsvStyle = CsvStyle()  # noqa: RUF009  # frozen
    words: Words = TRACE_WORDS


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request.

    Args:
        max_bytes: Bytes of memory that reading may hold.
        max_body: Bytes of the largest request body, which is held once; those of a compressed one count after
            decompression.
        wait: Seconds that a request waits for a permit; it occupies one of the server's few threads meanwhile.
        timeout: Seconds for the whole answer, including the time that the client takes, and for a job from its
            submission to its end.

    >>> Limits(wait=0.5, timeout=600.0).max_bytes
    8388608
    """

    max_bytes: int = 8 * MiB
    max_body: int = 32 * MiB  # 1.5 million ids of 16 characters
    wait: float = 2.0
    timeout: float = 1_800.0
