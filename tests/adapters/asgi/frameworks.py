"""The same service in each framework: the trace's routes mounted, and a route whose view returns a stream."""

from __future__ import annotations

from typing import Any

from mesbatch.adapters.asgi import stream_ndjson, trace_app
from mesbatch.units import MiB
from tests.adapters.served import Service, make_service


def traces(service: Service, **options: Any) -> Any:
    async def principal(scope: Any) -> str:
        return dict(scope["headers"]).get(b"x-user", b"").decode()

    return trace_app(service.trace, service.policy, service.limiter, service.jobs, principal, **options)


def answer(service: Service, domain: str) -> Any:
    return stream_ndjson(service.reader(domain), domain=domain, permit=service.limiter.permit(8 * MiB))


def bare() -> Any:
    """Neither framework nor mount: one callable in front of another."""
    service = make_service()
    app = traces(service, url_prefix="/api/trace")

    async def call(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/rows/"):
            await answer(service, scope["path"][6:])(scope, receive, send)
        else:
            await app(scope, receive, send)

    return call


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.routing import Mount, Route

    service = make_service()

    async def rows(request: Any) -> Any:
        return answer(service, request.path_params["domain"])

    async def named(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["X-Middleware"] = "was here"
        return response

    return Starlette(
        routes=[Mount("/api/trace", app=traces(service)), Route("/rows/{domain}", rows)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=named)],
    )


def fastapi() -> Any:
    from fastapi import FastAPI

    service, app = make_service(), FastAPI()

    async def rows(request: Any) -> Any:
        return answer(service, request.path_params["domain"])

    app.mount("/api/trace", traces(service))
    app.add_route("/rows/{domain}", rows)
    return app


def litestar() -> Any:
    from litestar import Litestar, asgi, get
    from litestar.types import ASGIApp

    service = make_service()
    app = traces(service)

    @asgi("/api/trace", is_mount=True, copy_scope=True)
    async def trace(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": "/api/trace"}, receive, send)

    async def rows(domain: str) -> ASGIApp:
        return answer(service, domain)

    rows.__annotations__ = {"domain": str, "return": ASGIApp}  # which it reads, and are texts in this module
    return Litestar([trace, get("/rows/{domain:str}")(rows)])


def quart() -> Any:
    from quart import Quart, Response, request

    service, app = make_service(), Quart("quart")
    inner = traces(service, url_prefix="/api/trace")

    @app.get("/rows/<domain>")
    async def rows(domain: str) -> Any:
        begun = await answer(service, domain).open(request.scope)
        response = Response(begun.body, begun.status, begun.headers)
        response.timeout = None
        return response

    async def call(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["type"] == "http" and scope["path"].startswith("/api/trace/")
        await (inner if mine else app)(scope, receive, send)

    return call


def django() -> Any:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path

    service = make_service()
    inner = traces(service, url_prefix="/api/trace")

    async def rows(request: Any, domain: str) -> Any:
        begun = await answer(service, domain).open(request.scope)
        return StreamingHttpResponse(begun.body, status=begun.status, headers=begun.headers)

    urls = type("Urls", (), {"urlpatterns": [path("rows/<str:domain>", rows)]})
    settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    app = get_asgi_application()

    async def call(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["type"] == "http" and scope["path"].startswith("/api/trace/")
        await (inner if mine else app)(scope, receive, send)

    return call
