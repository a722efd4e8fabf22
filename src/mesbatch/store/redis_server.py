"""A Redis or Valkey that may be away for a while."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError
from redis.retry import Retry

from mesbatch.errors import ResultStoreFull, StoreUnavailable

ANSWER_SECONDS = 5.0  # a server that is silent for longer is asked again
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two tries

_logger = logging.getLogger(__name__)


class RedisServer:
    """The server at *url*; a command is sent again for *patience* seconds while it is away.

    Raises:
        ResultStoreFull: it has no memory for more.
        StoreUnavailable: it did not answer in time, or refused.
    """

    def __init__(self, url: str, patience: float) -> None:
        self._patience = patience
        # Any: redis types every answer as one that might have to be awaited.
        self.client: Any = redis.Redis.from_url(
            url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._policy_known = False

    def close(self) -> None:
        self.client.close()

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
            except OutOfMemoryError as error:
                raise ResultStoreFull(f"Redis has no memory for more: {error}") from error
            except (redis.ConnectionError, redis.TimeoutError) as error:
                if time.monotonic() >= until:
                    raise StoreUnavailable(f"Redis did not answer for {self._patience:g} s: {error}") from error
            except redis.RedisError as error:
                raise StoreUnavailable(f"Redis refused: {error}") from error
            else:
                self._look_at_policy()
                return answer
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

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
