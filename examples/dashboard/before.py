"""The dashboard's routes as they were on the day of the incident: every row three to four times in memory."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from contextlib import closing
from typing import Any

from flask import Flask, Response, request

from mesbatch.demo.incident import incident
from mesbatch.demo.queries import QUERIES
from mesbatch.demo.warehouse import connect

DATABASE = os.environ["DATABASE_URL"]

app = Flask(__name__)


@app.post("/api/trace/events")
def events() -> Response:
    asked = request.get_json()
    queries = {domain: QUERIES[domain] for domain in asked["domains"]}
    with closing(connect(DATABASE)) as con:
        # fetchall -> DataFrame -> iterrows -> a dict of everything -> a flattened copy -> json.dumps
        answer = incident(con, queries, asked["container_ids"])
    if "lineage" in asked:
        found = json.loads(answer)
        found["aggregation"] = {"attribution": attribution(found["results"], asked["lineage"])}
        answer = json.dumps(found)
    return Response(answer, mimetype="application/json")


def attribution(results: dict[str, Any], lineage: dict[str, list[str]]) -> dict[str, Any]:
    """Charge the rejects of each lot to the equipment and material of its ancestors, with every row in memory."""
    marks = {"upstream_history": "EQUIPMENTNAME", "materials": "MATERIALPARTNAME"}
    of_lot = {domain: defaultdict(set) for domain in marks}
    for domain, column in marks.items():
        for row in map(_in_capitals, results[domain]["data"]):
            of_lot[domain][row["CONTAINERID"]].add(row[column])
    rejected = Counter[str]()
    for row in map(_in_capitals, results["rejects"]["data"]):
        rejected[row["CONTAINERID"]] += int(row["REJECTQTY"])
    charged = {domain: Counter[str]() for domain in marks}
    for seed, ancestors in lineage.items():
        for domain, lots in of_lot.items():
            for mark in set().union(*(lots[ancestor] for ancestor in ancestors)) if rejected[seed] else ():
                charged[domain][mark] += rejected[seed]
    seeds = [rejected[seed] for seed in lineage if rejected[seed]]
    return {
        "seeds": len(seeds), "rejects": sum(seeds),
        "by_equipment": charged["upstream_history"], "by_material": charged["materials"],
    }  # fmt: skip


def _in_capitals(row: dict[str, Any]) -> dict[str, Any]:
    """Spell the names as the statements do: PostgreSQL gives them in small letters."""
    return {name.upper(): value for name, value in row.items()}


@app.get("/api/lots")
def lots() -> Response:
    return Response('{"lots":["GA23100020-A00-011"]}', mimetype="application/json")
