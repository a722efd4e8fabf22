"""Limiters of every kind, each in an empty place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.admission.places import MachinePlace, Place, ProcessPlace, RedisPlace
from tests.rig.postgres import RigUnavailable
from tests.rig.valkey import PrivateValkey


@pytest.fixture(scope="session")
def valkey() -> Iterator[PrivateValkey]:
    """The session's Valkey. A test that kills a server starts its own."""
    pytest.importorskip("redis", reason="no redis client: redis is not installed")
    try:
        with PrivateValkey() as server:
            yield server
    except RigUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(params=["process", "machine", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where limiters of one kind keep their permits: in this process, on this machine, in Redis."""
    if request.param == "redis":
        return RedisPlace(request.getfixturevalue("valkey").url, uuid4().hex)
    return MachinePlace(str(tmp_path / "permits")) if request.param == "machine" else ProcessPlace()
