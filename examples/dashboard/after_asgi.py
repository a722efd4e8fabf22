"""The example's dashboard as an ASGI application, mounted in Starlette: the same trace, function and jobs."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from examples.dashboard.after import events, settings, trace
from mesbatch.adapters.asgi import Dialect, Limits, trace_app

jobs = settings.jobs({"events": events}, app="examples.dashboard.after:jobs")


def principal(scope):
    return dict(scope["headers"]).get(b"x-user", b"nobody in particular").decode()


traces = trace_app(
    trace, settings.policy(), settings.limiter(), jobs, principal,
    enqueue=settings.worker_enabled, dialect=Dialect(batch_size=settings.batch_size),
    limits=Limits(timeout=settings.job_timeout),
)  # fmt: skip


async def lots(request):
    return JSONResponse({"lots": ["GA23100020-A00-011"], "pid": os.getpid()})


app = Starlette(routes=[Mount("/api/trace", app=traces), Route("/api/lots", lots)])
