from __future__ import annotations

import pytest

from tests.jobs.functions import make_database
from tests.rig.valkey_or_skip import valkey_or_skip


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("jobs") / "moves.db")


@pytest.fixture(scope="session")
def valkey():
    with valkey_or_skip() as server:
        yield server
