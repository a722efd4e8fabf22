"""Tools for the tests of the browser side: Node, npm's files, Chromium, and the dashboard's real server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mesbatch.demo.dashboard.worker import CHILD

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--enable-precise-memory-info",
]  # fmt: skip


def node() -> str:
    """The path of Node; skips where there is none."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not on the PATH")
    return found


def npm_file(name: str) -> Path:
    """A file that npm installed for the modules; skips where it did not."""
    path = FRONTEND / "node_modules" / name
    if not path.exists():
        pytest.skip(f"npm did not install {name}: run `npm ci` in frontend/")
    return path


def run_node(*arguments: str | Path, timeout: float = 110) -> subprocess.CompletedProcess[str]:
    command = [node(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium under Playwright; skips where one of them is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not on the PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def dashboard(directory: Path, cids: int) -> Iterator[str]:
    """`mesbatch demo --serve` over a warehouse of *cids* lots below *directory*; its address."""
    command = [sys.executable, "-c", "from mesbatch.cli import main; main()", "demo", "--serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--cids", str(cids), "--directory", str(directory)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = (line for line in process.stdout if line.startswith("The dashboard is at "))
            yield next(lines).split()[-1]
        finally:
            process.terminate()
            process.wait(20)


def wait_for(page: Any, expression: str, seconds: float = 60.0) -> Any:
    """Wait until the JavaScript *expression* is true in *page*, and return its value.

    The question is asked from this process: Playwright's own waiting asks once a frame, and would be measured, too.
    """
    end = time.monotonic() + seconds
    while not (found := page.evaluate(expression)):
        assert time.monotonic() < end, (
            f"{expression} did not become true within {seconds:g} s: {page.inner_text('body')[:500]}"
        )
        page.wait_for_timeout(50)
    return found


def status_of_job(page: Any, asked: list[tuple[str, str]]) -> str:
    """The status, as the server tells it, of the job that one of the requests *asked* was about."""
    job = next(found[0] for _, url in asked if (found := re.match(r".*/job/[\w-]+", url)))
    return page.request.get(job).json()["status"]


def workers() -> list[int]:
    """The processes of jobs that a dashboard's server started."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _is_worker(path)]


def _is_worker(process: Path) -> bool:
    try:
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        return (
            CHILD in (process / "cmdline").read_bytes() and b"--serve" in Path(f"/proc/{parent}/cmdline").read_bytes()
        )
    except OSError:  # it has gone meanwhile
        return False


def axe(page: Any) -> list[str]:
    """What axe-core finds wrong on *page*: its rule, and the first element that breaks it."""
    page.evaluate(npm_file("axe-core/axe.min.js").read_text())  # a script tag would break the page's own policy
    violations = page.evaluate("axe.run().then((found) => found.violations)")
    return [f"{one['id']}: {one['help']}, as in {one['nodes'][0]['html'][:200]}" for one in violations]
