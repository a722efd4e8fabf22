"""The dashboard before and after, side by side: the same rows for the same request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
pytest.importorskip("pandas", reason="the incident's pipeline needs pandas")

from mesbatch.demo.lineage import lineage
from mesbatch.demo.rows import container_ids
from mesbatch.demo.warehouse import build_warehouse, sqlite_url
from tests.rig.site import Setting, Site, gunicorn

CIDS = 300
DOMAINS = ["history", "materials", "rejects"]


@pytest.fixture(scope="module")
def sites(tmp_path_factory) -> Iterator[tuple[Site, Site]]:
    folder = tmp_path_factory.mktemp("dashboard")
    url = sqlite_url(folder / "warehouse.sqlite")
    build_warehouse(url, CIDS)
    setting = Setting(url, folder)
    with gunicorn(setting, "examples.dashboard.before:app") as before, gunicorn(setting) as after:
        yield before, after


def test_both_give_the_same_rows(sites):
    found = [rows_of(site.events(list(container_ids(CIDS)), DOMAINS).json) for site in sites]
    assert found[0] == found[1]
    assert all(rows.total() for rows in found[0].values())


def test_both_charge_the_same_rejects_to_the_same_ancestors(sites):
    body = {
        "profile": "mid_section_defect", "container_ids": list(container_ids(CIDS)), "lineage": dict(lineage(CIDS)),
        "domains": ["upstream_history", "materials", "rejects"],
    }  # fmt: skip
    before, after = (site.ask("POST", "/api/trace/events", body).json["aggregation"]["attribution"] for site in sites)
    assert before == after
    assert after["seeds"] > 100


def test_only_one_of_them_refuses_what_it_cannot_do(sites):
    before, after = (site.events([], ["nothing"]) for site in sites)
    assert before.status == 500
    assert (after.status, after.json["code"]) == (400, "INVALID_PARAMS")


def test_the_other_routes_are_as_they_were(sites):
    assert len({site.ask("GET", "/api/lots").body for site in sites}) == 1


def rows_of(answer) -> dict[str, Counter[str]]:
    """Read rows as text, with NULL again for pandas' NaN, and numbers of one form."""
    return {
        domain: Counter(repr([_plain(value) for value in row.values()]) for row in result["data"])
        for domain, result in answer["results"].items()
    }


def _plain(value):
    if value is None or value != value:
        return None
    return float(value) if isinstance(value, int) else value
