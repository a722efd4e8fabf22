"""Checks of a live set-up, from one of its machines."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from mesbatch.doctor.plan import SMALLEST, make_plan
from mesbatch.doctor.processes import RunningProcess, find_processes, gunicorn_settings
from mesbatch.errors import InvalidSetting
from mesbatch.group.spill.unlinked import distrust
from mesbatch.memory.cgroup import find_limits
from mesbatch.memory.process import read_memory
from mesbatch.settings import Settings
from mesbatch.units import GiB, MiB, format_bytes

SPILL_BYTES = 2 * GiB  # of disk, for four `Groups` of 440 MB
DRIVERS = ("oracledb", "sqlalchemy", "msgspec", "psycopg", "apsw", "redis", "rq", "flask", "gunicorn")

Grade = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check.

    Attributes:
        grade: ``ok``, ``note`` or ``problem``.
        text: The finding.
        remedy: The way out; a ``problem`` always has one.

    >>> print(Finding("problem", "Redis may evict keys", "set maxmemory-policy noeviction"))
    PROBLEM  Redis may evict keys
             -> set maxmemory-policy noeviction
    """

    grade: Grade
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        head = f"{'PROBLEM' if self.grade == 'problem' else self.grade:8} {self.text}"
        return f"{head}\n{'':8} -> {self.remedy}" if self.remedy else head


Check = Callable[[Settings, list[RunningProcess]], Iterator[Finding]]


def examine(settings: Settings) -> Iterator[Finding]:
    """Check all that can be seen from this machine: Redis, workers, gunicorn, memory, disk, settings, drivers.

    Args:
        settings: The settings of the deployment.

    >>> def problems(settings: Settings) -> list[str]:
    ...     return [finding.text for finding in examine(settings) if finding.grade == "problem"]
    """
    found = find_processes()
    for check in (_redis, _queue, _gunicorn, _memory, _spill, _same_settings, _drivers):
        yield from check(settings, found)


def _redis(settings: Settings, found: list[RunningProcess]) -> Iterator[Finding]:
    if not settings.worker_enabled:
        yield Finding("note", "TRACE_WORKER_ENABLED is false: Redis is not used, and nothing becomes a job")
        return
    try:
        import redis
    except ImportError:
        yield Finding("problem", "the driver of Redis is not installed", "pip install 'mesbatch[rq]'")
        return
    try:
        with closing(redis.Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5)) as client:
            yield from _access(settings, client)
            memory = client.info("memory")
    except redis.AuthenticationError:
        yield Finding("problem", "Redis does not know this user and password", "correct those in REDIS_URL")
        return
    except redis.exceptions.NoPermissionError:
        yield Finding("note", "Redis does not tell its memory and policy", "allow +info")
        return
    except redis.RedisError as error:
        yield Finding("problem", f"Redis is not reachable: {type(error).__name__}", "start it, or correct REDIS_URL")
        return
    policy, limit = memory.get("maxmemory_policy", "unknown"), int(memory.get("maxmemory", 0))
    if policy == "noeviction":
        yield Finding("ok", "Redis is reachable, and never evicts")
    else:
        yield Finding(
            "problem",
            f"Redis may evict keys (maxmemory-policy {policy}): a result would lose its chunks",
            "redis-cli config set maxmemory-policy noeviction, and the same in redis.conf",
        )
    if not limit:
        yield Finding("note", "Redis has no maxmemory", "set it as mesbatch doctor --plan says")


def _access(settings: Settings, client: Any) -> Iterator[Finding]:
    from mesbatch.doctor.redis_access import RULES, refusals

    client.ping()
    refused = list(refusals(settings, client))
    for step, error in refused:
        yield Finding(
            "problem",
            f"Redis refuses {step}: {error}",
            f"give the user of REDIS_URL the rules {RULES.format(prefix=settings.redis_key_prefix)}",
        )
    if not refused:
        yield Finding("ok", "Redis lets web and workers do all that they need")


def _queue(settings: Settings, found: list[RunningProcess]) -> Iterator[Finding]:
    if not settings.worker_enabled:
        return
    try:
        import redis

        from mesbatch.jobs.listening import Listening, queue_name

        queue = queue_name(settings.worker_queue, settings.redis_key_prefix)
        with closing(redis.Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5)) as client:
            workers = Listening(client, queue).workers()
    except (ImportError, redis.RedisError):
        return  # `_redis` has said so
    if len(workers) >= settings.worker_count:
        yield Finding("ok", f"{len(workers)} workers listen on the queue {queue}")
    else:
        yield Finding(
            "problem",
            f"{len(workers)} of {settings.worker_count} workers listen on the queue {queue}",
            "mesbatch worker --app MODULE:JOBS, with the TRACE_WORKER_QUEUE of the web server",
        )


