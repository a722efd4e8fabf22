"""A Redis or Valkey that may be away, read-only or full for a while."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, OutOfMemoryError
from redis.retry import Retry

from mesbatch.errors import ResultStoreFull, StoreRefused, StoreUnavailable

ANSWER_SECONDS = 5.0  # a server that is silent for longer is asked again
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two tries
# Errors of a server that is being started, switched over to, or cannot save: it is asked again, as one that is away.
PASSING = ("READONLY", "LOADING", "MISCONF", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "CLUSTERDOWN", "FAILOVER")
FULL = "OOM"

_logger = logging.getLogger(__name__)


def open_client(server: str | Any) -> Any:
    """Return *server*, a client of Redis that somebody else made, or make one for a URL.

    Raises:
        StoreRefused: a client of a cluster, where the keys of a job lie apart, or one that decodes answers to text.
    """
    if isinstance(server, str):
        return redis.Redis.from_url(
            server, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
        )
    if isinstance(server, redis.RedisCluster):
        raise StoreRefused("a Redis Cluster cannot keep jobs: our scripts need all keys of a job on one of its nodes")
    if server.get_encoder().decode_responses:
        raise StoreRefused("this client has decode_responses=True: chunks are bytes, so pass one without it")
    return server


class RedisServer:
    """The *server*, a URL or a client that stays the caller's; a command is sent again for *patience* seconds.

    Raises:
        ResultStoreFull: it has no memory for more.
        StoreRefused: the client cannot be used; see `open_client`.
        StoreUnavailable: it did not answer in time, or refused, as it does at once with a wrong password.
    """

    def __init__(self, server: str | Any, patience: float) -> None:
        self._patience = patience
        # Any: redis types every answer as one that might have to be awaited.
        self.client: Any = open_client(server)
        self._is_ours = self.client is not server
        self._policy_known = False

    def close(self) -> None:
        if self._is_ours:
            self.client.connection_pool.disconnect()  # which close() of redis-py 5.0.0 leaves open

    def run(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        """Run the Lua *script*, and return its answer."""
        return self.ask(lambda: self.client.eval(script, len(keys), *keys, *arguments))

    def __call__(self, command: str, *arguments: Any, **options: Any) -> Any:
        """Send one command of the client, such as ``server("get", key)``, and return the answer."""
        return self.ask(lambda: getattr(self.client, command)(*arguments, **options))

    def ask(self, question: Callable[[], Any]) -> Any:
        """Return the answer to *question*, which may be asked more than once."""
        until, pause = time.monotonic() + self._patience, FIRST_PAUSE
        while True:
            try:
                answer = question()
            except redis.RedisError as error:
                self._check(error, is_late=time.monotonic() >= until)
            else:
                self._look_at_policy()
                return answer
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _check(self, error: redis.RedisError, *, is_late: bool) -> None:
        """Return if the server may be asked again; raise one of our errors otherwise."""
        if isinstance(error, OutOfMemoryError) or _says(error, FULL):
            raise ResultStoreFull(f"Redis has no memory for more: {error}") from error
        if not is_passing(error):
            raise StoreUnavailable(f"Redis refused: {error}") from error
        if is_late:
            raise StoreUnavailable(f"Redis did not answer for {self._patience:g} s: {error}") from error
        if isinstance(error, redis.exceptions.ReadOnlyError) or _says(error, "READONLY"):
            self.client.connection_pool.disconnect(inuse_connections=False)  # its name may mean another server now

    def _look_at_policy(self) -> None:
        if self._policy_known:
            return
        self._policy_known = True
        try:
            policy = self.client.config_get("maxmemory-policy").get("maxmemory-policy")
        except redis.RedisError:  # managed servers do not tell
            return
        if policy != "noeviction":
            _logger.warning(
                "the maxmemory-policy of this Redis is %s: it may evict chunks of a result, which then is lost; "
                "noeviction refuses new ones instead",
                policy,
            )


def is_passing(error: redis.RedisError) -> bool:
    """Return whether the same command may succeed a little later."""
    if isinstance(error, AuthenticationError):
        return False
    kinds = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ReadOnlyError, redis.exceptions.TryAgainError)
    return isinstance(error, kinds) or any(_says(error, word) for word in PASSING)


def _says(error: redis.RedisError, word: str) -> bool:
    """Return whether the answer began with *word*, or that of a command in a script did, as Redis 6 tells it."""
    text = str(error)
    return text.startswith(f"{word} ") or f"-{word} " in text
