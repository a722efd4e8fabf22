"""The application: the routes of the trace, the page, and the facts that the page shows beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request, send_from_directory

from mesbatch.adapters.flask import trace_blueprint
from mesbatch.admission import AdmissionPolicy, Cost, Limiter, PressureGauge, ProcessLimiter
from mesbatch.browser import modules_directory
from mesbatch.demo.attribution import LINEAGE
from mesbatch.demo.comparison import COMPARED, incident_bytes
from mesbatch.demo.dashboard.streams import Streams
from mesbatch.demo.dashboard.worker import kill, worker_pid
from mesbatch.demo.queries import DOMAINS
from mesbatch.demo.rows import FIRST_ID, ID_STEP
from mesbatch.demo.runs import TRACE
from mesbatch.jobs import Jobs
from mesbatch.memory import read_memory, rss
from mesbatch.units import MiB

PAGE = Path(__file__).parent / "page"
PERMITS, BYTES = 4, 64 * MiB  # requests read at once, and what they hold together
HOSTS = ("127.0.0.1", "localhost")  # another name may be one that another site made point to this machine
WITH_WORKER, WITHOUT_WORKER = "/api/trace", "/api/trace-without-worker"
SAFE = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",  # data can never become code
    "X-Content-Type-Options": "nosniff",
}


def make_app(jobs: Jobs, cids: int) -> Flask:
    """Make the dashboard of a warehouse of *cids* lots, for one user on this machine: everybody sees all jobs."""
    app = Flask(__name__, static_folder=None)
    app.config["TRUSTED_HOSTS"] = list(HOSTS)
    policy, limiter = AdmissionPolicy(), ProcessLimiter(PERMITS, BYTES)
    app.register_blueprint(_trace(policy, limiter, jobs, WITH_WORKER, enqueue=True))
    app.register_blueprint(_trace(policy, limiter, jobs, WITHOUT_WORKER, enqueue=False), name="without_worker")
    app.register_blueprint(_page(cids))
    streams = Streams(app.wsgi_app)
    app.wsgi_app = streams  # type: ignore[method-assign]  # as Flask's documentation says
    app.register_blueprint(_facts(policy, limiter, jobs))
    app.register_blueprint(_faults(jobs, streams))
    app.after_request(_safe)
    return app


def _trace(policy: AdmissionPolicy, limiter: Limiter, jobs: Jobs, prefix: str, *, enqueue: bool) -> Blueprint:
    return trace_blueprint(
        TRACE, policy, limiter, jobs, lambda: "visitor", inputs=(LINEAGE,), url_prefix=prefix, enqueue=enqueue
    )


def _safe(response: Response) -> Response:
    response.headers.update(SAFE)
    return response


def _page(cids: int) -> Blueprint:
    blueprint = Blueprint("page", __name__)
    modules = modules_directory()

    @blueprint.get("/")
    def index() -> Response:
        return send_from_directory(PAGE, "index.html")

    @blueprint.get("/page/<path:name>")
    def page(name: str) -> Response:
        return send_from_directory(PAGE, name)

    @blueprint.get("/mesbatch/<path:name>")
    def module(name: str) -> Response:
        return send_from_directory(modules, name)

    @blueprint.get("/demo/warehouse")
    def warehouse() -> Response:
        """Tell the page the choices for a request; the ids are those of `container_ids`, whose last digits count up."""
        first = {"prefix": f"{FIRST_ID >> 32:08x}", "first": FIRST_ID & 0xFFFFFFFF, "step": ID_STEP}
        return jsonify(cids=cids, ids=first, domains=DOMAINS)

    return blueprint


def _facts(policy: AdmissionPolicy, limiter: Limiter, jobs: Jobs) -> Blueprint:
    blueprint, gauge = Blueprint("facts", __name__), PressureGauge()

    @blueprint.get("/demo/decision")
    def decision() -> Response:
        """Tell the page the decision that the policy would make now, and its rule."""
        cost = Cost(request.args["profile"], keys=int(request.args["keys"]), streamed=True)
        load = gauge.load(worker_listens="worker" in request.args, promised=limiter.in_flight.nbytes)
        found = policy.explain(cost, load)
        answer = type(found.decision).__name__.lower()
        needed = incident_bytes(cost.keys or 0, _compared(request.args.getlist("domain")))
        return jsonify(answer=answer, rule=found.rule.name, figures=found.figures, incident_bytes=needed)

    @blueprint.get("/demo/memory")
    def memory() -> Response:
        """Tell the page the memory of this process and of the job's now, and the number of requests in flight."""
        reading = read_memory()
        pid = worker_pid(jobs.store, request.args["job"]) if "job" in request.args else None
        worker = None if pid is None else rss(pid)
        reads = limiter.in_flight.permits
        return jsonify(server=reading.rss, worker=worker, limit=reading.limit, reads=reads)

    return blueprint


def _faults(jobs: Jobs, streams: Streams) -> Blueprint:
    blueprint = Blueprint("faults", __name__)

    @blueprint.before_request
    def only_this_page() -> tuple[dict[str, Any], int] | None:
        """Refuse requests of other pages in the same browser, which tells the origin of each request."""
        other = request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
        return ({"error": "not from this page"}, 403) if other else None

    @blueprint.post("/demo/cut")
    def cut() -> Response:
        return jsonify(cut=streams.cut())

    @blueprint.post("/demo/kill/<job_id>")
    def kill_worker(job_id: str) -> Response:
        pid = worker_pid(jobs.store, job_id)
        if pid is not None:
            kill(pid)
        return jsonify(killed=pid is not None)

    return blueprint


def _compared(domains: Sequence[str]) -> list[str]:
    """Keep the domains that the incident's pipeline was measured with."""
    return [domain for domain in domains if domain in COMPARED]
