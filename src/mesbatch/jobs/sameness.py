"""Submissions that ask for the same job: a digest of all that a result depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

import msgspec

from mesbatch.jobs.spec import JobSpec
from mesbatch.store.inputs import InputHandle

HASHED_AT_ONCE = 10_000  # keys; their text takes 200 KB


class Sameness:
    """Digest of a submission: its specification with the owner, its keys in their order and type, and its inputs.

    >>> spec = JobSpec(function="events", domains=("history",), arguments={"a": 1, "b": 2})
    >>> same, other = Sameness(spec), Sameness(spec)
    >>> list(same.passing(["a1"])), list(other.passing(["b1"]))
    (['a1'], ['b1'])
    >>> same.hexdigest() == other.hexdigest()
    False
    """

    def __init__(self, spec: JobSpec) -> None:
        self._hash = hashlib.sha256(msgspec.json.encode(asdict(spec), order="deterministic"))

    def passing(self, keys: Iterable[Any]) -> Iterator[Any]:
        """Pass *keys* on, and count them in."""
        remaining = iter(keys)
        while part := list(islice(remaining, HASHED_AT_ONCE)):
            self._hash.update(repr(part).encode())
            yield from part

    def add_inputs(self, handles: Mapping[str, InputHandle]) -> None:
        """Count the stored inputs in, by their checksums."""
        told = {name: [handle.size, handle.digest] for name, handle in handles.items()}
        self._hash.update(msgspec.json.encode(told, order="deterministic"))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
