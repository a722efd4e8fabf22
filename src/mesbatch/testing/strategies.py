"""Strategies for hypothesis: values, columns, rows, batches, keys and faults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mesbatch.batch import Batch, Row
from mesbatch.testing.faults import Faults

COLUMNS = ("k", "v", "w")
"""The columns of `batches` unless you name others; the first one is the key."""

_offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
SCALARS: dict[str, SearchStrategy[Any]] = {
    "none": st.none(),
    "bool": st.booleans(),
    "int": st.integers(-(2**63), 2**64 - 1),
    "huge int": st.integers(),
    "float": st.floats(),
    "str": st.text(),
    "surrogate": st.text(st.characters(categories=["Cs"]), min_size=1),
    "bytes": st.binary(),
    "decimal": st.decimals(),
    "date": st.dates(),
    "time": st.times(),
    "aware time": st.times(timezones=_offsets),
    "datetime": st.datetimes(),
    "aware datetime": st.datetimes(timezones=_offsets),
    "timedelta": st.timedeltas(),
    "uuid": st.uuids(),
}
"""The types of values that drivers give, by name; NaN, infinities and lone surrogates are among them."""

_texts = st.text(st.characters(min_codepoint=33, categories=["L", "N", "P", "S"]), min_size=1, max_size=16)


def values() -> SearchStrategy[Any]:
    """Make any value of a row: a scalar, or a list of them, as arrays are."""
    scalar = st.one_of(*SCALARS.values())
    return st.recursive(scalar, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


def columns(min_size: int = 1, max_size: int = 6) -> SearchStrategy[tuple[str, ...]]:
    """Make distinct names of columns: ordinary ones, and names that a database allows between quotes.

    Args:
        min_size: The fewest names.
        max_size: The most names.
    """
    ordinary = st.sampled_from(["CONTAINERID", "lot", "Qty", "spec_2", "order"])
    name = st.one_of(ordinary, st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12))
    return st.lists(name, min_size=min_size, max_size=max_size, unique_by=str.casefold).map(tuple)


def keys(key: SearchStrategy[Any] | None = None, *, max_size: int = 40) -> SearchStrategy[list[Any]]:
    """Make keys for `read_sql_iter`, in any order and with repeats.

    Args:
        key: The strategy of one key; by default all keys are texts, or all are numbers.
        max_size: The most keys.
    """
    kinds = [_texts, st.integers(-(2**63), 2**63 - 1)] if key is None else [key]
    return st.one_of([st.lists(kind, max_size=max_size) for kind in kinds])


def group_keys() -> SearchStrategy[Any]:
    """Make values of a key's column: few, so that they repeat, and of more than one type.

    >>> from hypothesis import given
    >>> @given(group_keys())
    ... def hashes(key):
    ...     hash(key)
    >>> hashes()
    """
    return st.one_of(st.none(), st.integers(0, 4), st.sampled_from(["a", "b", "c", "a "]))


@st.composite
def rows(
    draw: DrawFn,
    columns: Sequence[str] = COLUMNS,
    *,
    key: SearchStrategy[Any] | None = None,
    max_size: int = 8,
) -> list[Row]:
    """Make a list of rows: each column after the first is of one type or of any, with nulls.

    Args:
        draw: Given by hypothesis.
        columns: The names of the columns.
        key: The strategy of the first column, by default `group_keys`.
        max_size: The most rows.
    """
    return draw(st.lists(_row(draw, columns, key), max_size=max_size))


@st.composite
def batches(
    draw: DrawFn,
    columns: Sequence[str] = COLUMNS,
    *,
    key: SearchStrategy[Any] | None = None,
    max_size: int = 6,
) -> list[Batch]:
    """Make a few batches of the same columns, some of them empty.

    Args:
        draw: Given by hypothesis.
        columns: The names of the columns.
        key: The strategy of the first column, by default `group_keys`.
        max_size: The most batches.
    """
    row = _row(draw, columns, key)
    return [Batch(tuple(columns), some) for some in draw(st.lists(st.lists(row, max_size=8), max_size=max_size))]


def faults(max_calls: int = 40) -> SearchStrategy[Faults]:
    """Make a failure at one of the first calls: once, twice or for ever; or none.

    Args:
        max_calls: The last call that may fail.
    """
    calls = st.one_of(st.none(), st.integers(1, max_calls))
    return st.builds(Faults, calls, st.sampled_from([1, 2, None]))


def _row(draw: DrawFn, columns: Sequence[str], key: SearchStrategy[Any] | None) -> SearchStrategy[Row]:
    kinds = st.sampled_from([values(), *SCALARS.values()]).map(lambda kind: st.one_of(st.none(), kind))
    others = [draw(kinds) for _ in columns[1:]]
    return st.tuples(key if key is not None else group_keys(), *others)
