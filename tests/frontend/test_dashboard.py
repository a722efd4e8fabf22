"""The dashboard in a real browser, before its real server."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mesbatch.demo.lineage import lineage
from mesbatch.demo.queries import DOMAINS
from mesbatch.demo.rows import container_ids
from tests.frontend import rig
from tests.frontend.conftest import CIDS
from tests.frontend.rig import status_of_job, wait_for, workers
from tests.rig.until import until

pytestmark = pytest.mark.slow

SCREENSHOTS = rig.ROOT / "build/screenshots"
LONG_TASK = 100  # ms: longer ones are felt
HEAP_GROWTH = 8 * 2**20  # bytes: a line being read, and garbage that nobody collected
TABLES = {"history": "mesbatch_lot_history", "rejects": "mesbatch_lot_rejects"}

# A page measures these of itself, from before its first script on.
MEASURE = """
  window.longest = window.since = 0;
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) if (task.startTime > since) longest = Math.max(longest, task.duration);
  }).observe({ type: 'longtask' });
  addEventListener('click', ({ target }) => {
    if (target.id !== 'start') return;
    window.clicked = performance.now();
    const look = () => {
      if (!document.querySelector('#table td')) return requestAnimationFrame(look);
      window.firstRow = performance.now() - clicked;
      window.stateThen = document.querySelector('#state').dataset.state;
    };
    look();
  }, true);
