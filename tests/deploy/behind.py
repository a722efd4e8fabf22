"""Application behind nginx: the routes of a trace, and streams that wait or break off; ``BEHIND`` is its folder."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from mesbatch import read_sql_iter
from mesbatch.adapters.flask import job_started, stream_json, stream_ndjson
from mesbatch.jobs.job import read_job
from mesbatch.read.reader import BatchReader
from tests.adapters.flask.application import Application

BEFORE = 500  # rows that come before the gate, or before the failure


def make_app() -> Flask:
    """Make the application; rows of ``/waiting`` wait for the file ``gate``."""
    folder = Path(os.environ["BEHIND"])
    application = Application(folder)

    def read(function: str, act: Callable[[int], float]) -> BatchReader:
        def connect() -> sqlite3.Connection:
            con = application.connect()
            con.create_function(function, 1, lambda n: n if n < BEFORE else act(n))
            return con

        return read_sql_iter(f"select cid, {function}(n) as n from moves", connect, batch_size=100)

    def wait(n: int) -> int:
        until = time.monotonic() + 20
        while not (folder / "gate").exists() and time.monotonic() < until:
            time.sleep(0.01)
        return n

    app = application.flask
    app.add_url_rule("/waiting", "waiting", lambda: stream_ndjson(read("wait", wait)))
    app.add_url_rule("/breaking", "breaking", lambda: stream_json(read("fail", lambda n: n / 0)))
    app.add_url_rule("/job", "job", lambda: job_started(read_job("f" * 32, {"status": "queued"})))
    return app
