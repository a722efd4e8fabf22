"""One small service on PostgreSQL, built with either adapter: long, silent and broken reads, and a stored result."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from mesbatch import Query, Trace, read_sql_iter
from mesbatch.admission import AdmissionPolicy, MachineLimiter
from mesbatch.jobs import LocalJobs, Work
from mesbatch.store import DirectoryStore
from mesbatch.units import MiB

QUERIES = {
    "rows": Query("select lot, n, pad from moves where lot in (:keys)"),
    "silent": Query("select lot, pg_sleep(60)::text as s from lots where lot in (:keys)"),
    "odd": Query("select * from odd where lot in (:keys)"),
    "by_day": Query("select day, lot, qty from odd where day in (:keys)"),
    "late": Query("select lot, n, 1 / (299999 - n) as x, pad from moves where lot in (:keys)"),
}
SETUP = """
create table lots (lot text primary key);
insert into lots select 'lot' || to_char(i, 'FM0000') from generate_series(0, 999) i;
create table moves as
  select 'lot' || to_char(n / 300, 'FM0000') as lot, n, repeat('x', 200) as pad from generate_series(0, 299999) n;
create index on moves (lot);
analyze moves;
create table odd (lot text, note text, qty numeric(12, 3), amount numeric, at timestamptz, day date, doc jsonb,
                  raw bytea, good boolean, x float8, tags text[]);
insert into odd values
  ('lot0001', '=1+1', -5.250, 12345678901234567890.123456789, '2026-02-25 08:00:00+00', '2026-02-25', '{"a": 1.10}',
   '\\x00ff', true, 1e-7, '{a,b}'),
  ('lot0002', 'say "hi", all', null, null, null, null, '"text"', '', false, 'NaN', null),
  ('lot0003', E'two\\nlines', 0, -1, '1970-01-01 00:00:00.000001+00', '0001-01-01', null, null, null, -2.5, '{}'),
  ('lot0004', '', 1.5, 1, null, null, '[1, 2.50]', null, null, 1e300, '{"a,b"}'),
  ('lot0005', null, null, null, null, null, null, null, null, null, null);
"""


class Waiting(LocalJobs):
    """Jobs that are not run."""

    def start(self) -> None:
        """Start nothing."""


class Service:
    """The parts of the service that both adapters use; *directory* has its permits and its results."""

    def __init__(self, database: str, directory: Path) -> None:
        self.database = database
        self.limiter = MachineLimiter(directory / "permits", 8, 512 * MiB)
        self.trace = Trace(QUERIES)
        self.jobs = Waiting(
            {"events": self.events, "results": self.results}, DirectoryStore(directory / "jobs"), app="nowhere:jobs"
        )

    def events(self, work: Work, profile: str) -> Any:
        return self.trace.read(
            self.database, work.keys, work.domains, max_bytes=work.max_bytes, on_failure=work.on_failure
        )

    def results(self, work: Work) -> Any:
        return self.events(work, "")

    def reader(self, domain: str) -> Any:
        sql = QUERIES[domain].sql
        return read_sql_iter(sql, self.database, keys=[f"lot{n:04d}" for n in range(1_000)], max_bytes=2 * MiB)

    @property
    def policy(self) -> AdmissionPolicy:
        return AdmissionPolicy()


def make_service() -> Service:
    return Service(os.environ["DATABASE_URL"], Path(os.environ["TMPDIR"]))


def limits() -> dict[str, Any]:
    return {"timeout": float(os.environ.get("ANSWER_SECONDS", "120"))}


def make_flask() -> Any:
    from flask import Flask

    from mesbatch.adapters.flask import Dialect, Limits, result_blueprint, stream_arrow, stream_csv, trace_blueprint
    from mesbatch.sink.csv import CsvStyle

    service, app = make_service(), Flask("served")
    app.register_blueprint(
        trace_blueprint(
            service.trace, service.policy, service.limiter, service.jobs, lambda: "ann", enqueue=False,
            limits=Limits(**limits()),
        )
    )  # fmt: skip
    app.register_blueprint(
        result_blueprint(
            QUERIES, service.jobs, service.limiter, lambda: "ann", key_type=date, url_prefix="/api/plain",
            limits=Limits(**limits()),
        )
    )  # fmt: skip
    styled = Dialect(csv=CsvStyle(bom=True, neutral=True, end=True))
    app.add_url_rule("/api/lots", "lots", lambda: "{}")
    app.add_url_rule("/csv/<domain>", "csv", lambda domain: stream_csv(service.reader(domain), name="løts.csv"))
    app.add_url_rule("/styled/<domain>", "styled", lambda domain: stream_csv(service.reader(domain), dialect=styled))
    app.add_url_rule("/arrow/<domain>", "arrow", lambda domain: stream_arrow(service.reader(domain)))
    return app


def make_asgi() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    from mesbatch.adapters.asgi import Dialect, Limits, result_app, stream_arrow, stream_csv, trace_app
    from mesbatch.sink.csv import CsvStyle

    service = make_service()
    styled = Dialect(csv=CsvStyle(bom=True, neutral=True, end=True))

    async def lots(request: Any) -> Any:
        return PlainTextResponse("{}")

    async def csv(request: Any) -> Any:
        return stream_csv(service.reader(request.path_params["domain"]), name="løts.csv")

    async def in_style(request: Any) -> Any:
        return stream_csv(service.reader(request.path_params["domain"]), dialect=styled)

    async def arrow(request: Any) -> Any:
        return stream_arrow(service.reader(request.path_params["domain"]))

    traces = trace_app(
        service.trace, service.policy, service.limiter, service.jobs, lambda scope: "ann", enqueue=False,
        limits=Limits(**limits()),
    )  # fmt: skip
    results = result_app(
        QUERIES, service.jobs, service.limiter, lambda scope: "ann", key_type=date, limits=Limits(**limits())
    )  # fmt: skip
    return Starlette(
        routes=[
            Mount("/api/trace", app=traces), Mount("/api/plain", app=results),
            Route("/api/lots", lots), Route("/csv/{domain}", csv),
            Route("/styled/{domain}", in_style), Route("/arrow/{domain}", arrow),
        ]
    )  # fmt: skip
