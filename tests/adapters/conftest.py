"""The small service of `served`, behind gunicorn and uvicorn, for tests that hold for both adapters."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.adapters.served import SETUP
from tests.rig.site import Setting, Site, gunicorn
from tests.rig.uvicorn import uvicorn


@pytest.fixture(scope="session")
def lots_database(postgres_url: str) -> Iterator[str]:
    """Give the URL of a schema with 1,000 lots."""
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    schema = f"served_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"create schema {schema}")
        url = f"{postgres_url}?options=-csearch_path%3D{schema}"
        with psycopg.connect(url, autocommit=True) as con:
            con.execute(SETUP)
        yield url
        admin.execute(f"drop schema {schema} cascade")


@contextmanager
def serve(adapter: str, database: str, directory: Path, **variables: str) -> Iterator[Site]:
    """Run the service with *adapter*."""
    setting = Setting(database, directory, variables=variables)
    if adapter == "flask":
        pytest.importorskip("flask", reason="no web framework: flask is not installed")
        pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
        with gunicorn(setting, "tests.adapters.served:make_flask()") as site:
            yield site
    else:
        pytest.importorskip("starlette", reason="no web framework: starlette is not installed")
        pytest.importorskip("uvicorn", reason="no web server: uvicorn is not installed")
        with uvicorn(setting, "tests.adapters.served:make_asgi", subprocess.Popen, "--factory") as site:
            yield site


@pytest.fixture(scope="session", params=["flask", "asgi"])
def served(request: Any, lots_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Run the service with each adapter: its *site*, *directory*, *database* and *adapter*."""
    directory = tmp_path_factory.mktemp(f"served-{request.param}")
    with serve(request.param, lots_database, directory) as site:
        yield SimpleNamespace(site=site, directory=directory, database=lots_database, adapter=request.param)
