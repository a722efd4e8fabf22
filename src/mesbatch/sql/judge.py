"""Stand-in until the judge that proves is merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mesbatch.batch import find_column
from mesbatch.errors import KeyColumnError, NotSplittable
from mesbatch.sql.query import find_keys
from mesbatch.sql.splittable import check_splittable


@dataclass(frozen=True)
class Judgement:
    key_outputs: tuple[int, ...]
    unproved: str | None
    refusal: str | None


def judge(sql: str, columns: Sequence[str] | None) -> Judgement:
    name = find_keys(sql).column
    refusal = None
    try:
        check_splittable(sql, name or "?")
    except NotSplittable as error:
        refusal = str(error)
    try:
        outputs = (find_column(list(columns or ()), name),) if name else ()
    except KeyColumnError:
        outputs = ()
    return Judgement(outputs, f"the result has no column {name!r} that tells which key a row belongs to", refusal)
