"""Check of a table of rules: every request has an answer, and every rule decides some request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import product

from mesbatch.admission.answer import Reject
from mesbatch.admission.check import check_count
from mesbatch.admission.cost import Cost
from mesbatch.admission.load import Lack, Load, Pressure
from mesbatch.admission.rule import Rule, find_rule
from mesbatch.errors import InvalidLimit, PolicyError

LACKS = [
    answer | buffers
    for answer in (Lack.NOTHING, Lack.ANSWER_NOW, Lack.ANSWER_NOW | Lack.ANSWER_EVER)
    for buffers in (Lack.NOTHING, Lack.BUFFERS_NOW)
]
Cell = tuple[Cost, Load, Lack]


def check_rules(rules: Sequence[Rule], profiles: Collection[str]) -> None:
    """Refuse a table that does not fit *profiles*, by one request of every kind that its rules tell apart.

    Raises:
        PolicyError: a rule has an unknown profile, an invalid limit, or the name of another rule; or a request finds no
            rule; or a rule never decides. The message names the rule.
    """
    for rule in rules:
        _check_rule(rule, profiles)
    if doubled := sorted({rule.name for rule in rules if [other.name for other in rules].count(rule.name) > 1}):
        raise PolicyError(f"more than one rule is called {', '.join(map(repr, doubled))}")
    unused = {rule.name: rule for rule in rules}
    for cell in _cells(rules, profiles):
        decider = find_rule(rules, *cell)
        if decider is None:
            raise PolicyError(_describe_gap(rules, cell))
        unused.pop(decider.name, None)
    for rule in unused.values():
        raise PolicyError(_describe_unreachable(rule, rules, profiles))


def _check_rule(rule: Rule, profiles: Collection[str]) -> None:
    try:
        check_count("keys_above", rule.keys_above, unknown=True)
        check_count("bytes_above", rule.bytes_above, unknown=True)
    except InvalidLimit as error:
        raise PolicyError(f"rule {rule.name!r}: {error}") from None
    if isinstance(rule.answer, Reject) and rule.answer.retry_after is not None and not rule.answer.retry_after > 0:
        raise PolicyError(f"rule {rule.name!r}: retry_after must be above 0 seconds, got {rule.answer.retry_after!r}")
    if unknown := sorted(set(rule.profiles or ()) - set(profiles)):
        known = ", ".join(sorted(profiles))
        raise PolicyError(f"rule {rule.name!r}: unknown profile {', '.join(map(repr, unknown))}; known are {known}")


def _cells(rules: Sequence[Rule], profiles: Collection[str]) -> Iterator[Cell]:
    """Make one request of every kind; the rules that apply change only right above a limit."""
    keys = sorted({0} | {rule.keys_above + 1 for rule in rules if rule.keys_above is not None})
    nbytes = sorted({0} | {rule.bytes_above + 1 for rule in rules if rule.bytes_above is not None})
    loads = [Load(worker, pressure) for worker in (False, True) for pressure in Pressure]
    for profile, count, size, load, lack in product(profiles, keys, nbytes, loads, LACKS):
        yield Cost(profile, count, size), load, lack


def _describe_gap(rules: Sequence[Rule], cell: Cell) -> str:
    cost, load, _ = cell
    near = [rule.name for rule in rules if rule.profiles is None or cost.profile in rule.profiles]
    nearest = f"none of the rules {', '.join(map(repr, near))} applies" if near else "no rule is for that profile"
    worker = "a worker" if load.worker_listens else "no worker"
    return f"gap: profile {cost.profile!r} with {cost.keys:,} keys, {cost.nbytes:,} bytes and {worker}: {nearest}"


def _describe_unreachable(rule: Rule, rules: Sequence[Rule], profiles: Collection[str]) -> str:
    where = [cell for cell in _cells(rules, profiles) if rule.applies(*cell)]
    instead = ", ".join(sorted({repr(found.name) for cell in where if (found := find_rule(rules, *cell))}))
    limit = "" if rule.keys_above is None else f" (above {rule.keys_above:,} keys)"
    if not where:
        return f"rule {rule.name!r}{limit} never decides: no request meets its conditions"
    return f"rule {rule.name!r}{limit} never decides: {instead} is as harsh wherever it applies"
