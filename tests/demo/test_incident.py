"""The incident's pipelines answer correctly; their fault is the memory that they hold."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from mesbatch.demo.incident import first_repair, incident

QUERIES = {
    "history": "SELECT containerid AS CONTAINERID, qty AS QTY FROM history WHERE containerid IN (:keys)",
    "holds": "SELECT containerid AS CONTAINERID, qty AS QTY FROM history WHERE qty < 0 AND containerid IN (:keys)",
}


@pytest.mark.parametrize("pipeline", [incident, first_repair])
def test_every_row_of_the_asked_keys_is_in_the_answer(pipeline):
    if pipeline is incident:
        pytest.importorskip("pandas", reason="the incident's pipeline needs pandas")
    keys = [f"4881038{number:09x}" for number in range(2_500)]
    rows = [(key, number * 1.5) for key in [*keys, "not asked for"] for number in range(3)]
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute("CREATE TABLE history (containerid TEXT, qty REAL)")
        con.executemany("INSERT INTO history VALUES (?, ?)", rows)

        results = json.loads(pipeline(con, QUERIES, keys))["results"]

    assert results["history"]["count"] == 7_500
    assert [(row["CONTAINERID"], row["QTY"]) for row in results["history"]["data"]] == rows[:7_500]
    assert results["holds"] == {"data": [], "count": 0}
