"""What an application has its own way of: how it writes errors and dates, and how much a request may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mesbatch.codec.rows import DatetimeSeparator
from mesbatch.trace.ndjson import BATCH_SIZE
from mesbatch.units import MiB

Envelope = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How answers are written.

    *envelope* makes an application's own error body, anything that is JSON, of the members of a problem; without it
    they are sent as they are, as ``application/problem+json``. *datetime_separator* stands between date and time, and
    *batch_size* is the most rows of a line.

    >>> Dialect(envelope=lambda problem: {"ok": False, "message": problem["detail"]}).batch_size
    5000
    """

    envelope: Envelope | None = None
    datetime_separator: DatetimeSeparator = "T"
    batch_size: int = BATCH_SIZE


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take.

    *max_bytes* is what reading holds, *max_body* the bytes of a request's body. *wait* is how many seconds a request
    waits for a permit: it occupies one of the server's few threads meanwhile. *timeout*, in seconds, is for the whole
    answer, with the time that the client takes, and for a job from its submission to its end.
    """

    max_bytes: int = 8 * MiB
    max_body: int = 32 * MiB  # 1.5 million ids of 16 characters
    wait: float = 2.0
    timeout: float = 1_800.0
