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

    *envelope* turns the members of a problem into the application's own error body, which may be anything that is JSON;
    without it they are sent as they are, as ``application/problem+json``. *datetime_separator* stands between date and
    time, and *batch_size* is the largest number of rows of a line. *csv* is the style of answers as CSV. *words* name
    the members: those of the trace, or `mesbatch.trace.words.PLAIN_WORDS`, as the routes of results always have them.

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

    *max_bytes* is the memory that reading may hold, *max_body* the largest request body in bytes, which is held once;
    the bytes of a compressed one count after decompression. *wait* is the number of seconds that a request waits for a
    permit; it occupies one of the server's few threads meanwhile. *timeout*, in seconds, is for the whole answer,
    including the time that the client takes, and for a job from its submission to its end.
    """

    max_bytes: int = 8 * MiB
    max_body: int = 32 * MiB  # 1.5 million ids of 16 characters
    wait: float = 2.0
    timeout: float = 1_800.0
