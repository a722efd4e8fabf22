"""Site for all tests of the adapter: gunicorn, a worker, PostgreSQL with a small warehouse, Valkey."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest

from mesbatch.demo.rows import container_ids
from tests.rig.postgres import RigUnavailable
from tests.rig.site import EVERYTHING_A_JOB, Setting, Site, gunicorn, worker
from tests.rig.valkey import PrivateValkey

CIDS = 4_000


@pytest.fixture(autouse=True)
def no_answer_is_still_being_made() -> Iterator[None]:
    """Fail where a test neither read nor closed an answer, whose thread would go on in the tests after it."""
    yield
    assert [thread for thread in threading.enumerate() if thread.name == "mesbatch-response"] == []


@pytest.fixture(scope="session")
def warehouse(postgres_url: str) -> Iterator[str]:
    """Build a made-up warehouse of 4,000 lots in a schema of its own, and give its URL."""
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    from mesbatch.demo.warehouse import build_warehouse

    schema = f"site_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"create schema {schema}")
        url = f"{postgres_url}?options=-csearch_path%3D{schema}"
        build_warehouse(url, CIDS)
        yield url
        admin.execute(f"drop schema {schema} cascade")


@pytest.fixture(scope="session")
def setting(warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
    pytest.importorskip("rq", reason="rq is not installed")
    try:
        with PrivateValkey() as server:
            yield Setting(warehouse, tmp_path_factory.mktemp("site"), server.url)
    except RigUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def site(setting: Setting) -> Iterator[Site]:
    """Run a site that reads at most 20,000 ids now, and more as a job."""
    with gunicorn(setting) as site, worker(setting):
        yield site


@pytest.fixture(scope="session")
def jobs_site(setting: Setting, site: Site) -> Iterator[Site]:
    """Run a site where everything is a job, for the same worker."""
    with gunicorn(Setting(setting.database, setting.directory, setting.redis, EVERYTHING_A_JOB)) as jobs_site:
        yield jobs_site


@pytest.fixture(scope="session")
def ids() -> list[str]:
    """List the ids of all lots of the warehouse."""
    return list(container_ids(CIDS))


LONG_CIDS = 114_000


@pytest.fixture(scope="session")
def long_ids() -> list[str]:
    return list(container_ids(LONG_CIDS))


@pytest.fixture(scope="session")
def long_setting(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Build the warehouse of the incident; there is no worker, so that everything is read now."""
    from mesbatch.demo.warehouse import build_warehouse

    build_warehouse(postgres_url, LONG_CIDS)
    return Setting(postgres_url, tmp_path_factory.mktemp("long"))


@pytest.fixture(scope="session")
def long_site(long_setting: Setting) -> Iterator[Site]:
    with gunicorn(long_setting) as site:
        yield site


@pytest.fixture(scope="session")
def long_jobs_site(long_setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with PrivateValkey() as server:
        setting = Setting(long_setting.database, tmp_path_factory.mktemp("long-jobs"), server.url, EVERYTHING_A_JOB)
        with gunicorn(setting) as site, worker(setting):
            yield site
