"""Stores for one set of tests: a directory, a real Valkey, an object storage in memory and in a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesbatch.store import Store
from tests.rig.valkey import PrivateValkey
from tests.rig.valkey_or_skip import valkey_or_skip
from tests.store.rigs import DirectoryRig, ObjectRig, RedisRig, StoreRig

KINDS = ("directory", "redis", "memory", "local")


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[PrivateValkey]:
    """Start the session's Valkey; a test that stops, fills or empties a server starts its own."""
    pytest.importorskip("redis", reason="no redis client: redis is not installed")
    with valkey_or_skip() as server:
        yield server


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreRig]:
    rig = _rig(request, tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def redis_rig(valkey_server: PrivateValkey) -> Iterator[RedisRig]:
    rig = RedisRig(valkey_server.url)
    yield rig
    rig.close()


@pytest.fixture
def store(rig: StoreRig) -> Store:
    return rig.open()


def _rig(request: pytest.FixtureRequest, tmp_path: Path) -> StoreRig:
    if request.param == "directory":
        return DirectoryRig(tmp_path)
    if request.param == "redis":
        return RedisRig(request.getfixturevalue("valkey_server").url)
    storages = pytest.importorskip("obstore.store", reason="no object storage: obstore is not installed")
    if request.param == "memory":
        return ObjectRig(storages.MemoryStore())
    return ObjectRig(storages.LocalStore(tmp_path / "objects", mkdir=True, automatic_cleanup=True))
