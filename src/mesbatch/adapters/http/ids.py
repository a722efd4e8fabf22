"""Ids of a request, taken out of its body slice by slice, so that too many of them are refused before they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Annotated, Any
from uuid import UUID

import msgspec

from mesbatch.admission import Reject
from mesbatch.codec.not_json import NOT_JSON
from mesbatch.errors import InvalidRequest
from mesbatch.keys.collect import SORTED_IN_MEMORY, Keys, collect_keys

SLICE_BYTES = 256 * 1024  # 13,000 ids of 16 characters, in 2 MiB as Python objects

SmallInt = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # of the databases' integers none is larger
Id = str | int
KeyType = type[str] | type[int] | type[date] | type[datetime] | type[Decimal] | type[UUID]
Refuse = Callable[[int], Reject | None]

_ids = msgspec.json.Decoder(list[str | SmallInt])


def slice_ids(found: memoryview, key_type: KeyType | None = None, name: str = "container_ids") -> Iterator[list[Any]]:
    """Decode the JSON array *found*, the member *name* of a body, in slices of about `SLICE_BYTES`, as *key_type*.

    Raises:
        InvalidRequest: it is no array, or holds something else than texts and integers of at most 64 bits, or than
            values of *key_type*.

    >>> list(slice_ids(memoryview(b'["a", 2]')))
    [['a', 2]]
    >>> list(slice_ids(memoryview(b'["2026-02-25"]'), date))
    [[datetime.date(2026, 2, 25)]]
    """
    decoder: msgspec.json.Decoder[Any] = _ids if key_type is None else msgspec.json.Decoder(list[key_type])  # type: ignore[valid-type]
    if bytes(found[:1]) != b"[":
        raise InvalidRequest(f"{name} must be an array")
    at, end = 1, len(found) - 1
    while at < end:
        until = _slice_end(found, at, end)
        if some := _decode(decoder, found[at:until], name):
            yield some
        elif until < end or at > 1:
            raise InvalidRequest(f"{name} is not what this route takes: a member is missing")
        at = until + 1


def _decode(decoder: msgspec.json.Decoder[Any], members: memoryview, name: str) -> list[Any]:
    try:
        found: list[Any] = decoder.decode(b"[%b]" % bytes(members))
        return found
    except NOT_JSON as error:
        raise InvalidRequest(f"{name} is not what this route takes: {error}") from error


def _slice_end(found: memoryview, at: int, end: int) -> int:
    """Find the comma behind the last whole member of a slice that begins at *at*, or *end*."""
    size = SLICE_BYTES
    while at + size < end:
        if (comma := _last_comma(bytes(found[at : at + size]))) >= 0:
            return at + comma
        size *= 2  # one member is longer than the slice
    return end


def _last_comma(text: bytes) -> int:
    """Find the last comma of *text* that stands outside quotes, or -1; *text* begins outside quotes."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")  # then every quote begins or ends a member
    comma = text.rfind(b",")
    if comma >= 0 and text.count(b'"', 0, comma) % 2:
        comma = text.rfind(b",", 0, text.rfind(b'"', 0, comma))  # before the member that holds it
    return comma


def collect_ids(slices: Iterable[list[Any]], refuse: Refuse) -> Keys | Reject:
    """Make the ids of *slices* distinct and ascending, unless *refuse* has an answer to as many as were counted.

    *refuse* is asked after each slice that is not the last. Up to `SORTED_IN_MEMORY` distinct ids are held in memory;
    more, and all that come after them, are collected on disk, and *refuse* is not asked again. Decimals and datetimes,
    which are not sorted there as Python does, stay in memory.

    Raises:
        InvalidKey: see `collect_keys`.
    """
    distinct: dict[Any, None] = {}
    asked, rest = 0, iter(slices)
    for some in rest:
        if len(distinct) > asked:
            asked = len(distinct)
            if (decision := refuse(asked)) is not None:
                return decision
        distinct.update(dict.fromkeys(some))
        if len(distinct) > SORTED_IN_MEMORY and not isinstance(some[0], Decimal | datetime):
            first, distinct = list(distinct), {}
            return collect_keys(chain(first, chain.from_iterable(rest)))
    return collect_keys(list(distinct))
