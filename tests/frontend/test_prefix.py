"""The dashboard in a real browser, mounted below a path."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

pytest.importorskip("flask", reason="flask is not installed")

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from mesbatch.demo.dashboard.app import make_app
from mesbatch.demo.dashboard.server import QuietHandler
from mesbatch.demo.runs import TRACE
from mesbatch.demo.warehouse import build_warehouse, sqlite_url
from mesbatch.jobs import LocalJobs
from mesbatch.store import DirectoryStore
from tests.frontend.test_dashboard import ended, started

CIDS = 300


class Waiting(LocalJobs):
    """A runner that accepts jobs, and runs none: a few lots are read at once."""

    def start(self) -> None:
        pass


@pytest.fixture
def mounted(browser, tmp_path) -> Iterator[str]:
    url = sqlite_url(tmp_path / "warehouse.sqlite")
    build_warehouse(url, CIDS)

    def events(work):
        return TRACE.read(url, work.keys, work.domains, on_failure=work.on_failure, max_bytes=work.max_bytes)

    with Waiting({"events": events}, DirectoryStore(tmp_path / "jobs"), app="nowhere:jobs") as jobs:
        mount = DispatcherMiddleware(NotFound(), {"/mes/demo": make_app(jobs, CIDS).wsgi_app})
        server = make_server("127.0.0.1", 0, mount, threaded=True, request_handler=QuietHandler)
        with closing(server.socket):
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("path", ["/mes/demo/", "/mes/demo"])
def test_the_page_works_below_a_path(page, mounted, asked, path):
    started(page, f"{mounted}{path}", keys=CIDS)
    assert ended(page) == "complete"
    outside = {url for _, url in asked if not url.startswith(f"{mounted}/mes/demo")}
    assert not outside
    assert {"main.js", "jobs.js", "warehouse", "events"} <= {url.rpartition("/")[2] for _, url in asked}
