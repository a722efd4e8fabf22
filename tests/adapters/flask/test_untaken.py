"""Responses that are made and never taken: permit, reader and thread come back within seconds."""

from __future__ import annotations

import gc
import logging
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from flask import Flask, Response, request
from werkzeug.test import EnvironBuilder

from mesbatch import read_sql_iter
from mesbatch.adapters.flask import stream_json, stream_ndjson
from mesbatch.adapters.http import untaken
from mesbatch.adapters.http.reads import HeldRead, OneDomain
from mesbatch.errors import ClientTooSlow, PermitReleased, ResponseIsStreamed
from tests.adapters.flask.application import ROWS, Application
from tests.rig.site import ROOT
from tests.rig.until import until

SOON = 0.1  # seconds, in place of the usual patience


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr(untaken, "TAKE_SECONDS", SOON)


@pytest.fixture
def application(tmp_path):
    application = Application(tmp_path)
    application.gate.set()

    application.flask.add_url_rule("/plain", view_func=plain_of(application))
    return application


def plain_of(application: Application):
    return lambda: stream_ndjson(reader_of(application), permit=application.limiter.permit(10))


def reader_of(application: Application):
    return read_sql_iter("select * from moves", application.connect, batch_size=100)


def all_given_back(application: Application) -> bool:
    return application.limiter.in_flight.permits == 0 and application.opened == application.closed


def no_thread_is_left() -> bool:
    return "mesbatch-response" not in {thread.name for thread in threading.enumerate()}


def fail(*_):
    raise RuntimeError("the session's backend is away")


def replace(response):
    return Response("maintenance", 503)


def collect(response):
    response.get_data()
    return response


def wrap(response):
    inner = response.response
    response.response = (piece for piece in inner)
    return response


@pytest.mark.parametrize("path", ["/plain", "/api/trace/events"])
@pytest.mark.parametrize("hook", [fail, replace, collect])
def test_a_response_that_a_hook_keeps_from_the_server_gives_everything_back(application, hook, path, caplog):
    kept = []  # as a traceback keeps the body alive, so that no finalizer runs
    application.flask.after_request(lambda response: kept.append(response) or hook(response))
    body = {"profile": "query_tool", "container_ids": ["c01", "c02"], "domains": ["gated"]}
    for _ in range(3):
        ask = {"method": "GET"} if path == "/plain" else {"method": "POST", "json": body}
        answer = application.client.open(path, headers={"Accept": "*/*"}, **ask)
        assert answer.status_code in (500, 503)
        answer.close()
        until(lambda: all_given_back(application), 3)
    assert kept
    until(no_thread_is_left)


@pytest.mark.parametrize("end", ["teardown_request", "teardown_appcontext"])
def test_a_function_for_the_end_of_a_request_that_raises_keeps_nothing(application, end, caplog):
    getattr(application.flask, end)(fail)
    with pytest.raises(RuntimeError, match="backend"):
        application.client.get("/plain")
    gc.collect()
    until(lambda: all_given_back(application), 3)
    until(no_thread_is_left)


def test_a_view_that_raises_after_its_stream_was_made_keeps_nothing(application, caplog):
    caught = []

    @application.flask.get("/late")
    def late():
        response = stream_json(reader_of(application), permit=application.limiter.permit(10))
        raise RuntimeError(f"too late for {response}")

    application.flask.register_error_handler(RuntimeError, lambda error: caught.append(error) or ("sorry", 500))
    assert application.client.get("/late").status_code == 500
    until(lambda: all_given_back(application), 3)
    assert caught[0].__traceback__  # whose frames hold the response
    until(no_thread_is_left)


def test_a_read_that_is_interrupted_because_nobody_takes_it_gives_back_too(application, caplog):
    """The first batch is there, and the second waits in the database."""
    application.gate.clear()

    @application.flask.get("/slow")
    def slow():
        reader = read_sql_iter("select n, gate(n) from moves", application.connect, batch_size=100)
        return stream_ndjson(reader, permit=application.limiter.permit(10))

    application.flask.after_request(replace)
    with caplog.at_level(logging.WARNING):
        application.client.get("/slow")
        application.gate.set()
        until(lambda: all_given_back(application), 3)
    until(no_thread_is_left)


def test_a_response_that_nobody_knows_any_more_gives_back_at_once(application, monkeypatch):
    monkeypatch.setattr(untaken, "TAKE_SECONDS", 60)
    without_jobs(application)
    application.flask.after_request(replace)
    assert application.client.get("/plain").status_code == 503
    gc.collect()
    until(lambda: all_given_back(application), 3)
    until(no_thread_is_left)


def without_jobs(application: Application) -> None:
    """Leave only the route of this module: pytest keeps logged errors, whose frames keep the response alive."""
    application.flask = Flask("plain")
    application.flask.add_url_rule("/plain", view_func=plain_of(application))


def test_a_body_that_is_dropped_in_its_middle_gives_back_at_once(application):
    without_jobs(application)
    application.flask.after_request(wrap)
    pieces = call(application, "/plain")
    next(iter(pieces))
    assert application.limiter.in_flight.permits == 1
    del pieces
    gc.collect()
    until(lambda: all_given_back(application), 3)


def call(application: Application, path: str):
    """Ask as a WSGI server does, and return the body with no piece taken."""
    environ = EnvironBuilder(path, headers={"Accept": "*/*"}).get_environ()
    return application.flask.wsgi_app(environ, lambda status, headers: None)


def test_a_wrapped_body_is_closed_by_the_server_all_the_same(application, monkeypatch):
    monkeypatch.setattr(untaken, "TAKE_SECONDS", 60)
    application.flask.after_request(wrap)
    body = call(application, "/plain")
    body.close()  # the wrapper was never started, so it closes nothing
    assert all_given_back(application)


