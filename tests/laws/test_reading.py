"""A read that is cut in any way gives the rows of one plain ``fetchall``, and its manifest agrees."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mesbatch import Batch, BatchReader, MiB, read_sql_iter
from mesbatch.batch import measure_rows
from mesbatch.errors import RowTooLarge
from mesbatch.group.by_key import group_by_key, iter_groups
from mesbatch.sink.ndjson import ndjson_lines
from tests.rig.databases import KEY_TYPES, STRATEGIES

pytestmark = pytest.mark.slow

COLUMNS = ("n", "k", "v")
fewer = settings(max_examples=settings.default.max_examples // 2)  # each connects to a server, up to three times

texts = st.sampled_from(["a", "b", "B", "b b", "bb", "ä", "🙂", "'; drop table t --", "%s", ":keys", "?", "0", "1"])
keys_of = {
    "text": texts | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5),
    "bigint": st.integers(-3, 6) | st.integers(-(2**63), 2**63 - 1),
    "char(6)": st.sampled_from(["a", "b", "B", "b b", "ä", "0", "longer"]),
}
values = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
budgets = st.sampled_from([1, 500, 2_000, 20_000, 8 * MiB])


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[tuple[int, Any, Any]], list[Any]]:
    """The type of a table's key, its rows, and the keys to read it by: some of them repeated, some absent."""
    key_type = draw(st.sampled_from(KEY_TYPES))
    known = draw(st.lists(keys_of[key_type], min_size=1, max_size=6))
    held = draw(st.lists(st.tuples(st.sampled_from([*known, None]), values), max_size=40))
    wanted = draw(st.lists(st.sampled_from(known) | keys_of[key_type], max_size=12))
    return key_type, [(n, key, value) for n, (key, value) in enumerate(held)], [key for key in wanted if _possible(key)]


def _possible(key: Any) -> bool:
    return not isinstance(key, str) or bool(key.strip())


def key_of(row: tuple[Any, ...]) -> Any:
    return row[1].rstrip(" ") if isinstance(row[1], str) else row[1]


def read(reader: BatchReader) -> list[Batch]:
    with reader:
        return list(reader)


def truth(database, table: str, keys: list[Any]) -> list[tuple[Any, ...]]:
    unique = list(dict.fromkeys(keys))
    marks = ", ".join("?" * len(unique))
    return database.fetchall(f"select * from {table} where k in ({marks})", unique) if unique else []


