"""The number of rows of a statement before it is read, by the planner of its database."""

from __future__ import annotations

from typing import Any

from mesbatch.source.connect import find_source
from mesbatch.source.session import Params
from mesbatch.sql.query import check_reads


def estimate_rows(sql: str, con: Any, params: Params) -> int | None:
    """Ask the planner; None where the database has none, or for any failure: it is only an estimate.

    Opens a connection of its own for a URL.
    """
    try:
        session = find_source(con).open()
        try:
            return session.driver.estimate(session, check_reads(sql), params)
        finally:
            session.close()
    except Exception:  # noqa: BLE001  # the read itself tells of every mistake
        return None
