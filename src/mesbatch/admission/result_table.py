"""Policy of an ordinary dashboard: by the number of keys, if any, and for any request while memory is short."""

from __future__ import annotations

from mesbatch.admission.answer import Accept, Enqueue, Reject
from mesbatch.admission.check import check_count
from mesbatch.admission.load import Lack
from mesbatch.admission.policy import AdmissionPolicy
from mesbatch.admission.rule import Rule
from mesbatch.admission.trace_table import (
    ASYNC_THRESHOLD,
    CACHE_LIMIT,
    CID_LIMIT,
    NO_ROOM,
    SHORTAGE_RULES,
    TOO_LARGE,
)
from mesbatch.errors import PolicyError

RESULTS = "results"  # the one profile of this policy
KEY_LIMIT = CID_LIMIT

_MEMORY_RULES = (
    Rule("answer-has-no-room", Enqueue(), lack=Lack.ANSWER_NOW, worker=True),
    Rule("answer-has-no-room-without-worker", NO_ROOM, lack=Lack.ANSWER_NOW, worker=False),
    Rule("answer-too-large", TOO_LARGE, lack=Lack.ANSWER_EVER, worker=False),
    *SHORTAGE_RULES,
)


def result_policy(
    *, cache_limit: int = CACHE_LIMIT, async_threshold: int = ASYNC_THRESHOLD, key_limit: int = KEY_LIMIT
) -> AdmissionPolicy:
    """Make the policy of `result_blueprint`; a request without keys counts as one of no key.

    Args:
        cache_limit: Keys up to which an answer may be cached.
        async_threshold: Keys above which a request becomes a job where a worker listens.
        key_limit: Keys above which a request is refused where no worker listens.

    Raises:
        InvalidLimit: a threshold is negative or no integer.
        PolicyError: *cache_limit*, *async_threshold* and *key_limit* do not ascend.

    >>> from mesbatch.admission import Cost, Load
    >>> print(result_policy().explain(Cost("results", keys=114_000, streamed=True), Load()))
    reject results by rule too-many-keys: 114,000 keys, limit 50,000; no worker listens
    """
    for name, value in (("cache_limit", cache_limit), ("async_threshold", async_threshold), ("key_limit", key_limit)):
        check_count(name, value)
    if not cache_limit <= async_threshold <= key_limit:
        raise PolicyError(
            f"thresholds out of order: cache_limit {cache_limit:,} <= async_threshold {async_threshold:,} <= key_limit "
            f"{key_limit:,} must hold"
        )
    rules = (
        Rule("small", Accept(cacheable=True)),
        Rule("medium", Accept(release=True), keys_above=cache_limit),
        Rule("large", Enqueue(), keys_above=async_threshold, worker=True),
        Rule("too-many-keys", Reject("too many keys for one request"), keys_above=key_limit, worker=False),
    )
    unused = {"medium"} if cache_limit == key_limit else set()
    return AdmissionPolicy([*(rule for rule in rules if rule.name not in unused), *_MEMORY_RULES], [RESULTS])
