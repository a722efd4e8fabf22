"""A limit for the database connections of all RQ workers on all hosts."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Lock
from typing import Any

import redis

from mesbatch.errors import StoreUnavailable
from mesbatch.jobs.stop import Stop

HELD_SECONDS = 15.0  # after the last renewal a holder is taken for dead, and its place is free
WAIT_SECONDS = 0.25  # between two tries

# In the time of Redis: who holds a place keeps it, and a new one comes in while there are fewer than the limit.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
return 1
"""


class OneOf:
    """One of *limit* places in the Redis behind *connection*, under *name*, for *holder*."""

    def __init__(self, connection: Any, name: str, limit: int, holder: str) -> None:
        self._connection, self._key, self._limit, self._holder = connection, name, limit, holder
        self._held = False
        self._lock = Lock()  # what is given back must not be renewed by the thread that does so

    def take(self, stop: Stop) -> None:
        while True:
            stop.check()
            with suppress(StoreUnavailable):  # it will come back, or the job ends otherwise
                if self._try():
                    self._held = True
                    return
            time.sleep(WAIT_SECONDS)

    def renew(self) -> None:
        with self._lock:
            if self._held:
                self._try()

    def give_back(self) -> None:
        with self._lock, suppress(redis.RedisError):  # then it runs out
            self._held = False
            self._connection.zrem(self._key, self._holder)

    def _try(self) -> bool:
        try:
            return bool(self._connection.eval(_TAKE, 1, self._key, self._holder, self._limit, HELD_SECONDS))
        except redis.RedisError as error:
            raise StoreUnavailable(f"no place was given by {self._key}: {error}") from error
