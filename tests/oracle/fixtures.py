"""Fixtures for tests of Oracle: the stand-in in both releases, or the real one that ``MESBATCH_ORACLE_DSN`` names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import oracledb
import pytest

from tests.oracle.protocol import PROFILES
from tests.oracle.rig import OracleServer

DSN = os.environ.get("MESBATCH_ORACLE_DSN", "")  # user/password@host:port/service


@dataclass(frozen=True)
class Oracle:
    """A database to read from; *server* is None for a real one, which does not fail on request."""

    credentials: dict[str, str]
    server: OracleServer | None

    @property
    def sqlalchemy_url(self) -> str:
        user, password, dsn = (self.credentials[name] for name in ("user", "password", "dsn"))
        place, _, service = dsn.rpartition("/")
        return f"oracle+oracledb://{user}:{password}@{place}/?service_name={service}"

    def connect(self) -> Any:
        return oracledb.connect(**self.credentials)

    def make_table(self, name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        """Make a table *name* with *rows*, in place of one that an earlier run left."""
        with self.connect() as connection, connection.cursor() as cursor:
            with suppress(oracledb.DatabaseError):  # IF EXISTS is new in 23ai
                cursor.execute(f"drop table {name} purge")
            cursor.execute(f"create table {name} ({columns})")
            if rows:
                marks = ", ".join(f":{i}" for i in range(1, len(rows[0]) + 1))
                cursor.executemany(f"insert into {name} values ({marks})", rows)
            connection.commit()


@pytest.fixture(scope="module", params=["real"] if DSN else list(PROFILES))
def oracle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    """Both releases of the stand-in in turn, or the real Oracle."""
    if DSN:
        yield Oracle(_parse(DSN), None)
        return
    with OracleServer(tmp_path_factory.mktemp("oracle") / "oracle.db", request.param) as server:
        yield Oracle(server.credentials, server)


@pytest.fixture
def oracle_server(oracle: Oracle) -> OracleServer:
    """The stand-in behind `oracle`, without planned faults: it counts, and fails on request."""
    if oracle.server is None:
        pytest.skip("only the stand-in counts round trips and breaks on demand")
    oracle.server.clear_faults()
    return oracle.server


@pytest.fixture
def oracle_connection(oracle: Oracle) -> Iterator[Any]:
    with oracle.connect() as connection:
        yield connection


@pytest.fixture
def oracle_pool(oracle: Oracle) -> Iterator[Any]:
    """A pool of at most three connections; afterwards all of them must be back."""
    pool = oracledb.create_pool(**oracle.credentials, min=0, max=3, ping_interval=-1)
    yield pool
    assert pool.busy == 0
    pool.close(force=True)


def _parse(dsn: str) -> dict[str, str]:
    match = re.fullmatch(r"([^/]+)/(.+)@([^@]+)", dsn)
    if match is None:
        raise pytest.UsageError("MESBATCH_ORACLE_DSN must be user/password@host:port/service")
    return dict(zip(("user", "password", "dsn"), match.groups()))
