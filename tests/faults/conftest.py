from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.rig.s3 import private_s3
from tests.rig.valkey_or_skip import valkey_or_skip

# The scenarios are of the whole library; the leg without extras has none of it. Where all is to be installed, other
# tests are skipped for the same reasons, which fails the run.
if not all(map(find_spec, ("flask", "obstore", "psycopg", "pyarrow", "redis", "rq"))):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def s3_server():
    with private_s3() as address:
        yield address


@pytest.fixture(scope="session")
def valkey_server():
    pytest.importorskip("redis", reason="no redis client: redis is not installed")
    with valkey_or_skip() as server:
        yield server