"""
ROWS = "Number(document.querySelector('#rows').textContent.replaceAll(',', ''))"
STATE = "document.querySelector('#state').dataset.state"
ENDED = f"['complete', 'failed', 'cancelled'].includes({STATE}) && {STATE}"


def opened(page, address, *, keys, domains=("history", "rejects")):
    page.add_init_script(MEASURE)
    page.goto(address)
    page.wait_for_selector(".chip")
    page.fill("[name=keys]", str(keys))
    for box in page.query_selector_all("[name=domain]"):
        box.set_checked(box.get_attribute("value") in domains, force=True)
    wait_for(page, "document.querySelector('#decision .badge') && !document.querySelector('#start').disabled")
    return page


def started(page, address, *, keys, domains=("history", "rejects"), rows=1):
    opened(page, address, keys=keys, domains=domains).click("#start")
    wait_for(page, f"window.firstRow && {ROWS} >= {rows} || {ENDED}")
    return page


def ended(page, seconds=100.0):
    return wait_for(page, ENDED, seconds)


def truth(place: Path, cids: int, keys: int, domains=("history", "rejects")) -> int:
    """Count the rows of the first *keys* lots in the warehouse itself."""
    limit = f"(SELECT printf('%x', {0x48810380001CBA48} + 7 * {keys - 1}))"
    with closing(sqlite3.connect(place / f"warehouse-{cids}.sqlite")) as con:
        return sum(
            con.execute(f"SELECT count(*) FROM {TABLES[domain]} WHERE CONTAINERID <= {limit}").fetchone()[0]
            for domain in domains
        )


def memory(page, address):
    return page.request.get(f"{address}demo/memory").json()


# -- rows while the query runs


def came_early(page):
    """Tell if the first row came in the first third of the time until now."""
    return page.evaluate("firstRow < (performance.now() - clicked) / 3")


def test_a_trace_that_is_read_at_once_has_its_first_row_long_before_its_last(page, address, place):
    started(page, address, keys=20_000)
    assert page.evaluate("stateThen") == "running"
    assert page.inner_text("#decision .badge") == "read now"
    assert ended(page) == "complete"
    assert came_early(page)
    assert page.evaluate(ROWS) == truth(place, CIDS, 20_000)


def test_a_job_has_its_first_row_long_before_its_last_and_ends_with_every_row(page, address, place):
    started(page, address, keys=CIDS)
    assert page.evaluate("stateThen") == "running"
    assert page.inner_text("#decision .badge") == "read as a job"
    assert ended(page) == "complete"
    assert came_early(page)
    assert page.evaluate(ROWS) == truth(place, CIDS, CIDS)
    page.eval_on_selector("#table", "table => table.scrollTop = 1e9")  # rows that were not kept are fetched
    wait_for(
        page, "document.querySelector('#table tbody:nth-of-type(2) tr:last-child td')?.textContent.startsWith('4881')"
    )


def flat(page, address, place, cids):
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def heap():
        session.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return metrics["JSHeapUsedSize"]

    started(page, address, keys=1_000)  # the first Chinese letter on the screen loads a font of 20 MB
    assert ended(page) == "complete"
    page.fill("[name=keys]", str(cids))
    wait_for(page, "!document.querySelector('#start').disabled")
    page.click("#start")
    wait_for(page, f"document.querySelector('#cancel').disabled === false && {ROWS} >= 20_000")  # 5,000 are kept
    full = heap()
    page.evaluate("since = performance.now()")  # collecting all garbage at once was a long task of this test's
    assert ended(page, 300) == "complete"
    longest = page.evaluate("longest")
    assert page.evaluate(ROWS) == truth(place, cids, cids)
    assert heap() - full < HEAP_GROWTH
    return longest


def test_rows_pass_in_a_flat_heap(page, address, place):
    flat(page, address, place, CIDS)


@pytest.mark.long
def test_rows_pass_without_long_tasks(page, address, place):
    assert flat(page, address, place, CIDS) < LONG_TASK  # a clock: while another test runs, it would measure that test


# -- the end of it


def test_cancelling_a_job_frees_the_server_within_two_seconds(page, address, asked):
    started(page, address, keys=CIDS, domains=DOMAINS)  # all of them: it would go on for seconds
    assert workers()
    page.click("#cancel")
    until(lambda: not workers(), 2.0)
    assert status_of_job(page, asked) == "cancelled"
    assert ended(page) == "cancelled"


def test_cancelling_a_read_frees_the_server_within_two_seconds(page, address):
    started(page, address, keys=20_000, domains=DOMAINS)
    assert memory(page, address)["reads"] == 1
    page.click("#cancel")
    until(lambda: memory(page, address)["reads"] == 0, 2.0)
    assert ended(page) == "cancelled"


def test_leaving_the_page_stops_every_request_and_the_job(page, address, asked):
    started(page, address, keys=CIDS, domains=DOMAINS)
    page.goto("about:blank")
    before = len(asked)
    until(lambda: not workers(), 3.0)
    assert status_of_job(page, asked) == "cancelled"
    page.wait_for_timeout(1_200)  # two samples of memory would fit
    assert [method for method, _ in asked[before:]] in ([], ["DELETE"])


# -- faults


def test_a_stream_that_is_cut_goes_on_to_the_exact_number_of_rows(page, address, place):
    started(page, address, keys=CIDS, domains=["rejects"])
    for rows in (5_000, 20_000, 40_000):
        wait_for(page, f"{ROWS} >= {rows} || {ENDED}")
        page.evaluate("fetch('/demo/cut', { method: 'POST' })")
    assert ended(page) == "complete"
    assert page.evaluate(ROWS) == truth(place, CIDS, CIDS, ["rejects"])
    assert "resumed" in page.inner_text("#state")


def test_a_read_that_is_cut_is_an_error_and_never_a_shorter_table(page, address):
    started(page, address, keys=20_000)
    page.click("#cut")
    assert ended(page) == "failed"
    assert page.inner_text("#state").startswith("Truncated: cut after ")


def test_a_job_whose_worker_is_killed_goes_on_to_the_exact_number_of_rows(page, address, place):
    started(page, address, keys=CIDS, domains=["rejects"])
    page.click("#kill")
    assert ended(page) == "complete"
    assert page.evaluate(ROWS) == truth(place, CIDS, CIDS, ["rejects"])


def test_a_network_that_goes_away_and_comes_back_loses_no_row(page, context, address, place):
    started(page, address, keys=CIDS, domains=["rejects"])
    context.set_offline(True)
    page.request.post(f"{address}demo/cut")  # open connections stay open in an emulated network
    page.wait_for_timeout(1_500)
    context.set_offline(False)
    assert ended(page) == "complete"
    assert page.evaluate(ROWS) == truth(place, CIDS, CIDS, ["rejects"])


def test_a_tab_that_was_suspended_loses_no_row(page, context, address, place):
    started(page, address, keys=CIDS, domains=["rejects"])
    session = context.new_cdp_session(page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    page.request.post(f"{address}demo/cut")
    page.wait_for_timeout(1_500)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    assert ended(page) == "complete"
    assert page.evaluate(ROWS) == truth(place, CIDS, CIDS, ["rejects"])


# -- answers that a server, or a proxy before it, may send

META = '{"type":"meta","job_id":null,"profile":"p","domains":["history"],"version":1}\n'
HOSTILE = '<img src=x onerror="window.hacked = true"><script>window.hacked = true</script>'


def records(rows):
    return json.dumps({"type": "records", "domain": "history", "batch": 0, "count": len(rows), "data": rows}) + "\n"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, "<html><body>Sign in</body></html>\n", "Malformed: no line of a stream: <html><body>Sign in"),
        (200, META + '{"type":"error","message":"the database is away"}\n', "JobFailed: the database is away"),
        (200, META + records([{"ID": 1}]), "Truncated: cut after 1 rows"),
        (200, META + records([{"ID": 1}]) + '{"type":"complete","total_records":2}\n', "Incomplete: 1 of 2 rows came"),
        (500, "<html><body>\nInternal Server Error</body></html>", "Refused: 500"),
        (413, '{"error":"too many ids","code":"CID_LIMIT_EXCEEDED"}', "Refused: 413 too many ids"),
    ],
)
def test_an_answer_that_is_not_a_whole_stream_is_an_error(page, address, status, body, told):
    page.route("**/api/trace/events", lambda route: route.fulfill(status=status, body=body))
    opened(page, address, keys=100).click("#start")
    assert ended(page) == "failed"
    assert page.inner_text("#state").startswith(told)


def test_data_is_shown_as_text_only(page, address):
    rows = [{HOSTILE: HOSTILE, "LOSSREASONNAME": HOSTILE}]
    body = (
        META + records(rows) + records(rows).replace("history", "rejects") + '{"type":"complete","total_records":2}\n'
    )
    page.route("**/api/trace/events", lambda route: route.fulfill(status=200, body=body))
    opened(page, address, keys=100).click("#start")
    assert ended(page) == "complete"
    wait_for(page, "document.querySelector('#table td')")
    assert page.inner_text("#table td") == HOSTILE
    assert page.text_content("#table th") == HOSTILE
    assert page.text_content("#chart .bar-name") == HOSTILE
    assert page.evaluate("window.hacked") is None


# -- for everybody


def test_the_page_works_by_keyboard_and_names_everything(page, address):
    opened(page, address, keys=1_000)
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, select, progress, [role]')].filter((found) =>
             !(found.textContent.trim() || found.ariaLabel || found.labels?.length ||
               found.getAttribute('aria-labelledby') || found.getAttribute('aria-live')))
             .map((found) => found.outerHTML)"""
    )
    assert unnamed == []
    page.focus("[name=keys]")
    page.keyboard.press("Enter")
    assert ended(page) == "complete"
    page.focus("#tabs [aria-selected=true]")
    page.keyboard.press("ArrowRight")
    wait_for(page, "document.activeElement.dataset.domain === 'rejects'")
    wait_for(page, "document.querySelector('#table th:nth-child(3)')?.textContent === 'TXNDATE'")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_wide_and_narrow_windows(browser, address, place, width, scheme):
    height = 1000 if width > 1000 else 844
    with browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme) as context:
        page = started(context.new_page(), address, keys=2_000)
        assert ended(page) == "complete"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wait_for(page, "document.querySelector('#memory polyline')")
        page.screenshot(path=SCREENSHOTS / f"dashboard-{width}-{scheme}.png", full_page=True)
        assert rig.axe(page) == []


