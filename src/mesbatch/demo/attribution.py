"""Attribution of scrap: the rejects of a lot, charged to the equipment and the material of its ancestors."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

from mesbatch.batch import find_column
from mesbatch.errors import NotIndexed
from mesbatch.jobs import Work
from mesbatch.store.keyed_rows import KeyedRows

LINEAGE = "lineage"  # the input: a JSON object of each seed's ancestors
REJECTS, EQUIPMENT, MATERIALS = "rejects", "upstream_history", "materials"


def attribute(work: Work) -> dict[str, Any]:
    """Charge the rejects of each seed of the lineage, once, to every equipment and material of its ancestors.

    Looks rejects, equipment and materials up by lot, in one pass each, and goes through the lineage twice. Holds the
    distinct seeds and ancestors, and two bytes for each pair of an ancestor and its equipment or material. Where a
    domain cannot be looked up, because a part of it is missing, the reason stands in place of the counts.
    """
    if not {REJECTS, EQUIPMENT, MATERIALS} <= set(work.domains):
        return {}
    try:
        return {"attribution": _attribution(work)}
    except NotIndexed as error:
        return {"attribution": {"error": str(error)}}


def _attribution(work: Work) -> dict[str, Any]:
    seeds, ancestors = set[str](), set[str]()
    for seed, above in work.inputs[LINEAGE].members():
        seeds.add(seed)
        ancestors.update(above)
    rejected = _rejected(work, seeds)
    del seeds
    equipment = _Marks(work.rows(EQUIPMENT, ancestors), "EQUIPMENTNAME")
    material = _Marks(work.rows(MATERIALS, ancestors), "MATERIALPARTNAME")
    del ancestors
    for seed, above in work.inputs[LINEAGE].members():
        if (quantity := rejected.get(seed)) is not None:
            equipment.charge(above, quantity)
            material.charge(above, quantity)
    return {
        "seeds": len(rejected),
        "rejects": sum(rejected.values()),
        "by_equipment": equipment.charged(),
        "by_material": material.charged(),
    }


def _rejected(work: Work, seeds: Collection[str]) -> dict[str, int]:
    rows = work.rows(REJECTS, seeds)
    quantity = find_column(rows.columns, "REJECTQTY")
    rejected: Counter[str] = Counter()
    for seed, row in rows:
        rejected[seed] += int(row[quantity])
    return {seed: count for seed, count in rejected.items() if count}


class _Marks:
    """The distinct names in a column of *rows*, by lot: two bytes for each, and one text for each name."""

    def __init__(self, rows: KeyedRows, column: str) -> None:
        position = find_column(rows.columns, column)
        self._numbers: dict[str, int] = {}
        self._marks = array("H")
        self._spans: dict[str, tuple[int, int]] = {}
        for lot, pairs in groupby(rows, key=itemgetter(0)):
            first = len(self._marks)
            names = {row[position] for _, row in pairs if row[position] is not None}
            self._marks.extend(sorted(self._numbers.setdefault(name, len(self._numbers)) for name in names))
            self._spans[lot] = (first, len(self._marks))

        self._charged = [0] * len(self._numbers)

    def charge(self, lots: Iterable[str], quantity: int) -> None:
        """Charge *quantity*, once, to each name that any of *lots* has."""
        marks: set[int] = set()
        for lot in lots:
            if (span := self._spans.get(lot)) is not None:
                marks.update(self._marks[span[0] : span[1]])
        for mark in marks:
            self._charged[mark] += quantity

    def charged(self) -> dict[str, int]:
        """Give the quantity that was charged to each name, the highest first."""
        counts = Counter(dict(zip(self._numbers, self._charged)))
        return {name: count for name, count in counts.most_common() if count}
