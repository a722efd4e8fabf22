from __future__ import annotations

import pytest

from tests.jobs.functions import make_database
from tests.jobs.rig import LocalRig, RqRig, running
from tests.rig.valkey_or_skip import valkey_or_skip


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("jobs") / "moves.db")


@pytest.fixture(scope="session")
def valkey():
    with valkey_or_skip() as server:
        yield server


@pytest.fixture(params=["local", "rq"])
def rig(request, tmp_path):
    """Jobs of each backend, with real processes."""
    if request.param == "local":
        yield from running(LocalRig(tmp_path))
        return
    for module in ("redis", "rq"):
        pytest.importorskip(module)
    yield from running(RqRig(tmp_path, request.getfixturevalue("valkey")))
