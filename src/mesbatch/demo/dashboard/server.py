"""The server of the dashboard: werkzeug's, which is enough for one person on one machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from mesbatch.demo.dashboard import jobs as dashboard
from mesbatch.demo.dashboard.app import make_app

HOST = "127.0.0.1"  # everybody who reaches it may kill workers


class QuietHandler(WSGIRequestHandler):
    """A handler that writes no line for each request: the page makes two a second."""

    def log_request(self, *_: Any) -> None:
        pass


def serve(url: str, cids: int, directory: Path, port: int, on_ready: Callable[[str], object]) -> None:
    """Serve the dashboard of the warehouse at *url* until interrupted; *on_ready* hears the address.

    Results are kept below *directory* until then. With *port* 0 the system chooses one.
    """
    with TemporaryDirectory(prefix="jobs-", dir=directory) as store:
        os.environ.update(dashboard.place(url, Path(store)))
        with closing(dashboard.jobs) as jobs:
            jobs.start()
            server = make_server(HOST, port, make_app(jobs, cids), threaded=True, request_handler=QuietHandler)
            with closing(server.socket):
                on_ready(f"http://{HOST}:{server.server_port}/")
                server.serve_forever()
