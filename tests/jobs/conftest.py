from __future__ import annotations

import pytest

from tests.jobs.functions import make_database
from tests.rig.postgres import RigUnavailable
from tests.rig.valkey import PrivateValkey


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("jobs") / "moves.db")


@pytest.fixture(scope="session")
def valkey():
    try:
        with PrivateValkey() as server:
            yield server
    except RigUnavailable as error:
        pytest.skip(str(error))
