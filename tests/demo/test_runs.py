"""All three ways of reading the warehouse read the same rows."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from mesbatch.demo.comparison import COMPARED
from mesbatch.demo.queries import DOMAINS, QUERIES
from mesbatch.demo.rows import container_ids, count_rows
from mesbatch.demo.runs import first_repair, incident, trace
from mesbatch.demo.tables import LOT_REJECTS
from mesbatch.demo.warehouse import build_warehouse, connect, sqlite_url

CIDS = 300


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = sqlite_url(tmp_path_factory.mktemp("warehouse") / "warehouse.sqlite")
    build_warehouse(url, CIDS)
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite")
    url = request.getfixturevalue("postgres_schema_url")
    build_warehouse(url, CIDS)
    return url


def rows_without_mesbatch(url: str, domain: str, keys: list[str]) -> list[tuple]:
    with closing(connect(url)) as con, closing(con.cursor()) as cursor:
        cursor.execute(QUERIES[domain].replace(":keys", ", ".join(f"'{key}'" for key in keys)))
        return cursor.fetchall()


def test_the_trace_is_complete_and_has_every_row_of_every_domain(url, tmp_path):
    file = tmp_path / "trace.ndjson"

    account = trace(url, CIDS, DOMAINS, str(file))

    keys = list(container_ids(CIDS))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert account["complete"]
    assert account["error"] is None
    assert account["nbytes"] == file.stat().st_size
    assert tuple(account["domains"]) == DOMAINS
    for domain in COMPARED:
        records = [
            row for line in lines if line["type"] == "records" and line["domain"] == domain for row in line["data"]
        ]
        assert account["domains"][domain]["rows"] == len(records) == len(rows_without_mesbatch(url, domain, keys))
    assert lines[-1]["type"] == "complete"


def test_jobs_come_once_when_any_of_their_lots_was_asked_for(url, tmp_path):
    file = tmp_path / "trace.ndjson"
    asked = set(container_ids(100))
    wanted = [row for row in rows_without_mesbatch(url, "jobs", []) if asked & set((row[-2] or "").split(","))]

    account = trace(url, 100, ["jobs"], str(file))

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    jobs = [next(iter(row.values())) for line in lines if line["type"] == "records" for row in line["data"]]
    assert sorted(jobs) == sorted(row[0] for row in wanted)
    assert account["rows"] == len(jobs) > 0


def test_the_aggregation_counts_every_reject(sqlite, tmp_path):
    file = tmp_path / "trace.ndjson"

    trace(sqlite, CIDS, ["rejects"], str(file))

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    (aggregation,) = (line["data"] for line in lines if line["type"] == "aggregation")
    assert aggregation["rejects"] == count_rows(CIDS)[LOT_REJECTS]
    assert sum(aggregation["by_equipment"].values()) == aggregation["rejects"]


@pytest.mark.parametrize("pipeline", [incident, first_repair])
def test_the_incidents_pipelines_read_as_many_rows_as_we_do(url, pipeline):
    if pipeline is incident:
        pytest.importorskip("pandas", reason="the incident's pipeline needs pandas")
    domains = list(COMPARED)

    assert pipeline(url, CIDS, domains)["rows"] == trace(url, CIDS, domains)["rows"]
