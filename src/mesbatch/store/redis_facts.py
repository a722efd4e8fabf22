"""Facts of jobs in Redis, in two hashes: those that clients of the first implementation know, and ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from mesbatch.errors import JobNotFound, LeaseLost, StatusConflict
from mesbatch.store import redis_scripts
from mesbatch.store.job_id import new_job_id
from mesbatch.store.protocol import CONTRACT_FACTS, ENDED, MARK, OWNER_DIGEST, Facts
from mesbatch.store.redis_names import RedisNames
from mesbatch.store.redis_server import RedisServer

IN_META = CONTRACT_FACTS | {MARK, OWNER_DIGEST}
ENDED_JSON = msgspec.json.encode(sorted(ENDED)).decode()


class RedisFacts:
    """Facts by job; those of a job are kept for some *milliseconds* after each change."""

    def __init__(self, server: RedisServer, names: RedisNames) -> None:
        self._server, self._names = server, names

    def create(self, job_id: str, facts: Mapping[str, str], milliseconds: int) -> None:
        names = self._names.of(job_id, "meta", "facts")
        split = _split({"status": "", **facts})
        if self._server.run(redis_scripts.CREATE, names, *split, new_job_id(), milliseconds) != [b"ok"]:
            raise StatusConflict(f"there is a job {job_id} already")
        if facts.get("status") not in ENDED:
            self._server("sadd", self._names.open_jobs, job_id)
            self._server("pexpire", self._names.open_jobs, milliseconds)

    def read(self, job_id: str) -> Facts:
        meta, ours = self._server.run(redis_scripts.READ, self._names.of(job_id, "meta", "facts"))
        if not meta:
            raise no_job(job_id)
        return _joined(_pairs(meta), _pairs(ours))

    def change(
        self,
        job_id: str,
        changes: Mapping[str, str],
        only_if: Collection[str] | None,
        token: int | None,
        milliseconds: int,
    ) -> Facts:
        names = self._names.of(job_id, "lease", "meta", "facts")
        answer = self._server.run(
            redis_scripts.CHANGE, names, "" if token is None else token, *_split(changes), new_job_id(), milliseconds,
            "" if only_if is None else _json(sorted(only_if)), ENDED_JSON,
        )  # fmt: skip
        match answer:
            case [b"ok", meta, ours]:
                if changes.get("status") in ENDED:
                    self.unlist(job_id)
                return _joined(_pairs(meta), _pairs(ours))
            case [b"lost", newest]:
                raise lost_lease(job_id, token, newest)
            case [b"conflict", status]:
                raise StatusConflict(f"job {job_id} is {status.decode()}: it cannot get {dict(changes)}")
            case _:
                raise no_job(job_id)

    def open_jobs(self) -> list[str]:
        """Return the jobs that may not have ended, of those that were created here and not by an older version."""
        return [job_id.decode() for job_id in self._server("smembers", self._names.open_jobs)]

    def unlist(self, job_id: str) -> None:
        self._server("srem", self._names.open_jobs, job_id)

    def forget_expired(self) -> None:
        """Take the jobs that are gone off the list of those that may not have ended."""
        for job_id in self.open_jobs():
            if not self._server("exists", *self._names.of(job_id, "meta")):
                self.unlist(job_id)

    def job_ids(self) -> Iterator[str]:
        cursor = 0
        while True:
            cursor, names = self._server("scan", cursor, match=self._names.every_job, count=1_000)
            yield from filter(None, map(self._names.job_of, names))
            if cursor == 0:
                return


def no_job(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id}, or it has expired")


def lost_lease(job_id: str, token: int | None, newest: bytes) -> LeaseLost:
    """Make the error for the lease *token*, after which *newest* was given out; an empty one means no lease at all."""
    known = f"lease {newest.decode()} is the newest" if newest else "the store knows no lease of it"
    return LeaseLost(f"job {job_id} is no longer ours by lease {token}: {known}")


def _split(facts: Mapping[str, str]) -> tuple[str, str]:
    contract = {name: value for name, value in facts.items() if name in IN_META}
    return _json(contract), _json({name: value for name, value in facts.items() if name not in IN_META})


def _joined(contract: Mapping[bytes, bytes], ours: Mapping[bytes, bytes]) -> Facts:
    """Join both parts; a byte that is no UTF-8, which somebody else wrote, becomes U+FFFD."""
    pairs = (*contract.items(), *ours.items())
    both = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in pairs}
    both.pop(redis_scripts.NONCE, None)
    return both


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2]))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
