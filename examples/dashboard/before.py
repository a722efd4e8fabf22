"""The dashboard's routes as they were on the day of the incident: every row three to four times in memory."""

from __future__ import annotations

import os
from contextlib import closing

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
        return Response(incident(con, queries, asked["container_ids"]), mimetype="application/json")


@app.get("/api/lots")
def lots() -> Response:
    return Response('{"lots":["GA23100020-A00-011"]}', mimetype="application/json")
