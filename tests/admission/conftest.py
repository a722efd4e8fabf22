"""Limiters of every kind, each in an empty place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tests.admission.places import MachinePlace, Place, ProcessPlace, RedisPlace
from tests.rig.valkey import PrivateValkey
from tests.rig.valkey_or_skip import valkey_or_skip


@pytest.fixture(scope="session")
def valkey() -> Iterator[PrivateValkey]:
    """Give the session's Valkey. A test that kills a server starts its own."""
    pytest.importorskip("redis", reason="no redis client: redis is not installed")
    with valkey_or_skip() as server:
        yield server


@pytest.fixture(params=["process", "machine", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a place for the permits of limiters of one kind: this process, this machine, or Redis."""
    place: Place
    match request.param:
        case "process":
            place = ProcessPlace()
        case "machine":
            place = MachinePlace(str(tmp_path / "permits"))
        case _:
            place = RedisPlace(request.getfixturevalue("valkey").url, uuid4().hex)
    with closing(place):
        yield place


@pytest.fixture
def redis_place(valkey: PrivateValkey) -> Iterator[RedisPlace]:
    with closing(RedisPlace(valkey.url, uuid4().hex)) as place:
        yield place
