"""Made-up batches with every type of value, and the plain code whose answers are the truth."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from mesbatch.batch import Batch, Row

COLUMNS = ("k", "v", "w")

offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
surrogates = st.characters(categories=["Cs"])
scalars = {
    "none": st.none(),
    "bool": st.booleans(),
    "int": st.integers(-(2**63), 2**64 - 1),
    "huge int": st.integers(),
    "float": st.floats(),
    "str": st.text(),
    "surrogate": st.text(surrogates, min_size=1),
    "bytes": st.binary(),
    "decimal": st.decimals(),
    "date": st.dates(),
    "time": st.times(),
    "aware time": st.times(timezones=offsets),
    "datetime": st.datetimes(),
    "aware datetime": st.datetimes(timezones=offsets),
    "timedelta": st.timedeltas(),
    "uuid": st.uuids(),
}
values = st.recursive(st.one_of(*scalars.values()), lambda inner: st.lists(inner, max_size=3), max_leaves=4)
columns_of_values = st.sampled_from([values, *scalars.values()]).map(lambda kind: st.one_of(st.none(), kind))
keys = st.one_of(st.none(), st.integers(0, 4), st.sampled_from(["a", "b", "c", "a "]))


@st.composite
def lists_of_batches(draw: st.DrawFn, keys: st.SearchStrategy[Any] = keys) -> list[Batch]:
    """A few batches of the same `COLUMNS`, each column of one type or of any."""
    rows = st.tuples(keys, draw(columns_of_values), draw(columns_of_values))
    return [Batch(COLUMNS, batch) for batch in draw(st.lists(st.lists(rows, max_size=8), max_size=6))]


def grouped_in_a_dict(batches: Iterable[Batch], position: int = 0) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for _, rows in batches:
        for row in rows:
            groups.setdefault(row[position], []).append(row)
    return groups


def exactly(value: Any) -> str:
    """Text that tells values, types, NaN, signs and offsets apart."""
    return repr(value)