def _gunicorn(settings: Settings, found: list[RunningProcess]) -> Iterator[Finding]:
    webs = [one for one in found if one.kind == "web"]
    if not webs:
        yield Finding("note", "no gunicorn runs here, or it belongs to another user")
    for web in webs:
        told = gunicorn_settings(web)
        if told is None:
            yield Finding("note", f"{web} does not tell its settings")
        elif told["worker_class"].endswith("gthread") or (told["worker_class"] == "sync" and told["threads"] != "1"):
            yield Finding("ok", f"{web} has {told['workers']} gthread workers of {told['threads']} threads")
        else:
            yield Finding(
                "problem",
                f"{web} has {told['worker_class']} workers: they cut every stream at the timeout",
                "gunicorn -c deploy/gunicorn.conf.py, or --worker-class gthread --threads 4",
            )
    if settings.gunicorn_timeout <= settings.call_timeout:
        yield Finding(
            "problem",
            f"GUNICORN_TIMEOUT is {settings.gunicorn_timeout} s, a slow query may take {settings.call_timeout:g} s",
            "raise GUNICORN_TIMEOUT above DB_SLOW_CALL_TIMEOUT_MS",
        )


def _memory(settings: Settings, found: list[RunningProcess]) -> Iterator[Finding]:
    machine = max((one.limit for one in find_limits()), default=0)
    if machine < SMALLEST:
        yield Finding("note", "the memory of this machine is unknown, or below 1 GiB: no plan to compare with")
        return
    plan = make_plan(machine)
    for one in found:
        limit = min((found.limit for found in find_limits(process=str(one.pid))), default=machine)
        wanted = plan.web if one.kind == "web" else plan.worker
        if limit >= machine:
            yield Finding(
                "problem",
                f"{one} has no limit of memory: it can take the whole machine down",
                f"MemoryMax={wanted // MiB}M in its unit",
            )
        elif limit > wanted * 1.25:
            yield Finding(
                "note", f"{one} may take {format_bytes(limit)}, the plan has {format_bytes(wanted)}",
                "mesbatch doctor --plan",
            )  # fmt: skip
        else:
            yield Finding("ok", f"{one} is limited to {format_bytes(limit)}")
    used = read_memory().used or 0.0
    if used > 0.8:
        yield Finding(
            "problem", f"memory is {used:.0%} used here", "no new work is taken above 80 %: see what holds it"
        )


def _spill(settings: Settings, found: list[RunningProcess]) -> Iterator[Finding]:
    directory = Path(tempfile.gettempdir())
    status = directory.stat()
    if refusal := distrust(status, os.geteuid()):
        yield Finding("problem", f"groups cannot be spilled to {directory}: {refusal}", "set TMPDIR to one of its own")
    free = shutil.disk_usage(directory).free
    if free < SPILL_BYTES:
        yield Finding(
            "problem", f"{directory} has {format_bytes(free)} free, spilling may take {format_bytes(SPILL_BYTES)}",
            "free some, or set TMPDIR to a larger disk",
        )  # fmt: skip
    else:
        yield Finding("ok", f"{directory} has {format_bytes(free)} free for spilling")
    if _filesystem(directory) == "tmpfs":
        yield Finding("problem", f"{directory} is memory (tmpfs): spilling there frees none", "set TMPDIR to a disk")


def _filesystem(directory: Path) -> str:
    """Find the kind of file system of *directory*; empty where the system does not tell."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    around = [(len(mount[1]), mount[2]) for mount in mounts if directory.resolve().is_relative_to(mount[1])]
    return max(around, default=(0, ""))[1]


def _same_settings(settings: Settings, found: list[RunningProcess]) -> Iterator[Finding]:
    values: dict[str, dict[object, list[str]]] = {}
    for one in found:
        try:
            shared = Settings.from_env(one.environment).shared()
        except InvalidSetting as error:
            yield Finding("problem", f"{one}: {error}", "correct its environment")
            continue
        for name, value in shared.items():
            values.setdefault(name, {}).setdefault(value, []).append(str(one))
    differing = {name: by_value for name, by_value in values.items() if len(by_value) > 1}
    for name, by_value in differing.items():
        told = "; ".join(f"{value} in {', '.join(where)}" for value, where in by_value.items())
        yield Finding("problem", f"{name} differs: {told}", "give web and workers the same .env")
    if values and not differing:
        yield Finding("ok", "web and workers have the same settings")


def _drivers(settings: Settings, found: list[RunningProcess]) -> Iterator[Finding]:
    needed = _needed_versions()
    installed = []
    for name in DRIVERS:
        try:
            have = version(name)
        except PackageNotFoundError:
            continue
        installed.append(f"{name} {have}")
        if _numbers(have) < _numbers(needed.get(name, "0")):
            yield Finding(
                "problem", f"{name} {have} is older than {needed[name]}", f"pip install '{name}>={needed[name]}'"
            )
    yield Finding("ok", f"drivers: {', '.join(installed)}")


def _needed_versions() -> dict[str, str]:
    """Find the lowest versions that this package declares; empty where it was not installed as a package."""
    try:
        declared = requires("mesbatch") or []
    except PackageNotFoundError:
        return {}
    found = (
        re.match(r"([\w-]+)(?:\[[^]]*\])?\s*(?:\(?)>=\s*([\d.]+)|([\w-]+).*?>=\s*([\d.]+)", one) for one in declared
    )
    return {(one[1] or one[3]): (one[2] or one[4]) for one in found if one}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
