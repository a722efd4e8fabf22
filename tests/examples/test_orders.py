"""The dashboard of orders behind gunicorn: a stream, a job, CSV, and its page in a browser."""

from __future__ import annotations

import csv
import io
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")

from tests.frontend.rig import chromium
from tests.rig.site import ROOT, Setting, Site, gunicorn

HERE = ROOT / "examples/orders"
FEBRUARY = {"since": "2026-02-01", "until": "2026-02-28"}
BODY = {"queries": ["orders"], "params": FEBRUARY}
MOST_LINES = 60


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("orders") / "orders.db"
    with sqlite3.connect(path) as con:
        con.executescript((HERE / "orders.sql").read_text())
    con.close()
    return path


@pytest.fixture(scope="module")
def site(database) -> Iterator[Site]:
    with gunicorn(Setting(f"sqlite:///{database}", database.parent), "examples.orders.app:app") as site:
        yield site


@pytest.fixture(scope="module")
def expected(database) -> list[list[str]]:
    sql = "select * from orders where day between '2026-02-01' and '2026-02-28' order by day, id"
    with sqlite3.connect(database) as con:
        return [list(map(str, row)) for row in con.execute(sql)]


def test_it_is_short():
    lines = [line for path in HERE.glob("*.py") for line in path.read_text().splitlines()]
    assert len(lines) <= MOST_LINES


def test_the_stream_has_all_orders_in_order(site, expected):
    found = site.ask("POST", "/api/results", BODY, accept="application/x-ndjson").lines
    assert (found[0]["queries"], found[-1]["type"]) == (["orders"], "complete")
    rows = [
        [str(value) for value in row.values()] for line in found if line["type"] == "records" for row in line["data"]
    ]
    assert rows == expected


def test_a_job_has_the_same_orders_and_a_double_click_is_one_job(site, expected):
    first, second = (site.ask("POST", "/api/results", BODY, prefer="respond-async") for _ in range(2))
    assert (first.status, second.status) == (202, 202)
    job = first.json
    lines = site.ask("GET", job["stream_url"]).lines
    assert lines[-1]["total_records"] == len(expected)
    until = time.monotonic() + 30
    while (status := site.ask("GET", job["status_url"]).json)["status"] != "finished":
        assert time.monotonic() < until, status
        time.sleep(0.05)
    assert (status["queries"], status["key_count"]) == (["orders"], 0)
    table = site.ask("GET", f"{job['status_url']}/result?format=csv")
    assert 'filename="orders.csv"' in table.headers["Content-Disposition"]
    assert list(csv.reader(io.StringIO(table.body.decode())))[1:] == expected


def test_orders_are_downloaded_as_csv(site, expected):
    found = site.ask("GET", "/orders.csv?since=2026-02-01&until=2026-02-28")
    rows = list(csv.reader(io.StringIO(found.body.decode())))
    assert rows[0] == ["day", "id", "customer", "amount"]
    assert sorted(rows[1:]) == sorted(expected)


def test_what_is_no_day_is_refused(site):
    wrong = {"queries": ["orders"], "params": {"since": "x", "until": "2026-02-28"}}
    for found in (site.ask("POST", "/api/results", wrong), site.ask("GET", "/orders.csv?since=2026-02-01")):
        assert (found.status, found.json["code"]) == (400, "INVALID_PARAMS")


def test_the_page_shows_rows_as_they_come_and_of_a_job(site, expected):
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{site.port}/")
        for button in ("Show", "As a job"):
            page.click(f"button:text-is('{button}')")
            page.wait_for_function(f"document.querySelector('#state').textContent === '{len(expected)} orders'")
            assert [cell.inner_text() for cell in page.query_selector_all("tr:first-child td")] == expected[0]
            assert page.locator("tr").count() == 200
            with page.expect_download() as download:
                page.click("#csv")
            rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text())))
            assert sorted(rows[1:]) == sorted(expected)
