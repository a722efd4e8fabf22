"""A memory cage for a test: where none can be made, it is skipped and says why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.rig.cgroup import MemoryCage
from tests.rig.postgres import RigUnavailable


@contextmanager
def cage_or_skip(limit: int) -> Iterator[MemoryCage]:
    """A group of processes with *limit* bytes that lasts until the block ends."""
    try:
        with MemoryCage(limit) as cage:
            yield cage
    except RigUnavailable as error:
        pytest.skip(str(error))
