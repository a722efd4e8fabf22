"""Answers that are written while the rows are read: their begin, failures, silences and clients that leave."""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from contextlib import closing

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from flask import Flask

from mesbatch import Query, Trace, read_sql_iter
from mesbatch.adapters.flask import Dialect, Limits, stream_json, stream_ndjson
from mesbatch.adapters.flask.guarded import SYNC_WORKER, warn_of_sync_worker
from mesbatch.adapters.http import live
from mesbatch.admission import ProcessLimiter
from mesbatch.units import MiB
from tests.adapters.flask.application import ROWS, Application, pieces_of
from tests.rig.until import until


@pytest.fixture
def application(tmp_path):
    return Application(tmp_path)


def all_given_back(application: Application) -> bool:
    flight = application.limiter.in_flight
    return (flight.permits, flight.waiting) == (0, 0) and application.opened == application.closed


def lines_of(response) -> list[dict]:
    return [json.loads(line) for line in response.get_data().splitlines()]


# -- permit and connection


@pytest.mark.parametrize("answer", ["post", "stream"])
def test_the_permit_is_held_until_the_last_byte_and_not_only_until_the_view_returns(application, answer):
    response = getattr(application, answer)(["gated"])
    pieces = pieces_of(response)
    next(pieces)
    assert application.limiter.in_flight.permits == 1
    application.gate.set()
    assert b"".join(pieces)
    until(lambda: all_given_back(application))
    response.close()


@pytest.mark.parametrize("answer", ["post", "stream"])
@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_client_that_leaves_gives_permit_and_connection_back(application, answer, taken):
    response = getattr(application, answer)(["gated", "holds"])
    pieces = pieces_of(response)
    for _ in range(taken):
        next(pieces)
    application.gate.set()  # what blocks in Python cannot be interrupted by SQLite
    response.close()
    assert all_given_back(application)


def test_as_many_answers_as_permits_and_the_next_is_told_to_come_back(application):
    held = [application.stream(["gated"]) for _ in range(2)]
    refused = application.stream(["holds"])
    assert (refused.status_code, refused.json["code"]) == (503, "BUSY")
    assert int(refused.headers["Retry-After"]) >= 5
    application.gate.set()
    for response in held:
        response.get_data()
        response.close()
    assert application.stream(["holds"]).get_data()
    until(lambda: all_given_back(application))


def test_a_request_that_is_refused_takes_no_permit(application):
    assert application.post(["holds"], ids=["c01", ""]).status_code == 400
    assert all_given_back(application)


# -- failures


def test_an_early_failure_is_a_status(application):
    app, limiter = Flask("app"), ProcessLimiter(1, 64 * MiB)
    trace = Trace({"broken": Query("select secret_column from nowhere where cid in (:keys)")})

    @app.get("/<kind>")
    def view(kind: str):
        reader = trace.read(application.connect, ["a"])
        return {"json": stream_json, "ndjson": stream_ndjson}[kind](reader, permit=limiter.permit(10))

    for kind in ("json", "ndjson"):
        response = app.test_client().get(f"/{kind}")
        assert (response.status_code, response.mimetype) == (500, "application/problem+json")
        assert b"secret" not in response.data
        assert limiter.in_flight.permits == 0
        assert application.opened == application.closed


def test_a_late_failure_is_the_last_line_and_leaves_json_open(application, monkeypatch, caplog):
    monkeypatch.setattr(application, "events", failing_after(application, 5))
    application.jobs.functions["events"] = application.events
    with closing(application.stream(["moves"])) as response:
        *_, last = lines_of(response)
    assert (last["type"], last["problem"]["code"]) == ("error", "RUNTIME_ERROR")
    assert "secret" not in json.dumps(last)
    response = application.post(["moves"])
    with pytest.raises(RuntimeError):
        response.get_data()
    response.close()
    assert all_given_back(application)


def failing_after(application: Application, batches: int):
    """Make a function whose aggregation fails after *batches* batches, which is no failure of a domain."""

    class Fails:
        def __init__(self) -> None:
            self.left = batches

        def add(self, domain, batch) -> None:
            self.left -= 1
            if not self.left:
                raise RuntimeError("select secret from everything")

        def result(self):
            return {}

    events = Application.events

    def failing(work, profile: str):
        work.aggregate(Fails)
        return events(application, work, profile)

    return failing


@pytest.mark.parametrize("names", ["moves broken holds", "broken holds", "holds broken", "broken"])
def test_a_domain_that_fails_is_listed_and_the_others_come(application, names):
    domains = names.split()
    whole = [domain for domain in domains if domain != "broken"]
    answer = application.post(domains).get_json()
    assert answer["failed_domains"] == ["broken"]
    assert (answer["code"], list(answer["results"])) == ("EVENTS_PARTIAL_FAILURE", whole)
    lines = lines_of(application.stream(domains))
    (warning,) = [line for line in lines if line["type"] == "warning"]
    assert (warning["code"], warning["failed_domains"]) == ("EVENTS_PARTIAL_FAILURE", ["broken"])
    assert lines[-1]["type"] == "complete"
    assert list(lines[-1]["domains"]) == whole


# -- time


@pytest.mark.parametrize("answer", ["post", "stream"])
def test_the_first_bytes_come_before_the_last_rows_are_read(application, answer):
    response = getattr(application, answer)(["gated"])
    begun = [piece for piece, _ in zip(pieces_of(response), range(3))]
    assert not application.gate.is_set(), "the whole answer was read before any of it was sent"
    assert b"c00" in begun[-1]
    application.gate.set()
    response.close()