@fewer
@given(
    data=tables(), strategy=st.sampled_from(STRATEGIES), order=st.sampled_from(["key", "any"]),
    parallel=st.integers(1, 3), batch_size=st.none() | st.integers(1, 7), max_bytes=budgets,
    lazily=st.booleans(), borrowed=st.booleans(),
)  # fmt: skip
def test_rows_by_keys_are_those_of_one_fetchall(
    database, data, strategy, order, parallel, batch_size, max_bytes, lazily, borrowed
):
    assume(strategy in database.strategies and not (borrowed and parallel > 1))
    key_type, held, keys = data
    table = database.load(key_type, held)
    expected = truth(database, table, keys)
    reader = read_sql_iter(
        f"select * from {table} where k in (:keys)", database.borrowed if borrowed else database.own,
        keys=iter(keys) if lazily else keys, strategy=strategy, order=order, parallel=parallel,
        batch_size=batch_size, max_bytes=max_bytes,
    )  # fmt: skip
    try:
        batches = read(reader)
    except RowTooLarge:
        assert reader.manifest.status == "failed"
        assert max(measure_rows([row]) for row in expected) > max_bytes
        return
    check_rows(batches, expected)
    if order == "key":
        came = [key_of(row) for batch in batches for row in batch.rows]
        assert all(before <= after for before, after in pairwise(came))
        check_whole(batches, max_bytes // (2 * parallel + 1))
    check_manifest(reader, expected, len({key.rstrip(" ") if key_type == "char(6)" else key for key in keys}))


def check_rows(batches: list[Batch], expected: list[tuple[Any, ...]]) -> None:
    assert Counter(row for batch in batches for row in batch.rows) == Counter(expected)
    assert all(batch.columns == COLUMNS and batch.rows for batch in batches)


def check_whole(batches: list[Batch], share: int) -> None:
    """Check that only a key too large to be held back stands in two batches."""
    rows, places = defaultdict(list), defaultdict(set)
    for place, batch in enumerate(batches):
        for row in batch.rows:
            rows[row[1]].append(row)
            places[row[1]].add(place)
    for key, where in places.items():
        assert len(where) == 1 or measure_rows(rows[key]) > share // 2


def check_manifest(reader: BatchReader, expected: list[Any], keys: int) -> None:
    manifest = reader.manifest
    assert manifest.status == "complete"
    assert (manifest.rows, manifest.keys, manifest.keys_read) == (len(expected), keys, keys)
    assert manifest.parts_read == manifest.parts_planned
    assert not manifest.failed
    assert (manifest.nbytes > 0) == bool(expected)


@fewer
@given(data=tables(), batch_size=st.none() | st.integers(1, 7), max_bytes=budgets, borrowed=st.booleans())
def test_rows_without_keys_are_those_of_one_fetchall(database, data, batch_size, max_bytes, borrowed):
    key_type, held, _ = data
    table = database.load(key_type, held)
    expected = database.fetchall(f"select * from {table} order by n")
    con = database.borrowed if borrowed else database.own
    reader = read_sql_iter(f"select * from {table} order by n", con, batch_size=batch_size, max_bytes=max_bytes)
    try:
        batches = read(reader)
    except RowTooLarge:
        assert max(measure_rows([row]) for row in expected) > max_bytes
        return
    assert [row for batch in batches for row in batch.rows] == expected
    check_rows(batches, expected)
    assert batch_size is None or all(batch.num_rows <= batch_size for batch in batches)
    check_manifest(reader, expected, 0)
    assert reader.columns == COLUMNS


@fewer
@given(data=tables(), strategy=st.sampled_from(STRATEGIES), batch_size=st.integers(1, 7))
def test_groups_are_those_of_one_dict(database, data, strategy, batch_size):
    assume(strategy in database.strategies)
    key_type, held, keys = data
    table = database.load(key_type, held)
    expected = defaultdict(Counter)
    for row in truth(database, table, keys):
        expected[row[1]][row] += 1

    def reader() -> BatchReader:
        sql = f"select * from {table} where k in (:keys)"
        return read_sql_iter(sql, database.own, keys=keys, strategy=strategy, batch_size=batch_size)

    with reader() as batches:
        neighbours = list(iter_groups(batches, "k"))
    assert {key: Counter(rows) for key, rows in neighbours} == expected
    assert len(neighbours) == len(expected)
    with reader() as batches, group_by_key(batches, "k", max_bytes=2_000) as groups:
        assert {key: Counter(rows) for key, rows in groups.items()} == expected


@fewer
@given(data=tables(), batch_size=st.integers(1, 7))
def test_ndjson_decodes_to_the_values_that_were_read(database, data, batch_size):
    key_type, held, keys = data
    table = database.load(key_type, held)
    sql = f"select * from {table} where k in (:keys)"
    with read_sql_iter(sql, database.own, keys=keys, batch_size=batch_size) as reader:
        lines = b"".join(ndjson_lines(reader)).splitlines()
    decoded = [tuple(msgspec.json.decode(line).values()) for line in lines]
    assert Counter(decoded) == Counter(truth(database, table, keys))
    assert reader.manifest.checksum is not None


@pytest.mark.parametrize("keys", [[], iter(())], ids=["list", "iterator"])
def test_no_keys_are_no_rows_and_no_statement(database, keys):
    table = database.load("text", [(1, "a", None)])
    with read_sql_iter(f"select * from {table} where k in (:keys)", database.own, keys=keys) as reader:
        assert list(reader) == []
    assert reader.manifest.complete
    assert reader.columns == ()
