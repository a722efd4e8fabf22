from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.frontend import rig

CIDS = 25_000  # above 20,000 a trace is a job


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with rig.chromium() as found:
        yield found


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dashboard")


@pytest.fixture(scope="package")
def address(browser: Any, place: Path) -> Iterator[str]:
    """The dashboard's address; it depends on the browser, so that no warehouse is built where there is no browser."""
    pytest.importorskip("flask", reason="flask is not installed")
    with rig.dashboard(place, CIDS) as found:
        yield found


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as found:
        yield found


@pytest.fixture
def page(context: Any) -> Any:
    """An empty page; an error in its scripts fails the test."""
    found = context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    yield found
    assert not errors


@pytest.fixture
def asked(page: Any) -> list[tuple[str, str]]:
    """Method and address of each request of the page, as they are made."""
    found: list[tuple[str, str]] = []
    page.on("request", lambda request: found.append((request.method, request.url)))
    return found