def test_a_server_that_comes_too_late_gets_an_error_and_no_short_answer(application):
    body = call(application, "/plain")
    until(lambda: all_given_back(application), 3)
    with pytest.raises(ClientTooSlow, match="was not taken within"):
        next(iter(body))
    body.close()


def test_the_time_begins_with_the_end_of_the_request_and_not_with_the_stream(application):
    begun = threading.Event()

    @application.flask.after_request
    def slow_hook(response):
        begun.wait(4 * SOON)
        return response

    answer = application.client.get("/plain")
    assert answer.text.count("\n") > 3
    assert '"complete"' in answer.text.splitlines()[-1]


def test_a_client_that_pauses_after_the_first_piece_loses_nothing(application):
    body = call(application, "/plain")
    pieces = iter(body)
    first = next(pieces)
    threading.Event().wait(3 * SOON)
    text = (first + b"".join(pieces)).decode()
    assert f'"total_records":{ROWS}' in text.splitlines()[-1]
    body.close()


def test_a_read_on_the_callers_own_connection_gives_only_its_permit_back(application, caplog):
    con = sqlite3.connect(application.path)  # refuses every other thread

    @application.flask.get("/own")
    def own():
        reader = read_sql_iter("select * from moves", con, batch_size=100)
        return stream_json(reader, permit=application.limiter.permit(10))

    body = call(application, "/own")
    assert application.limiter.in_flight.permits == 1
    until(lambda: application.limiter.in_flight.permits == 0, 3)
    with pytest.raises(ClientTooSlow):
        next(iter(body))
    body.close()
    assert "could not be given up" not in caplog.text  # SQLite refuses a close in another thread
    con.execute("select 1").close()  # it is still the caller's
    con.close()


def test_the_rows_after_a_permit_was_given_back_raise(application):
    con = sqlite3.connect(application.path)
    held = HeldRead(OneDomain(read_sql_iter("select * from moves", con, batch_size=100), "moves"),
                    application.limiter.permit(10))  # fmt: skip
    rows = iter(held)
    next(rows)
    held.give_permit_back()
    held.give_permit_back()
    with pytest.raises(PermitReleased):
        next(rows)
    held.close()
    con.close()


@pytest.mark.parametrize("path", ["/plain", "/plain.json"])
def test_head_gives_everything_back(application, path):
    @application.flask.get("/plain.json")
    def plain_json():
        return stream_json(reader_of(application), permit=application.limiter.permit(10))

    answer = application.client.head(path)
    assert (answer.status_code, answer.data) == (200, b"")
    answer.close()
    assert all_given_back(application)


def test_an_answer_that_was_closed_is_not_given_up_later(application, caplog):
    application.client.head("/plain").close()
    given_up = threading.Event()
    untaken.watch.queue.put(untaken.Untaken(lambda: given_up.set() or True))  # its time is over after that of the other
    assert given_up.wait(30)
    assert caplog.text.count("nobody took an answer") == 1


def test_etag_and_freeze_leave_a_stream_alone(application):
    @application.flask.after_request
    def hook(response):
        response.add_etag()
        response.freeze()
        return response.make_conditional(request)

    answer = application.client.get("/plain")
    assert "ETag" not in answer.headers
    assert "Content-Length" not in answer.headers
    assert f'"total_records":{ROWS}' in answer.text.splitlines()[-1]
    until(lambda: all_given_back(application))


@pytest.mark.parametrize(
    "ask", [lambda r: r.get_data(), lambda r: r.data, lambda r: r.json, lambda r: r.make_sequence()]
)
def test_a_hook_that_asks_for_the_bytes_hears_why_it_cannot_have_them(application, ask):
    heard = []

    @application.flask.after_request
    def hook(response):
        with pytest.raises(ResponseIsStreamed, match="while it is sent") as caught:
            ask(response)
        heard.append(caught.value)
        return response

    @application.flask.get("/plain.json")
    def plain_json():
        return stream_json(reader_of(application), permit=application.limiter.permit(10))

    assert application.client.get("/plain.json").json["results"]["rows"]["count"] == ROWS
    assert isinstance(heard[0], RuntimeError)  # as werkzeug raised it for such a body


@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": "gzip"}])
def test_functions_for_the_end_of_a_response_run_once(application, headers):
    ended = []

    @application.flask.after_request
    def hook(response):
        response.call_on_close(lambda: ended.append(application.limiter.in_flight.permits))
        return response

    answer = application.client.get("/plain", headers=headers)
    assert answer.data
    answer.close()
    assert ended == [0]


def test_one_thread_watches_over_all_answers(application):
    for _ in range(2):
        call(application, "/plain").close()
    assert [thread.name for thread in threading.enumerate()].count("mesbatch-untaken") == 1


def test_a_forked_process_has_a_thread_of_its_own(application):
    call(application, "/plain").close()
    code = f"""
import multiprocessing, sys
from pathlib import Path
from tests.adapters.flask.test_untaken import answer_that_nobody_takes
folder = Path({application.path!r}).parent
multiprocessing.set_start_method("fork")
answer_that_nobody_takes(folder / "parent")
child = multiprocessing.Process(target=answer_that_nobody_takes, args=(folder / "child",))
child.start(); child.join(); sys.exit(child.exitcode)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0


def answer_that_nobody_takes(folder: Path) -> None:
    """Make an answer, and wait until its permit is back; a process that waits in vain fails."""
    folder.mkdir()
    untaken.TAKE_SECONDS = SOON
    application = Application(folder)
    application.flask.add_url_rule("/plain", view_func=plain_of(application))
    kept = call(application, "/plain")
    until(lambda: all_given_back(application), 10)
    kept.close()