def test_the_decision_is_explained_before_anything_is_read(page, address):
    opened(page, address, keys=CIDS)
    wait_for(page, "document.querySelector('#decision').textContent.includes('rule large')")
    assert "a worker listens" in page.inner_text("#decision")
    page.uncheck("[name=worker]")
    wait_for(page, "document.querySelector('#decision').textContent.includes('no worker listens')")


# -- in full


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("0", "At least 1 container id is needed."),
        ("1.5", "The number of container ids is a whole number."),
        ("200000", "container ids: start the demo with --cids for more."),
        ("", "Write the number of container ids."),
    ],
)
def test_a_number_of_keys_that_cannot_be_says_why(page, address, number, why):
    page.goto(address)
    wait_for(page, "document.querySelector('#decision .badge')")
    page.fill("[name=keys]", number)
    wait_for(page, "!document.querySelector('#decision .badge')")
    assert page.inner_text("#decision").endswith(why)
    assert page.is_disabled("#start")


def test_loss_reasons_need_no_font_for_chinese(page, address):
    started(page, address, keys=20_000, domains=["rejects"])
    assert ended(page) == "complete"
    assert page.inner_text(".bar-name").isascii()


@pytest.fixture(scope="module")
def large_place(tmp_path_factory):
    return tmp_path_factory.mktemp("large")


@pytest.fixture(scope="module")
def large_address(browser, large_place):
    with rig.dashboard(large_place, 114_000) as found:
        yield found


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_million_rows_of_the_incident_pass_without_long_tasks_and_in_a_flat_heap(page, large_address, large_place):
    assert flat(page, large_address, large_place, 114_000) < LONG_TASK
    assert page.evaluate("firstRow") < 3_000


def test_the_incidents_own_profile_charges_rejects_to_the_equipment_of_ancestors(page, address):
    opened(page, address, keys=1_140, domains=("rejects", "upstream_history", "materials"))
    page.select_option("[name=profile]", "mid_section_defect")
    wait_for(page, "document.querySelector('#decision .badge') && !document.querySelector('#start').disabled")
    page.click("#start")
    assert wait_for(page, ENDED, 60) == "complete"
    wait_for(page, "!document.querySelector('#attribution').hidden")
    assert page.evaluate("document.querySelectorAll('#charged .bar').length") == 9, "eight, and all others"


def test_the_lineage_of_the_page_is_that_of_the_demo(page, address):
    page.goto(address)
    for cids in (2, 4, 137, 1_140):
        ids = list(container_ids(cids))
        found = page.evaluate("async (ids) => (await import('./page/run.js')).lineage(ids)", ids)
        assert found == dict(lineage(cids))
