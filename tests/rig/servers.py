"""Both servers that a store in Redis may have: Valkey, and the Redis 7 of Debian."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.rig.postgres import RigUnavailable
from tests.rig.valkey import PrivateRedis, PrivateValkey

SERVERS = {"valkey": PrivateValkey, "redis-server": PrivateRedis}


@contextmanager
def server_or_skip(name: str) -> Iterator[PrivateValkey]:
    """Start the server *name* of `SERVERS`, for a test that may fill, stop or empty it."""
    pytest.importorskip("redis", reason="no redis client: redis is not installed")
    try:
        with SERVERS[name]() as server:
            yield server
    except RigUnavailable as error:
        pytest.skip(str(error))
