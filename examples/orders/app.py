"""Orders of some days: rows as they come, as a job, and as CSV.

sqlite3 orders.db < examples/orders/orders.sql
DATABASE_URL=sqlite:///orders.db gunicorn -c deploy/gunicorn.conf.py examples.orders.app:app
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

from flask import Flask, Response, request, send_file

from mesbatch import Query, Trace, read_sql_iter
from mesbatch.adapters.flask import problem, result_blueprint, stream_csv
from mesbatch.errors import InvalidRequest, MesbatchError
from mesbatch.jobs import Work
from mesbatch.service_settings import ServiceSettings
from mesbatch.trace.read import TraceReader

DATABASE = os.environ["DATABASE_URL"]
ORDERS = Query("select day, id, customer, amount from orders where day between :since and :until", keyset=("day", "id"))


def days(since: str, until: str) -> dict[str, str]:
    try:
        return {"since": date.fromisoformat(since).isoformat(), "until": date.fromisoformat(until).isoformat()}
    except ValueError as error:
        raise InvalidRequest(f"since and until are days such as 2026-02-25: {error}") from error


def results(work: Work, since: str, until: str) -> TraceReader:
    """Read the orders of some days, for the route and for the worker."""
    trace = Trace({"orders": replace(ORDERS, params=days(since, until))})
    return trace.read(DATABASE, None, work.domains, after=work.after, max_bytes=work.max_bytes)


settings, app = ServiceSettings.from_env(), Flask(__name__)
jobs, limiter = settings.jobs({"results": results}, app="examples.orders.app:jobs"), settings.limiter()
app.register_blueprint(result_blueprint({"orders": ORDERS}, jobs, limiter, lambda: request.headers.get("X-User", "me")))
app.register_error_handler(MesbatchError, problem)


@app.get("/orders.csv")
def csv() -> Response:
    params = days(request.args.get("since", ""), request.args.get("until", ""))
    with limiter.permit(8 * 2**20) as permit:
        return stream_csv(read_sql_iter(ORDERS.sql, DATABASE, params), name="orders.csv", permit=permit)


@app.get("/")
def page() -> Response:
    return send_file(Path(__file__).with_name("page.html"))
