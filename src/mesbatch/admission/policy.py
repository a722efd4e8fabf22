"""Decision to read now, as a job, or not: a pure function of the cost of a request and the load of the service."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast

from mesbatch.admission.answer import Decision, Reject
from mesbatch.admission.check import check_count
from mesbatch.admission.cost import Cost
from mesbatch.admission.load import Lack, Load, Pressure, find_lacks
from mesbatch.admission.rule import Rule, find_rule
from mesbatch.admission.table import check_rules
from mesbatch.admission.trace_table import TRACE_PROFILES, trace_rules
from mesbatch.errors import InvalidLimit, PolicyError, UnknownProfile
from mesbatch.units import MiB, format_bytes

MAX_ANSWER_BYTES = 256 * MiB  # two such answers and the interpreter fit a worker of 1 GiB


@dataclass(frozen=True, slots=True)
class Explanation:
    """Decision with the rule and the figures that led to it; its text is one line for a log.

    Attributes:
        decision: The decision.
        rule: The rule that decided.
        cost: The cost of the request.
        load: The load of the service.
        figures: The figures of the rule, as text.

    >>> from mesbatch.admission import Cost, Load
    >>> print(AdmissionPolicy().explain(Cost("query_tool", keys=500, streamed=True), Load()))
    accept query_tool by rule small: ...
    """

    decision: Decision
    rule: Rule
    cost: Cost
    load: Load
    figures: str

    def __str__(self) -> str:
        return f"{type(self.decision).__name__.lower()} {self.cost.profile} by rule {self.rule.name}: {self.figures}"


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """Table of rules, checked when it is made. No clock, lock, file or environment is read.

    The harshest of all rules that apply decides, and the last among equals.

    Args:
        rules: The table, by default that of `trace_rules`.
        profiles: The profiles that requests may have.
        max_answer_bytes: Bytes of the largest answer that may be built in memory; an answer of unknown size counts as
            one of that size.

    Raises:
        PolicyError: the rules have a gap, a rule never decides, or a limit is invalid; the message names the rule.

    >>> policy = AdmissionPolicy()
    >>> policy.decide(Cost("query_tool", keys=500, streamed=True), Load())
    Accept(cacheable=True, release=False, streamed=False, warning=None)
    >>> policy.decide(Cost("query_tool", keys=30_000, streamed=True), Load(worker_listens=True))
    Enqueue()
    >>> print(policy.explain(Cost("query_tool", keys=114_000, streamed=True), Load()))
    reject query_tool by rule too-many-keys: 114,000 keys, limit 50,000; no worker listens
    """

    rules: Sequence[Rule] = trace_rules()
    profiles: Collection[str] = TRACE_PROFILES
    max_answer_bytes: int = MAX_ANSWER_BYTES

    def __post_init__(self) -> None:
        try:
            check_count("max_answer_bytes", self.max_answer_bytes)
        except InvalidLimit as error:
            raise PolicyError(str(error)) from None
        object.__setattr__(self, "rules", tuple(self.rules))
        object.__setattr__(self, "profiles", frozenset(self.profiles))
        check_rules(self.rules, self.profiles)

    def decide(self, cost: Cost, load: Load) -> Decision:
        """Accept, enqueue or reject; equal arguments have equal answers.

        Raises:
            UnknownProfile: the policy has no rules for the profile.
        """
        return self.explain(cost, load).decision

    def explain(self, cost: Cost, load: Load) -> Explanation:
        """Decide, and give the rule and its figures as well, for a log or the body of an error."""
        if cost.profile not in self.profiles:
            known = ", ".join(sorted(self.profiles))
            raise UnknownProfile(f"no rule is for profile {cost.profile!r}; known profiles are {known}")
        if cost.held is None:
            cost = replace(cost, nbytes=self.max_answer_bytes)
        lacks = find_lacks(cost, load, self.max_answer_bytes)
        rule = cast("Rule", find_rule(self.rules, cost, load, lacks))  # check_rules found no gap
        figures = "; ".join(_figures(rule, cost, load, self.max_answer_bytes)) or "nothing speaks against it"
        return Explanation(_complete(rule, cost, figures), rule, cost, load, figures)


def _complete(rule: Rule, cost: Cost, figures: str) -> Decision:
    """Take the rule's answer, and add the figures that led to it where it is a refusal."""
    answer = rule.answer
    if not isinstance(answer, Reject):
        return answer
    count = None if rule.keys_above is None else cost.keys
    return replace(answer, reason=f"{answer.reason}: {figures}", key_count=count, limit=rule.keys_above)


def _figures(rule: Rule, cost: Cost, load: Load, max_answer_bytes: int) -> list[str]:
    """Write each condition of *rule* with the number that met it."""
    figures = []
    if rule.keys_above is not None:
        keys = "an unknown number of" if cost.keys is None else f"{cost.keys:,}"
        figures.append(f"{keys} keys, limit {rule.keys_above:,}")
    if rule.bytes_above is not None:
        figures.append(f"{_size(cost.held)} to hold, limit {format_bytes(rule.bytes_above)}")
    if rule.lack & (Lack.ANSWER_NOW | Lack.ANSWER_EVER):
        ever = min(max_answer_bytes, load.memory_limit or max_answer_bytes)
        figures.append(f"the answer takes {_size(cost.held)} of {_size(load.room)} free, limit {format_bytes(ever)}")
    if rule.lack & Lack.BUFFERS_NOW:
        figures.append(f"reading takes {_size(cost.buffers)} of {_size(load.room)} free")
    if rule.pressure > Pressure.CALM:
        figures.append(f"memory pressure is {load.pressure.name.lower()}, {_size(load.headroom)} left")
    if rule.worker is not None:
        figures.append("a worker listens" if load.worker_listens else "no worker listens")
    return figures


def _size(nbytes: int | None) -> str:
    return "an unknown size" if nbytes is None else format_bytes(nbytes)
