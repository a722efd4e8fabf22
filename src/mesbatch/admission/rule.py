"""One row of the table of rules, and which row decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mesbatch.admission.answer import Decision, severity
from mesbatch.admission.cost import Cost
from mesbatch.admission.load import Lack, Load, Pressure


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: *answer* for the requests and loads that meet every condition.

    *profiles*: it is one of these (None: any). *keys_above*, *bytes_above*: it is more, or unknown. *worker*: one
    listens (True), none does (False), or either (None). *pressure*: at least that. *lack*: there is not enough of that.
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
        """Whether *cost* under *load* meets every condition; *lacks* is what there is not enough of."""
        return (
            _is_above(cost.keys, self.keys_above)
            and (self.worker is None or self.worker == load.worker_listens)
            and load.pressure >= self.pressure
            and self.lack in lacks
            and (self.profiles is None or cost.profile in self.profiles)
            and _is_above(cost.held, self.bytes_above)
        )


def find_rule(rules: Iterable[Rule], cost: Cost, load: Load, lacks: Lack) -> Rule | None:
    """The rule that decides: of all that apply the harshest, and among equals the last; None if none applies.

    More keys, more bytes, less room and more pressure only make more rules apply, so the answer never becomes milder.
    """
    applying = [rule for rule in rules if rule.applies(cost, load, lacks)]
    return max(reversed(applying), key=lambda rule: severity(rule.answer), default=None)


def _is_above(value: int | None, threshold: int | None) -> bool:
    return threshold is None or value is None or value > threshold
