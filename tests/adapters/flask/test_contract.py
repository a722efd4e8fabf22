"""Contracts of HTTP and NDJSON, through a real gunicorn, a real worker, PostgreSQL and Valkey."""

from __future__ import annotations

import json
import time

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")

from mesbatch.client import JobClient
from mesbatch.demo.queries import DOMAINS
from tests.adapters.flask.truth import (
    Digest,
    digest_direct,
    digest_json,
    digest_lines,
    direct,
    of_json,
    of_lines,
)
from tests.rig.site import Site

NDJSON = "application/x-ndjson"
COUNTS = (1, 999, 1_000, 1_001, 10_000, 10_001, 20_000, 20_001, 50_000, 50_001, 114_000)
ALL = list(DOMAINS)
FEW = ["materials", "holds", "jobs"]


def made_up(count: int) -> list[str]:
    """Make *count* ids that no lot has."""
    return [f"x{number:015d}" for number in range(count)]


@pytest.mark.parametrize(("count", "domains"), [(1, ALL), (999, FEW), (1_000, ALL), (1_001, FEW)])
def test_every_path_gives_the_rows_of_direct_sql(site, jobs_site, setting, ids, count, domains):
    some = ids[:count]
    truth = {domain: direct(setting.database, domain, some) for domain in domains}

    assert of_json(site.events(some, domains).json) == truth
    assert of_lines(site.events(some, domains, Accept=NDJSON).lines) == truth
    started = jobs_site.events(some, domains)
    job_id = started.json["job_id"]
    assert of_lines(jobs_site.get(f"/job/{job_id}/stream").lines) == truth
    assert jobs_site.finished(job_id)["status"] == "finished"
    assert of_json(jobs_site.get(f"/job/{job_id}/result").json) == truth
    assert pages(jobs_site, job_id, "materials") == truth["materials"]


