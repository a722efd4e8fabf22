"""What every test may ask for: a real PostgreSQL, and laws without a stopwatch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.rig import mariadb
from tests.rig.mariadb import PrivateMariadb
from tests.rig.postgres import PrivatePostgres, RigUnavailable, private_schema

if TYPE_CHECKING:
    import psycopg

pytest_plugins = ["mesbatch.testing.plugin", "tests.rig.required", "tests.rig.tally", "tests.oracle.fixtures"]

# A law that talks to a real database has no deadline; its fixtures are made once for all examples.
settings.register_profile(
    "default", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("long", settings.get_profile("default"), max_examples=2_000)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    """Leave slow tests out of a run of everything; a folder or file that is named is run as a whole."""
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and config.option.markexpr == "not long":
        config.option.markexpr = "not long and not slow"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are processors: a third of the time, a test waits for a server."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivatePostgres]:
    """The session's PostgreSQL. A test that stops or kills a server starts its own `PrivatePostgres`."""
    try:
        with PrivatePostgres() as server:
            yield server
    except RigUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[PrivateMariadb]:
    """The session's MariaDB."""
    try:
        with PrivateMariadb() as server:
            yield server
    except mariadb.RigUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PrivatePostgres) -> str:
    return postgres_server.url


@pytest.fixture
def postgres_schema_url(postgres_url: str) -> Iterator[str]:
    """A URL whose search path is an empty schema of this test; dropped afterwards.

    Dropping fails after five seconds when the test left a transaction open.
    """
    pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    with private_schema(postgres_url) as url:
        yield url


@pytest.fixture
def postgres(postgres_schema_url: str) -> Iterator[psycopg.Connection]:
    """A psycopg connection into the empty schema of this test; not in autocommit mode."""
    import psycopg

    with psycopg.connect(postgres_schema_url) as connection:
        yield connection
