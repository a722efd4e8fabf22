"""The incident's own page: scrap charged to the equipment and the material of ancestors, now and as a job."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mesbatch.demo.lineage import lineage, seed_count
from mesbatch.demo.rows import container_ids, make_rows
from mesbatch.demo.tables import LOT_HISTORY, LOT_MATERIALS, LOT_REJECTS, Table
from mesbatch.memory import rss
from mesbatch.units import MiB
from tests.adapters.flask.conftest import CIDS, LONG_CIDS
from tests.rig.postgres import RigUnavailable
from tests.rig.site import EVERYTHING_A_JOB, Setting, Site, gunicorn, worker
from tests.rig.valkey import PrivateValkey

DOMAINS = ["upstream_history", "materials", "rejects"]


def values_of(table: Table, cids: int, column: str, wanted: Any) -> Iterator[tuple[str, Any]]:
    position = table.column_names.index(column)
    return ((row[0], row[position]) for row in make_rows(table, cids) if row[0] in wanted)


def attribution(cids: int) -> dict[str, Any]:
    """Charge as simply as can be: with everything in memory, from the rows that the warehouse is made of."""
    ancestors = dict(lineage(cids))
    rejected: Counter[str] = Counter()
    for seed, quantity in values_of(LOT_REJECTS, cids, "REJECTQTY", ancestors):
        rejected[seed] += quantity or 0
    found: dict[str, Any] = {"seeds": sum(map(bool, rejected.values())), "rejects": rejected.total()}
    every = {ancestor for above in ancestors.values() for ancestor in above}
    for name, table, column in (
        ("by_equipment", LOT_HISTORY, "EQUIPMENTNAME"),
        ("by_material", LOT_MATERIALS, "MATERIALPARTNAME"),
    ):
        marks = defaultdict(set)
        for lot, mark in values_of(table, cids, column, every):
            marks[lot].add(mark)
        charged: Counter[str] = Counter()
        for seed, above in ancestors.items():
            if rejected[seed]:
                for mark in set().union(*(marks[lot] for lot in above)):
                    charged[mark] += rejected[seed]
        found[name] = dict(charged)
    return found


def asked(cids: int, ids: list[str], **more: Any) -> dict[str, Any]:
    return {"profile": "mid_section_defect", "container_ids": ids, "domains": DOMAINS, **more}


@pytest.fixture(scope="module")
def expected():
    found = attribution(CIDS)
    assert found["seeds"] > 1_000
    assert len(found["by_equipment"]) > 300
    return found


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_it_is_computed_while_the_request_is_answered(site, ids, expected, encoding):
    body = json.dumps(asked(CIDS, ids, lineage=dict(lineage(CIDS)))).encode()
    data = gzip.compress(body) if encoding == "gzip" else body
    answer = site.ask("POST", "/api/trace/events", data, Content_Type="application/json", Content_Encoding=encoding)
    assert answer.status == 200, answer.body[:200]
    assert answer.json["aggregation"]["attribution"] == expected
    assert answer.json["aggregation"]["rejects"] == answer.json["results"]["rejects"]["count"]


def test_it_is_computed_at_the_end_of_a_stream(site, ids, expected):
    answer = site.ask(
        "POST", "/api/trace/events", asked(CIDS, ids, lineage=dict(lineage(CIDS))), Accept="application/x-ndjson"
    )
    (found,) = [line["data"] for line in answer.lines if line["type"] == "aggregation"]
    assert found["attribution"] == expected
    assert answer.lines[-1]["type"] == "complete"


def test_it_is_computed_at_the_end_of_a_job(jobs_site, ids, expected):
    answer = jobs_site.ask("POST", "/api/trace/events", asked(CIDS, ids, lineage=dict(lineage(CIDS))))
    assert answer.status == 202, answer.body[:200]
    job_id = answer.json["job_id"]
    assert jobs_site.finished(job_id)["status"] == "finished"
    assert jobs_site.get(f"/job/{job_id}/result?limit=1").json["aggregation"]["attribution"] == expected


def test_without_a_lineage_the_answer_is_as_it_was(site, ids):
    answer = site.ask("POST", "/api/trace/events", asked(CIDS, ids[:50]))
    assert "attribution" not in answer.json["aggregation"]


# -- the bar


@contextmanager
def peaks(web: Site, worker_pid: int) -> Iterator[dict[str, int]]:
    """Sample the resident memory of the web workers and of the work-horse."""
    found, stopped = {"web": 0, "horse": 0}, threading.Event()
    children = Path(f"/proc/{worker_pid}/task/{worker_pid}/children")

    def sample() -> None:
        while not stopped.wait(0.02):
            found["web"] = max([found["web"], *(rss(pid) or 0 for pid in web.workers())])
            found["horse"] = max([found["horse"], *(rss(int(pid)) or 0 for pid in children.read_text().split())])

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        stopped.set()
        thread.join()


@pytest.fixture(scope="module")
def long_sites(long_setting, tmp_path_factory):
    try:
        with PrivateValkey() as server:
            folder = tmp_path_factory.mktemp("attribution")
            setting = Setting(long_setting.database, folder, server.url, EVERYTHING_A_JOB | {"GUNICORN_WORKERS": "1"})
            with gunicorn(setting) as site, worker(setting) as pid:
                yield site, pid
    except RigUnavailable as error:
        pytest.skip(str(error))


def run(site: Site, pid: int, body: bytes) -> tuple[dict[str, int], float, str]:
    with peaks(site, pid) as found:
        answer = site.ask("POST", "/api/trace/events", body, Content_Type="application/json")
        assert answer.status == 202, answer.body[:200]
        job = site.finished(answer.json["job_id"], 600)
    assert (job["status"], job["error"]) == ("finished", None)
    return found, job["elapsed_seconds"], answer.json["job_id"]


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_114_000_ids_with_a_lineage_of_70_000_seeds_keep_to_the_bar(long_sites, capsys):
    site, pid = long_sites
    ids = list(container_ids(LONG_CIDS))
    assert seed_count(LONG_CIDS) == 70_000
    few = json.dumps(asked(LONG_CIDS, ids[:5], lineage={ids[0]: ids[1:3]})).encode()
    imports, _, _ = run(site, pid, few)
    _, reading, _ = run(site, pid, json.dumps(asked(LONG_CIDS, ids)).encode())
    body = json.dumps(asked(LONG_CIDS, ids, lineage=dict(lineage(LONG_CIDS)))).encode()
    found, seconds, job_id = run(site, pid, body)
    above = {name: found[name] - imports[name] for name in found}
    with capsys.disabled():
        print(f"\nbody {len(body) / MiB:.1f} MiB; horse +{above['horse'] / MiB:.1f} MiB, web +{above['web'] / MiB:.1f} "
              f"MiB; {seconds:.1f} s for {reading:.1f} s of reading")  # fmt: skip
    assert site.get(f"/job/{job_id}/result?limit=1").json["aggregation"]["attribution"] == attribution(LONG_CIDS)
    assert above["horse"] <= 96 * MiB
    assert above["web"] <= 32 * MiB
    assert seconds <= 2 * reading
