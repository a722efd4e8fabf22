"""The site of the Flask adapter's tests, behind uvicorn; the same warehouse, worker and Valkey."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.flask.conftest import ids, long_ids, long_setting, setting, warehouse  # noqa: F401  # fixtures
from tests.rig.site import EVERYTHING_A_JOB, Setting, Site, worker
from tests.rig.uvicorn import uvicorn
from tests.rig.valkey import PrivateValkey

APP = "examples.dashboard.after_asgi:app"


@pytest.fixture(scope="session")
def site(setting: Setting) -> Iterator[Site]:  # noqa: F811
    """Run a site that reads at most 20,000 ids now, and more as a job."""
    pytest.importorskip("uvicorn", reason="no web server: uvicorn is not installed")
    with uvicorn(setting, APP) as site, worker(setting):
        yield site


@pytest.fixture(scope="session")
def jobs_site(setting: Setting, site: Site) -> Iterator[Site]:  # noqa: F811
    """Run a site where everything is a job, for the same worker."""
    with uvicorn(Setting(setting.database, setting.directory, setting.redis, EVERYTHING_A_JOB), APP) as jobs_site:
        yield jobs_site


@pytest.fixture(scope="session")
def long_site(long_setting: Setting) -> Iterator[Site]:  # noqa: F811
    with uvicorn(long_setting, APP) as site:
        yield site


@pytest.fixture(scope="session")
def long_jobs_site(long_setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: F811
    with PrivateValkey() as server:
        setting = Setting(long_setting.database, tmp_path_factory.mktemp("long-jobs"), server.url, EVERYTHING_A_JOB)
        with uvicorn(setting, APP) as site, worker(setting):
            yield site
