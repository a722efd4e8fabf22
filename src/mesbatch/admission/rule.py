"""Rows of the table of rules, and the choice of the row that decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mesbatch.admission.answer import Decision, severity
from mesbatch.admission.cost import Cost
from mesbatch.admission.load import Lack, Load, Pressure


@dataclass(frozen=True, slots=True)
class Rule:
    """Row of the table: *answer* for the requests and loads that meet every condition.

    Args:
        name: The name of the rule, for logs.
        answer: The decision.
        profiles: The profiles that it is for; None is any.
        keys_above: Applies above this number of keys, or where it is unknown.
        bytes_above: Applies above this number of bytes, or where it is unknown.
        worker: True where a worker listens, False where none does, None for either.
        pressure: Applies from this pressure on.
        lack: Applies where there is not enough memory for it.
    """

    name: str
    answer: Decision
    profiles: frozenset[str] | None = None
    keys_above: int | None = None
    bytes_above: int | None = None
    worker: bool | None = None
    pressure: Pressure = Pressure.CALM
    lack: Lack = Lack.NOTHING

    def applies(self, cost: Cost, load: Load, lacks: Lack) -> bool:
        """Decide whether *cost* under *load*, with *lacks* of memory, meets every condition."""
        return (
            _is_above(cost.keys, self.keys_above)
            and (self.worker is None or self.worker == load.worker_listens)
            and load.pressure >= self.pressure
            and self.lack in lacks
            and (self.profiles is None or cost.profile in self.profiles)
            and _is_above(cost.held, self.bytes_above)
        )


def find_rule(rules: Iterable[Rule], cost: Cost, load: Load, lacks: Lack) -> Rule | None:
    """Find the rule that decides: the harshest that applies, and the last among equals; None if no rule applies.

    More keys, more bytes, less room and more pressure only make more rules apply, so the answer never becomes milder.
    """
    applying = [rule for rule in rules if rule.applies(cost, load, lacks)]
    return max(reversed(applying), key=lambda rule: severity(rule.answer), default=None)


def _is_above(value: int | None, threshold: int | None) -> bool:
    return threshold is None or value is None or value > threshold
