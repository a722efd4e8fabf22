"""A stand-in for an Oracle server, which the real driver logs in to; its rows come from SQLite."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

SERVER = Path(os.environ.get("MESBATCH_ORACLE_SERVER", Path(__file__).parents[3] / "shared/oracle/server.py"))
ROWS = 6_000


@contextmanager
def oracle_server(directory: Path) -> Iterator[Any]:
    """A server with a table *orders* (id, cid, note) of `ROWS` rows; ``server.credentials`` reach it.

    Skips the test where there is no stand-in.
    """
    pytest.importorskip("oracledb", reason="no oracle driver: oracledb is not installed")
    if not SERVER.exists():
        pytest.skip("no oracle: MESBATCH_ORACLE_SERVER names no stand-in")
    path = directory / "oracle.db"
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table orders (id number(9), cid number(9), note varchar2(200))")
        rows = ((n, n % 100, "x" * 100) for n in range(ROWS))
        con.executemany("insert into orders values (?, ?, ?)", rows)
    server = _load().Server(str(path)).start()
    server.dsn = f"127.0.0.1:{server.port}/FREEPDB1"
    server.credentials = {"user": "scott", "password": "tiger", "dsn": server.dsn}
    try:
        yield server
    finally:
        server.close()


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("oracle_server", SERVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
