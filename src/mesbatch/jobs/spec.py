"""The specification of a job, as JSON: mistakes are found when it is submitted, before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mesbatch.codec.not_json import NOT_JSON
from mesbatch.codec.rows import DatetimeSeparator, Shape
from mesbatch.errors import InvalidJob
from mesbatch.jobs.owner import owner_text
from mesbatch.keys.choose import Order
from mesbatch.read.part import OnFailure
from mesbatch.trace.ndjson import BATCH_SIZE
from mesbatch.units import MiB

MOST_BYTES = 64 * 1024  # of a spec: the keys have a place of their own, and nothing else in it is large
_COUNTED = ("timeout", "max_bytes", "batch_size", "shards")


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One job: a function of the allow-list, for some domains of a list of keys.

    Args:
        function: Its name in the allow-list.
        domains: The names of the domains that it reads.
        arguments: Arguments of the function, which are JSON.
        profile: The profile of the request, for clients and logs.
        owner: The principal that alone may see the job, as text; None lets everybody.
        timeout: Seconds from the submission to the end, with all waiting.
        max_bytes: Bytes of rows in memory.
        batch_size: The most rows of a chunk.
        order: ``any`` reads the keys in ranges that grow from 1,000 on, so that the first rows come at once; ``key``
            reads them in one statement, which takes less time in all.
        on_failure: ``raise``, or ``partial``: go on without keys that cannot be read.
        shape: ``objects`` or ``arrays``, for the rows in the result.
        datetime_separator: The character between date and time.
        settings: Values that are compared with those of the worker, which refuses the job where one differs.
        shards: The number of jobs that the keys are split over.

    Raises:
        InvalidJob: a limit is not positive, a domain repeats or there is none, something is no JSON, or too large, or
            *owner* is neither text, an integer nor a UUID.

    >>> JobSpec(function="events", domains=("history",), arguments={"station": "WB_1"}).timeout
    1800.0
    """

    function: str
    domains: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    owner: str | None = None
    timeout: float = 1_800.0
    max_bytes: int = 8 * MiB
    batch_size: int = BATCH_SIZE
    order: Order = "key"
    on_failure: OnFailure = "raise"
    shape: Shape = "objects"
    datetime_separator: DatetimeSeparator = "T"
    settings: Mapping[str, Any] = field(default_factory=dict)
    shards: int = 1

    def __post_init__(self) -> None:
        if self.owner is not None:
            object.__setattr__(self, "owner", owner_text(self.owner))
        for name in _COUNTED:
            if not getattr(self, name) > 0:
                raise InvalidJob(f"{name} must be above 0, got {getattr(self, name)!r}")
        if not self.domains or len(set(self.domains)) < len(self.domains):
            raise InvalidJob(f"domains must be one or more, each once; got {', '.join(self.domains) or 'none'}")
        for name in ("arguments", "settings"):
            _check_json(getattr(self, name), name)

    def encode(self) -> bytes:
        """Return the spec as JSON.

        Raises:
            InvalidJob: it has more than `MOST_BYTES`.
        """
        data = msgspec.json.encode(self)
        if len(data) > MOST_BYTES:
            raise InvalidJob(f"the spec has {len(data):,} bytes of JSON, the limit is {MOST_BYTES:,}")
        return data

    @classmethod
    def decode(cls, data: bytes) -> JobSpec:
        """Return the spec that `encode` wrote.

        Raises:
            InvalidJob: *data* is no JSON, or no spec.
        """
        if len(data) > MOST_BYTES:
            raise InvalidJob(f"the spec has {len(data):,} bytes of JSON, the limit is {MOST_BYTES:,}")
        try:
            return msgspec.json.decode(data, type=cls)
        except NOT_JSON as error:
            raise InvalidJob(f"that is no job: {error}") from error


def _check_json(value: Any, place: str) -> None:
    """Refuse a value that would not come back from JSON as it went in: a date would come back as text."""
    match value:
        case None | bool() | int() | str():
            return
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                raise InvalidJob(f"{place} is {value}, which JSON cannot say")
        case list():
            for position, item in enumerate(value):
                _check_json(item, f"{place}[{position}]")
        case Mapping():
            for name, item in value.items():
                if not isinstance(name, str):
                    raise InvalidJob(f"{place} has the name {name!r}; names are text")
                _check_json(item, f"{place}.{name}")
        case _:
            raise InvalidJob(f"{place} is a {type(value).__name__}, which is no JSON")
