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

    Conditions: the profile is one of *profiles* (None: any); the number of keys or of bytes is above *keys_above* or
    *bytes_above*, or unknown; a worker listens (*worker* is True), none does (False), or either (None); the pressure is
    at least *pressure*; there is not enough memory for *lack*.
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
