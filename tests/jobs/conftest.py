from __future__ import annotations

import pytest

from tests.jobs.functions import make_database


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("jobs") / "moves.db")
