"""The aggregation of the dashboard: rejects that are counted as they pass, and never kept."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import Any

from mesbatch.batch import Batch, find_column

DIMENSIONS = {
    "by_loss_reason": "LOSSREASONNAME",
    "by_work_centre_group": "WORKCENTER_GROUP",
    "by_equipment": "EQUIPMENTNAME",
    "by_material": "MATERIALPARTNAME",
}


class RejectCounts:
    """Counts of the rows of the domain ``rejects`` by loss reason, work-centre group, equipment and material.

    Holds one number for each distinct value, however many rows pass.

    >>> counts = RejectCounts()
    >>> columns = ("LOSSREASONNAME", "WORKCENTER_GROUP", "EQUIPMENTNAME", "MATERIALPARTNAME")
    >>> counts.add("rejects", Batch(columns, [("crack", "PACK", "GPCK-0001", "MAT-0001")] * 2))
    >>> counts.result()["by_loss_reason"]
    {'crack': 2}
    """

    def __init__(self) -> None:
        self._rejects = 0
        self._counters: dict[str, Counter[str]] = {dimension: Counter() for dimension in DIMENSIONS}

    def add(self, domain: str, batch: Batch) -> None:
        """Count the rows of *batch*, if *domain* is that of rejects."""
        if domain != "rejects":
            return
        self._rejects += batch.num_rows
        for dimension, column in DIMENSIONS.items():
            self._counters[dimension].update(map(itemgetter(find_column(batch.columns, column)), batch.rows))

    def result(self) -> dict[str, int | dict[str, int]]:
        """Give the number of rejects and, for each dimension, the counts of its values, most frequent first."""
        dimensions = {dimension: dict(counter.most_common()) for dimension, counter in self._counters.items()}
        return {"rejects": self._rejects, **dimensions}

    def state(self) -> dict[str, int | dict[str, int]]:
        """Give the counts so far, as JSON, for a job that is resumed."""
        return self.result()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting from *state*."""
        self._rejects = state["rejects"]
        self._counters = {dimension: Counter(state[dimension]) for dimension in DIMENSIONS}
