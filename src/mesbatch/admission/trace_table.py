"""Rules of the incident's trace: by the number of keys, and for any number of keys while memory is short."""

from __future__ import annotations

from mesbatch.admission.answer import Accept, Enqueue, Reject
from mesbatch.admission.check import check_count
from mesbatch.admission.load import Lack, Pressure
from mesbatch.admission.rule import Rule
from mesbatch.errors import PolicyError

CACHE_LIMIT = 10_000  # keys: a larger answer would fill the cache and is rarely asked for twice
ASYNC_THRESHOLD = 20_000  # keys: half a minute on the day of the incident; more needs a progress bar
CID_LIMIT = 50_000  # keys: the largest read within a web request
BUSY_SECONDS = 5.0  # permits change hands within seconds
CRITICAL_SECONDS = 15.0  # memory needs longer to come back than a permit

QUERY_PROFILES = frozenset({"query_tool", "query_tool_reverse"})
COMPLETE_PROFILE = "mid_section_defect"  # a missing key would falsify scrap statistics: never refused for its size
TRACE_PROFILES = QUERY_PROFILES | {COMPLETE_PROFILE}
STREAMED_WARNING = "a large answer: it is streamed, and takes a while"

_STREAMED = Accept(release=True, streamed=True, warning=STREAMED_WARNING)
_TOO_MANY_KEYS = Reject("too many container ids for one request")
TOO_LARGE = Reject("the answer is too large to be held in memory")
NO_ROOM = Reject("not enough memory at the moment", retry_after=BUSY_SECONDS)

SHORTAGE_RULES = (  # of every profile
    Rule("buffers-have-no-room", Enqueue(), lack=Lack.BUFFERS_NOW, worker=True),
    Rule("buffers-have-no-room-without-worker", NO_ROOM, lack=Lack.BUFFERS_NOW, worker=False),
    Rule("memory-high", Enqueue(), pressure=Pressure.HIGH, worker=True),
    Rule("memory-high-without-worker", NO_ROOM, pressure=Pressure.HIGH, worker=False),
    Rule("memory-critical", Reject("memory is almost used up", CRITICAL_SECONDS), pressure=Pressure.CRITICAL),
)
MEMORY_RULES = (
    Rule("answer-has-no-room", Enqueue(), lack=Lack.ANSWER_NOW, worker=True),
    Rule("answer-streamed", _STREAMED, frozenset({COMPLETE_PROFILE}), lack=Lack.ANSWER_NOW, worker=False),
    Rule("answer-has-no-room-without-worker", NO_ROOM, QUERY_PROFILES, lack=Lack.ANSWER_NOW, worker=False),
    Rule("answer-too-large", TOO_LARGE, QUERY_PROFILES, lack=Lack.ANSWER_EVER, worker=False),
    *SHORTAGE_RULES,
)


def trace_rules(
    *, cache_limit: int = CACHE_LIMIT, async_threshold: int = ASYNC_THRESHOLD, cid_limit: int = CID_LIMIT
) -> tuple[Rule, ...]:
    """Make the rules of the trace, with the defaults of the incident's designers.

    Args:
        cache_limit: Keys up to which an answer may be cached.
        async_threshold: Keys above which a request becomes a job.
        cid_limit: Keys above which a request is refused where no worker listens.

    A *cid_limit* below *async_threshold* is the threshold of the query profiles, too: no request of theirs reads more
    than that, so above it they are a job where a worker listens, and refused where none does.

    Raises:
        InvalidLimit: a threshold is negative or no integer.
        PolicyError: *cache_limit* is above *async_threshold*.

    >>> from mesbatch.admission import AdmissionPolicy, Cost, Load
    >>> policy = AdmissionPolicy(trace_rules(cid_limit=80_000))
    >>> print(policy.explain(Cost("query_tool", keys=90_000, streamed=True), Load()))
    reject query_tool by rule too-many-keys: 90,000 keys, limit 80,000; no worker listens
    """
    for name, value in (("cache_limit", cache_limit), ("async_threshold", async_threshold), ("cid_limit", cid_limit)):
        check_count(name, value)
    if cache_limit > async_threshold:
        raise PolicyError(
            f"thresholds out of order: cache_limit {cache_limit:,} <= async_threshold {async_threshold:,} must hold"
        )
    by_keys = [
        Rule("small", Accept(cacheable=True)),
        Rule("medium", Accept(release=True), keys_above=cache_limit),
        Rule("large", Enqueue(), keys_above=async_threshold, worker=True),
        Rule("above-limit", Enqueue(), QUERY_PROFILES, keys_above=cid_limit, worker=True),
        Rule("large-without-worker", Accept(release=True), QUERY_PROFILES, keys_above=async_threshold, worker=False),
        Rule("too-many-keys", _TOO_MANY_KEYS, QUERY_PROFILES, keys_above=cid_limit, worker=False),
        Rule("large-streamed", _STREAMED, frozenset({COMPLETE_PROFILE}), keys_above=async_threshold, worker=False),
    ]
    covered = {
        "medium": cache_limit == async_threshold,
        "above-limit": async_threshold <= cid_limit,
        "large-without-worker": async_threshold >= cid_limit,
    }
    return (*(rule for rule in by_keys if not covered.get(rule.name)), *MEMORY_RULES)
