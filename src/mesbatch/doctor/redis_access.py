"""Tries of everything that a deployment does in Redis, so that a wrong rule of access is found before a job is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import redis

from mesbatch.jobs.listening import Listening, queue_name
from mesbatch.settings import Settings
from mesbatch.store import ResultWriter, new_job_id
from mesbatch.store.redis import RedisStore
from mesbatch.store.redis_names import RedisNames

# Rules of an ACL that are enough; docs/jobs.md shows them.
RULES = (
    "~{prefix}:* ~mesbatch:* ~rq:* resetchannels &rq:* -@all +@read +@write +@transaction +@scripting +@connection "
    "+@pubsub +info +time -@dangerous"
)


def refusals(settings: Settings, client: Any) -> Iterator[tuple[str, Exception]]:
    """Do what web and workers do, on names that nobody else uses; give out each step that Redis refuses."""
    name = f"{queue_name(settings.worker_queue, settings.redis_key_prefix)}:doctor-{new_job_id()}"
    steps: dict[str, Callable[[], Any]] = {
        f"jobs in {settings.redis_key_prefix}:*": lambda: _keep_a_job(settings, client),
        "workers in mesbatch:*": lambda: _listen(client, name),
        "queues in rq:*": lambda: _queue(client, f"rq:queue:{name}"),
        "commands to workers in rq:pubsub:*": lambda: client.publish(f"rq:pubsub:{name}", ""),
    }
    for step, take in steps.items():
        try:
            take()
        except (redis.RedisError, OSError) as error:
            yield step, error


def _keep_a_job(settings: Settings, client: Any) -> None:
    store, job_id = RedisStore(client, prefix=settings.redis_key_prefix, ttl=60, patience=0.0), new_job_id()
    claim = sha256(job_id.encode()).hexdigest()
    store.create(job_id, {"status": "started"})
    try:
        store.claim(claim, job_id, None)
        store.put_keys(job_id, 0, b"x")
        lease = store.acquire(job_id, "doctor")
        writer = ResultWriter(store, lease)
        writer.start("doctor", [{"name": "ID"}])
        writer.publish("doctor", b'[{"ID":1}]', 1, 1)
        store.renew(lease)
        writer.end("doctor")
        writer.finish()
        store.change(job_id, {"status": "finished"}, token=lease.token)
        store.hold(job_id, new_job_id())
        next(iter(store.job_ids()), None)
    finally:
        store.delete(job_id)
        client.unlink(RedisNames(settings.redis_key_prefix).of_claim(claim))


def _listen(client: Any, name: str) -> None:
    listening = Listening(client, name)
    listening.beat("doctor")
    listening.workers()
    listening.leave("doctor")
    listening.add_job(new_job_id())
    for job_id in listening.jobs():
        listening.remove_job(job_id)


def _queue(client: Any, key: str) -> None:
    with client.pipeline() as pipeline:
        pipeline.rpush(key, "doctor")
        pipeline.lpos(key, "doctor")
        pipeline.lpop(key)
        pipeline.delete(key)
        pipeline.execute()
