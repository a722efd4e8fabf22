"""`useTraceProgress` in a component of the real Vue, in a real browser, before the real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesbatch.demo.queries import DOMAINS
from tests.frontend.conftest import CIDS
from tests.frontend.rig import npm_file, status_of_job, wait_for, workers
from tests.frontend.test_dashboard import memory, truth
from tests.rig.until import until

ENDED = "['complete', 'failed', 'cancelled'].includes(trace.state.value) && trace.state.value"


@pytest.fixture
def component(page, address):
    vue = npm_file("vue/dist/vue.esm-browser.prod.js")
    page.route("**/vue.js", lambda route: route.continue_() if "mesbatch" in route.request.url else serve(route, vue))
    page.route("**/component", lambda route: serve(route, Path(__file__).parent / "vue_page.html"))
    page.goto(f"{address}component")
    wait_for(page, "typeof window.came === 'function'")
    return page


def serve(route, path):
    kind = "text/html" if path.suffix == ".html" else "text/javascript"
    route.fulfill(body=path.read_text(), content_type=kind)


def test_rows_come_at_once_and_progressively(component, place):
    component.evaluate("begin(20_000, ['rejects'])")
    assert wait_for(component, "window.firstRow") < 1_000
    assert component.evaluate("stateThen") == "running"
    assert wait_for(component, ENDED) == "complete"
    assert component.evaluate("came()") == truth(place, CIDS, 20_000, ["rejects"])
    assert component.evaluate("trace.progress.value.rows") == component.evaluate("came()")
    assert component.evaluate("kept()") == [1_000]
    assert component.evaluate("renders") < 200  # at most one for a line, whatever the number of rows
    assert component.evaluate("trace.domains.value.rejects.columns[0].name") == "CONTAINERID"
    assert component.evaluate("trace.error.value") is None


def test_a_job_is_followed_through_a_cut(component, place):
    component.evaluate(f"begin({CIDS}, ['rejects'])")
    assert wait_for(component, "window.firstRow") < 3_000
    assert component.evaluate("stateThen") == "running"
    component.evaluate("fetch('/demo/cut', { method: 'POST' })")
    assert wait_for(component, ENDED) == "complete"
    assert component.evaluate("came()") == truth(place, CIDS, CIDS, ["rejects"])
    assert component.evaluate("trace.aggregation.value.rejects") == component.evaluate("came()")


def test_cancelling_frees_the_server_and_another_trace_may_follow(component, address, place, asked):
    component.evaluate(f"begin({CIDS}, {list(DOMAINS)})")  # all of them: it would go on for seconds
    wait_for(component, "came() > 0")
    assert workers()
    component.evaluate("trace.cancel()")
    assert component.evaluate("trace.state.value") == "cancelled"
    until(lambda: not workers(), 2.0)
    assert status_of_job(component, asked) == "cancelled"
    component.evaluate("begin(1_000, ['rejects'])")
    assert wait_for(component, ENDED) == "complete"
    assert component.evaluate("came()") == truth(place, CIDS, 1_000, ["rejects"])


def test_a_new_trace_ends_the_one_before(component, address, place):
    component.evaluate(f"begin(20_000, {list(DOMAINS)})")
    wait_for(component, "came() > 0")
    component.evaluate("begin(1_000, ['rejects'])")
    assert wait_for(component, ENDED) == "complete"
    assert component.evaluate("came()") == truth(place, CIDS, 1_000, ["rejects"])
    until(lambda: memory(component, address)["reads"] == 0, 2.0)


@pytest.mark.parametrize("streams_pass", [True, False])
def test_nothing_is_asked_after_the_component_has_gone(component, asked, streams_pass):
    if not streams_pass:  # then it polls
        component.route("**/stream?*", lambda route: route.fulfill(status=404, body="{}"))
    component.evaluate(f"begin({CIDS}, {list(DOMAINS)})")
    wait_for(component, "came() > 0" if streams_pass else "trace.progress.value.status === 'started'")
    component.evaluate("unmount()")
    assert component.inner_text("#app") == "gone"
    before = len(asked)
    until(lambda: not workers(), 3.0)
    assert status_of_job(component, asked) == "cancelled"
    component.wait_for_timeout(500)  # ten first pauses between polls
    assert [method for method, _ in asked[before:]] in ([], ["DELETE"])
    assert component.evaluate("trace.state.value") == "cancelled"


def test_nothing_is_begun_after_the_component_has_gone(component, asked):
    component.evaluate("unmount()")
    assert component.inner_text("#app") == "gone"
    component.evaluate("trace.start({ profile: 'x', container_ids: ['a'], domains: ['rejects'] })")
    component.wait_for_timeout(200)
    assert asked == []
    assert component.evaluate("trace.state.value") == "idle"


def test_what_fails_is_in_error(component):
    component.route("**/events", lambda route: route.fulfill(status=413, body='{"error":"too many ids"}'))
    component.evaluate("begin(10, ['rejects'])")
    assert wait_for(component, ENDED) == "failed"
    assert component.evaluate("[trace.error.value.name, trace.error.value.status]") == ["Refused", 413]