@pytest.mark.parametrize("first", ["c00", "c29"])
def test_a_silent_database_is_no_silent_stream(application, monkeypatch, first):
    monkeypatch.setattr(live, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(live, "FIRST_BATCH_SECONDS", 0.1)
    response = application.stream(["gated"])
    pieces = pieces_of(response)
    progress = next(line for line in map(json.loads, pieces) if line["type"] == "progress")
    assert progress["keys_total"] == 30
    assert {"elapsed_seconds", "rows", "keys"} <= set(progress)
    application.gate.set()
    rest = list(map(json.loads, pieces))
    assert rest[-1]["type"] == "complete"
    assert rest[-1]["total_records"] == ROWS
    response.close()


def test_a_silent_database_is_no_silent_json(application, monkeypatch):
    monkeypatch.setattr(live, "SILENCE_SECONDS", 0.05)
    response = application.post(["gated"])
    pieces, begun = pieces_of(response), []
    while b" " not in begun:
        begun.append(next(pieces))
    application.gate.set()
    answer = json.loads(b"".join(begun) + b"".join(pieces))
    assert answer["results"]["gated"]["count"] == ROWS
    response.close()


def test_meta_comes_at_once_when_the_first_batch_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "FIRST_BATCH_SECONDS", 0.05)
    monkeypatch.setattr(live, "SILENCE_SECONDS", 0.05)
    application = Application(tmp_path)
    with sqlite3.connect(application.path) as con:
        con.execute("update moves set n = n + 1000")  # no row passes the gate
    con.close()
    response = application.stream(["gated"])
    pieces = pieces_of(response)
    assert [json.loads(next(pieces))["type"] for _ in range(2)] == ["meta", "progress"]
    application.gate.set()
    assert json.loads(list(pieces)[-1])["type"] == "complete"
    response.close()


def test_a_client_that_takes_nothing_keeps_neither_permit_nor_connection(tmp_path):
    application = Application(tmp_path, timeout=0.3)
    response = application.stream(["moves"])
    pieces = pieces_of(response)
    next(pieces)
    until(lambda: all_given_back(application))
    rest = list(map(json.loads, pieces))
    assert (rest[-1]["type"], rest[-1]["problem"]["code"]) == ("error", "CLIENT_TOO_SLOW")
    response.close()


# -- alone in a route


def test_a_reader_is_streamed_as_one_domain(tmp_path):
    application, app = Application(tmp_path), Flask("app")

    @app.get("/")
    def view():
        reader = read_sql_iter("select * from holds", application.connect)
        return stream_ndjson(reader, domain="holds", profile="mine", shape="arrays")

    lines = lines_of(app.test_client().get("/"))
    assert [line["type"] for line in lines] == ["meta", "domain_start", "records", "domain_end", "complete"]
    assert (lines[0]["profile"], lines[2]["rows"]) == ("mine", [["c01", "dust"], ["c02", None]])


@pytest.mark.parametrize("stream", [stream_json, stream_ndjson])
def test_a_read_on_the_callers_own_connection_stays_in_its_thread(tmp_path, stream):
    application, app = Application(tmp_path), Flask("app")
    con = sqlite3.connect(application.path)  # refuses every other thread

    @app.get("/")
    def view():
        return stream(read_sql_iter("select * from holds", con))

    body = app.test_client().get("/").data
    assert b'"dust"' in body
    con.execute("select 1").close()
    con.close()


def test_a_permit_of_a_with_statement_outlives_it(application):
    app = Flask("app")

    @app.get("/")
    def view():
        with application.limiter.permit(10) as permit:
            return stream_json(read_sql_iter("select * from moves", application.connect), permit=permit)

    response = app.test_client().get("/", buffered=False)
    assert application.limiter.in_flight.permits == 1
    assert json.loads(response.get_data())["results"]["rows"]["count"] == ROWS
    response.close()
    assert all_given_back(application)


def test_an_application_has_errors_and_dates_of_its_own(tmp_path):
    dialect = Dialect(envelope=lambda found: {"ok": False, "why": found["code"]}, datetime_separator=" ")
    application = Application(tmp_path, dialect=dialect)
    refused = application.post(["nothing"])
    assert (refused.status_code, refused.mimetype, refused.json) == (
        400, "application/json", {"ok": False, "why": "INVALID_PARAMS"},
    )  # fmt: skip


def test_every_line_leaves_at_once_in_gzip(application):
    response = application.post(["moves"], headers={"Accept": "application/x-ndjson", "Accept-Encoding": "gzip"})
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    *pieces, last = [unzip.decompress(piece) for piece in pieces_of(response)]
    assert all(piece.endswith(b"\n") and piece.count(b"\n") == 1 for piece in pieces)
    assert last == b""
    assert unzip.eof
    response.close()


def test_a_sync_worker_is_warned_of_at_the_start(monkeypatch, caplog):
    warn_of_sync_worker()
    assert not caplog.records
    monkeypatch.setitem(__import__("sys").modules, SYNC_WORKER, object())
    with caplog.at_level(logging.WARNING):
        warn_of_sync_worker()
    assert "gthread" in caplog.text


def test_the_limits_that_a_request_has_are_stated():
    assert Limits().max_bytes == 8 * MiB
