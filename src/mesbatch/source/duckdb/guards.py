"""Values of DuckDB that its Python client changes in silence, told by an expression that the database works out.

It gives an infinite date as the last one that Python has, a month as 30 days, and cuts nanoseconds; of a nested value
only its text tells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesbatch.batch import Column

_MOMENTS = "{{0}} NOT BETWEEN {kind} '0001-01-01' AND {kind} '9999-12-31 23:59:59{fraction}'"
_CONDITIONS = {
    "date": "{0} NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'",
    "timestamp": _MOMENTS.format(kind="TIMESTAMP", fraction=".999999"),
    "timestamp_s": _MOMENTS.format(kind="TIMESTAMP_S", fraction=""),
    "timestamp_ms": _MOMENTS.format(kind="TIMESTAMP_MS", fraction=".999"),
    "timestamp_ns": "isinf({0}) OR epoch_ns({0}) % 1000 <> 0",
    # A day less on both sides: in its zone a moment may lie in the year before, or after.
    "timestamp with time zone": "{0} NOT BETWEEN TIMESTAMPTZ '0001-01-02' AND TIMESTAMPTZ '9999-12-30'",
    "time": "{0} = TIME '24:00:00'",
    "time_ns": "epoch_ns({0}) % 1000 <> 0 OR {0}::VARCHAR LIKE '24:%'",
    "time with time zone": "{0}::VARCHAR LIKE '24:%'",
    "interval": "date_part('year', {0}) * 12 + date_part('month', {0}) <> 0",
}
_NESTED = re.compile(r"[\[(].*\b(date|time|interval)|\b(date|time\w*|interval)\b.*[\[)]")
_NESTED_CONDITION = r"regexp_matches({0}::VARCHAR, 'infinity|BC|[0-9]{{5}}-|24:00:00|month|year|\.[0-9]{{7}}')"
NO_GUARD = "0"


def guard(columns: Sequence[Column], names: Sequence[str]) -> str:
    """Build the expression of the number, from 1, of the first of *columns* whose value would be changed, or 0.

    *names* are those of the columns in the statement that it is put into.
    """
    cases = [
        f"WHEN {condition.format(name)} THEN {number}"
        for number, (column, name) in enumerate(zip(columns, names), 1)
        if (condition := _condition(column.type or ""))
    ]
    return f"CASE {' '.join(cases)} ELSE 0 END" if cases else NO_GUARD


def _condition(kind: str) -> str | None:
    return _CONDITIONS.get(kind) or (_NESTED_CONDITION if _NESTED.search(kind) else None)
