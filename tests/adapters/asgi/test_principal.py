"""The user of a request, whatever kind of function names it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from mesbatch.adapters.asgi import job_app
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.job import first_facts
from mesbatch.store import DirectoryStore, new_job_id


def user(scope: Any) -> str:
    return str(scope["user"])


async def user_later(scope: Any) -> str:
    await asyncio.sleep(0)
    return user(scope)


class UserLater:
    async def __call__(self, scope: Any) -> str:
        return await user_later(scope)


async def status_of(app: Any, path: str, name: str) -> int:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "http_version": "1.1", "headers": [], "user": name}
    await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize("principal", [user, user_later, UserLater()], ids=["function", "coroutine", "object"])
def test_a_job_is_there_for_the_user_that_the_principal_names(tmp_path, principal):
    jobs, job_id = LocalJobs({}, DirectoryStore(tmp_path / "jobs"), app="nowhere:jobs"), new_job_id()
    jobs.attend = lambda: None  # type: ignore[method-assign]
    jobs.store.create(job_id, first_facts(JobSpec(function="events", domains=("moves",), owner="ann"), 1, time.time()))
    app = job_app(jobs, principal)
    found = [asyncio.run(status_of(app, f"/job/{job_id}", name)) for name in ("ann", "bob")]
    assert found == [200, 404]
