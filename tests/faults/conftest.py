from __future__ import annotations

import pytest

from tests.rig.s3 import private_s3
from tests.rig.valkey_or_skip import valkey_or_skip


@pytest.fixture(scope="session")
def s3_server():
    with private_s3() as address:
        yield address


@pytest.fixture(scope="session")
def valkey_server():
    pytest.importorskip("redis", reason="no redis client: redis is not installed")
    with valkey_or_skip() as server:
        yield server