def test_compact_rows_and_gzip_give_the_same_rows(site, setting, ids):
    some = ids[:300]
    truth = {domain: direct(setting.database, domain, some) for domain in ALL}
    answer = site.events(some, ALL, query="?shape=arrays", Accept=NDJSON, Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.lines[0]["shape"] == "arrays"
    assert of_lines(answer.lines) == truth


@pytest.mark.parametrize("accept", ["application/json", NDJSON])
def test_no_ids_are_a_bad_request(site, jobs_site, accept):
    for one in (site, jobs_site):
        answer = one.events([], ALL, Accept=accept)
        assert (answer.status, answer.json["code"]) == (400, "INVALID_PARAMS")


def pages(site: Site, job_id: str, domain: str, limit: int = 700):
    """Collect the rows of all pages, and check that each page tells the total."""
    found, offset = [], 0
    while True:
        page = site.get(f"/job/{job_id}/result?domain={domain}&offset={offset}&limit={limit}").json["results"][domain]
        assert page["count"] == len(page["data"]) == min(limit, page["total"] - offset)
        found += page["data"]
        offset += limit
        if offset >= page["total"]:
            return of_json({"results": {domain: {"data": found}}})[domain]


# -- the table of HTTP


def test_an_answer_that_is_read_now_is_a_stream_without_a_length(site, ids):
    for accept, mimetype in (("application/json", "application/json"), (NDJSON, NDJSON), ("*/*", "application/json")):
        answer = site.events(ids[:3], ["history"], Accept=accept)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == mimetype
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in answer.headers
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Accept" in answer.headers["Vary"]


def test_the_json_object_has_the_members_that_clients_read(site, ids):
    answer = site.events(ids[:50], ["rejects", "holds"], "mid_section_defect").json
    assert list(answer) == ["stage", "results", "aggregation"]
    assert answer["stage"] == "events"
    assert answer["aggregation"]["rejects"] == answer["results"]["rejects"]["count"] > 0
    assert [list(result) for result in answer["results"].values()] == [["data", "count"]] * 2


def test_the_lines_have_the_members_that_clients_read(site, ids):
    lines = site.events(ids[:50], ["rejects"], "mid_section_defect", Accept=NDJSON).lines
    kinds = [line["type"] for line in lines if line["type"] != "progress"]
    assert (kinds[:2], set(kinds[2:-3])) == (["meta", "domain_start"], {"records"})
    assert kinds[-3:] == ["domain_end", "aggregation", "complete"]
    meta, start, *_ = lines
    assert (meta["job_id"], meta["profile"], meta["domains"]) == (None, "mid_section_defect", ["rejects"])
    assert (meta["version"], meta["cid_count"], meta["shape"]) == (1, 50, "objects")
    assert (start["domain"], start["total"], start["columns"][0]["name"]) == ("rejects", None, "containerid")
    records = [line for line in lines if line["type"] == "records"]
    assert [line["batch"] for line in records] == list(range(len(records)))


@pytest.fixture(scope="module")
def job_id(site: Site, ids: list[str]) -> str:
    """Run a job for 21,000 ids, of which 1,000 have rows, to its end."""
    started = site.events(ids[:1_000] + made_up(20_000), ["materials", "holds"], "query_tool")
    assert started.status == 202
    assert started.headers["Location"] == started.json["status_url"] == f"/api/trace/job/{started.json['job_id']}"
    assert int(started.headers["Retry-After"]) >= 1
    assert (started.json["stage"], started.json["async"]) == ("events", True)
    assert started.json["stream_url"] == f"{started.json['status_url']}/stream"
    assert site.finished(started.json["job_id"])["status"] == "finished"
    return str(started.json["job_id"])


def test_the_status_of_a_job_has_the_members_that_clients_read(site, job_id):
    found = site.get(f"/job/{job_id}").json
    assert (found["job_id"], found["status"], found["profile"]) == (job_id, "finished", "query_tool")
    assert (found["cid_count"], found["domains"], found["error"]) == (21_000, ["materials", "holds"], None)
    assert found["progress"]["percent"] == 100
    assert abs(found["created_at"] - time.time()) < 600
    assert found["elapsed_seconds"] > 0


def test_a_finished_result_has_an_etag_and_is_not_sent_twice(site, job_id):
    for path in (f"/job/{job_id}/result", f"/job/{job_id}/result?domain=holds", f"/job/{job_id}/stream"):
        first = site.get(path)
        again = site.get(path, If_None_Match=first.headers["ETag"])
        assert (first.status, again.status, again.body) == (200, 304, b"")


def test_two_pages_have_two_etags(site, job_id):
    tags = {site.get(f"/job/{job_id}/result?offset={n}&limit=5").headers["ETag"] for n in range(3)}
    assert len(tags) == 3


@pytest.mark.parametrize("part", ["", "/result", "/stream"])
def test_the_job_of_another_user_is_not_there(site, job_id, part):
    mine, theirs = site.get(f"/job/{job_id}{part}"), site.get(f"/job/{job_id}{part}", X_User="bob")
    assert (mine.status, theirs.status, theirs.json["code"]) == (200, 404, "JOB_NOT_FOUND")


def test_another_user_cannot_cancel_a_job(site, job_id):
    assert site.ask("DELETE", f"/api/trace/job/{job_id}", X_User="bob").status == 404


def test_a_resumed_stream_repeats_no_records(site, job_id):
    whole = [line for line in site.get(f"/job/{job_id}/stream").body.splitlines() if b'"records"' in line[:20]]
    for first in range(len(whole) + 1):
        rest = site.get(f"/job/{job_id}/stream?from={first}").body.splitlines()
        assert json.loads(rest[0])["type"] == "meta"
        assert [line for line in rest if b'"records"' in line[:20]] == whole[first:]
    beyond = site.get(f"/job/{job_id}/stream?from={len(whole) + 1}")
    assert (beyond.status, beyond.json["code"]) == (400, "INVALID_PARAMS")


def test_a_job_can_be_cancelled_and_has_no_result(jobs_site, ids):
    job_id = jobs_site.events(ids, ALL, "mid_section_defect").json["job_id"]
    assert jobs_site.ask("DELETE", f"/api/trace/job/{job_id}").status == 202
    assert jobs_site.finished(job_id, 10)["status"] == "cancelled"
    result = jobs_site.get(f"/job/{job_id}/result")
    assert (result.status, result.json["code"]) == (409, "JOB_NOT_COMPLETE")


def test_the_client_of_the_library_follows_a_job(site, job_id, setting, ids):
    client = JobClient(f"http://127.0.0.1:{site.port}/api/trace", headers={"X-User": "ann"})
    with client.follow(job_id) as stream:
        rows = [row for records in stream for row in records.rows if records.domain == "materials"]
    assert of_json({"results": {"m": {"data": rows}}})["m"] == direct(setting.database, "materials", ids[:1_000])


@pytest.mark.parametrize(
    ("profile", "count", "status"),
    [("query_tool", 20_000, 200), ("query_tool", 20_001, 202), ("mid_section_defect", 50_001, 202)],
)
def test_the_number_of_ids_decides_where_a_worker_listens(site, profile, count, status):
    assert site.events(made_up(count), ["holds"], profile).status == status


# -- all of it


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("count", COUNTS)
def test_every_path_gives_the_rows_of_direct_sql_at_any_size(long_site, long_jobs_site, long_setting, long_ids, count):
    some = long_ids[:count]
    for domain in ALL:
        truth = digest_direct(long_setting.database, domain, some)
        as_json = long_site.events(some, [domain], "mid_section_defect")
        assert digest_json(as_json.body, domain) == truth
        del as_json
        assert digest_lines(long_site.events(some, [domain], "mid_section_defect", Accept=NDJSON).body) == truth
        job_id = long_jobs_site.events(some, [domain], "mid_section_defect").json["job_id"]
        assert digest_lines(long_jobs_site.get(f"/job/{job_id}/stream").body) == truth
        long_jobs_site.finished(job_id)
        assert digest_json(long_jobs_site.get(f"/job/{job_id}/result").body, domain) == truth
        assert digest_pages(long_jobs_site, job_id, domain, truth[0]) == truth


def digest_pages(site: Site, job_id: str, domain: str, rows: int, limit: int = 50_000) -> Digest:
    parts = [
        digest_json(site.get(f"/job/{job_id}/result?domain={domain}&offset={offset}&limit={limit}").body, domain)
        for offset in range(0, max(rows, 1), limit)
    ]
    return sum(count for count, _ in parts), sum(total for _, total in parts)
