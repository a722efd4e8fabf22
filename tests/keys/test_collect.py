from __future__ import annotations

import os
import sqlite3
import tempfile
import tracemalloc
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import islice
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import InvalidKey
from mesbatch.keys import collect as keys_module
from mesbatch.keys.collect import CHECKED_AT_ONCE, SortedKeys, SpooledKeys, collect_keys
from mesbatch.read.reader import read_sql_iter
from mesbatch.units import MiB

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(str.strip)
spooled = {
    "text": texts,
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=100),
    "date": st.dates(),
    "uuid": st.uuids(),
}
listed = spooled | {"decimal": st.decimals(allow_nan=False), "datetime": st.datetimes(), "large int": st.integers()}
lists_of_keys = st.sampled_from(list(listed.values())).flatmap(st.lists)
iterators_of_keys = st.sampled_from(list(spooled.values())).flatmap(st.lists)


def all_of(keys, size=3):
    return [key for some in keys.slices(lambda: size) for key in some]


@given(given_keys=lists_of_keys, size=st.integers(1, 5))
def test_keys_of_a_collection_are_distinct_and_ascend(given_keys, size):
    keys = collect_keys(given_keys)
    assert isinstance(keys, SortedKeys)
    assert all_of(keys, size) == sorted(set(given_keys))
    check_law(keys, sorted(set(given_keys)))


@given(given_keys=iterators_of_keys, size=st.integers(1, 5))
def test_keys_of_an_iterator_are_distinct_and_ascend_as_python_orders_them(given_keys, size):
    keys = collect_keys(iter(given_keys))
    assert isinstance(keys, SpooledKeys)
    found = all_of(keys, size)
    assert found == sorted(set(given_keys))
    assert {type(key) for key in found} == {type(key) for key in given_keys}
    check_law(keys, sorted(set(given_keys)))
    keys.close()


@given(given_keys=iterators_of_keys, ascending=st.integers(0, 12), text=st.sampled_from([0, 5, 500_000]))
def test_keys_that_ascend_only_for_a_while_are_distinct_and_ascend_at_last(given_keys, ascending, text):
    given_keys = sorted(given_keys[:ascending]) + given_keys[ascending:] + given_keys[: ascending // 2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys_module, "CHECKED_AT_ONCE", 2)  # some parts of them ascend, and some do not
        patch.setattr(keys_module, "TEXT_AT_ONCE", text)
        with closing(collect_keys(iter(given_keys))) as keys:
            assert all_of(keys) == sorted(set(given_keys))


@given(given_keys=lists_of_keys, size=st.integers(1, 5))
def test_keys_of_a_long_list_are_those_of_a_short_one(given_keys, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys_module, "SORTED_IN_MEMORY", 2)
        keys = collect_keys(given_keys)
    types = {type(key) for key in given_keys}
    kept = not types & {Decimal, datetime} and all(-(2**63) <= key < 2**63 for key in given_keys if type(key) is int)
    assert isinstance(keys, SpooledKeys) == (len(given_keys) > 2 and kept)
    assert all_of(keys, size) == sorted(set(given_keys))
    check_law(keys, sorted(set(given_keys)))
    keys.close()


def test_a_long_list_of_keys_is_not_held_again():
    given_keys = [f"key-{n * 7_919 % 600_000}" for n in range(600_000)]
    tracemalloc.start()
    try:
        keys = collect_keys(given_keys)
        assert tracemalloc.get_traced_memory()[1] < 2 * MiB  # another list of them would take 5 MiB
    finally:
        tracemalloc.stop()
    assert len(keys) == 600_000
    keys.close()


def test_the_keys_that_a_read_put_on_disk_are_gone_with_it(monkeypatch):
    monkeypatch.setattr(keys_module, "SORTED_IN_MEMORY", 2)
    spools = []
    monkeypatch.setattr(keys_module, "SpooledKeys", lambda checked: spools.append(SpooledKeys(checked)) or spools[-1])
    con = sqlite3.connect(":memory:")
    con.execute("create table lots (lot)")
    con.executemany("insert into lots values (?)", [("c",), ("a",), ("d",)])
    with read_sql_iter("select * from lots where lot in (:keys)", con, keys=["d", "c", "b"], key="lot") as reader:
        assert [row for batch in reader for row in batch.rows] == [("c",), ("d",)]
        assert spools
    for spool in spools:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            len(spool)


def check_law(keys, expected):
    assert len(keys) == len(expected)
    if not expected:
        return
    assert keys.last() == expected[-1]
    assert all(key in keys for key in expected)
    middle = expected[len(expected) // 2]
    above = keys.above(middle)
    assert all_of(above) == [key for key in expected if key > middle]
    assert len(above) == len(all_of(above))
    assert middle not in above


def test_a_library_without_json_keeps_the_same_keys(monkeypatch):
    class Old(sqlite3.Connection):
        def execute(self, sql, *parameters):
            return super().execute(sql.replace("json_each", "no_such_function"), *parameters)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Old))
    given_keys = ["b", "a", 'c"\\\x1f\u00e4\U0001f600', "b"]
    with closing(collect_keys(iter(given_keys))) as keys:
        assert not keys._knows_json
        assert all_of(keys) == sorted(set(given_keys))


def test_lists_of_keys_have_the_size_that_is_asked_for_each_time():
    for keys in (collect_keys(range(10)), collect_keys(iter(range(10)))):
        sizes = iter([1, 2, 3, 100, 100])
        assert [len(some) for some in keys.slices(lambda sizes=sizes: next(sizes))] == [1, 2, 3, 4]
        keys.close()


@pytest.mark.parametrize("as_iterator", [False, True])
def test_blanks_are_taken_off_before_keys_are_compared(as_iterator):
    given_keys = ["a ", "a", "b", " b", "a  "]
    keys = collect_keys(iter(given_keys) if as_iterator else given_keys, strip_blanks=True)
    assert all_of(keys) == [" b", "a", "b"]
    keys.close()


def test_keys_that_were_collected_are_given_back_as_they_are():
    for keys in (collect_keys([1]), collect_keys(iter([1]))):
        assert collect_keys(keys) is keys
        keys.close()


@pytest.mark.parametrize("key", [Decimal(1), datetime(2026, 2, 25)])
def test_what_sqlite_does_not_order_as_python_does_cannot_come_from_an_iterator(key):
    assert all_of(collect_keys([key])) == [key]
    with pytest.raises(InvalidKey, match="pass them as a list"):
        collect_keys(iter([key]))


def test_an_int_of_more_than_64_bits_cannot_come_from_an_iterator():
    assert all_of(collect_keys([2**64])) == [2**64]
    with pytest.raises(InvalidKey, match="must fit into 64 bits"):
        collect_keys(iter([1, 2**64]))


@pytest.mark.parametrize("position", [0, 1, CHECKED_AT_ONCE - 1, CHECKED_AT_ONCE, 2 * CHECKED_AT_ONCE + 5])
@pytest.mark.parametrize("as_iterator", [False, True])
def test_a_bad_key_is_named_by_its_position(position, as_iterator):
    given_keys = [f"k{n}" for n in range(3 * CHECKED_AT_ONCE)]
    given_keys[position] = "  "
    with pytest.raises(InvalidKey, match=f"key {position:,} is blank"):
        collect_keys(iter(given_keys) if as_iterator else given_keys)


def test_keys_of_an_iterator_leave_no_file_behind():
    before = set(os.listdir(tempfile.gettempdir()))  # noqa: PTH208  # names only
    keys = collect_keys(f"key-{n:020}" for n in range(200_000))
    assert len(keys) == 200_000
    assert not {name for name in set(os.listdir(tempfile.gettempdir())) - before if "sqlite" in name}  # noqa: PTH208
    assert list(islice(all_of(keys, 10_000), 2)) == ["key-00000000000000000000", "key-00000000000000000001"]
    keys.close()


def test_looking_up_a_key_of_another_kind_finds_nothing():
    keys = collect_keys(iter([date(2026, 2, 25)]))
    assert date(2026, 2, 25) in keys
    assert date(2026, 2, 26) not in keys
    keys.close()
    unique = UUID(int=5)
    assert unique in collect_keys([unique])


@pytest.mark.parametrize("given_as", [list, iter])
def test_a_decimal_is_the_int_that_equals_it_and_no_other(given_as):
    """Databases give whole numbers as Decimals."""
    with closing(collect_keys(given_as([1, 2]))) as keys:
        assert (keys.find(Decimal("2.00")), keys.find(Decimal("1.5")), keys.find(Decimal(3))) == (2, None, None)


def test_a_decimal_is_the_float_nearest_to_it():
    with closing(collect_keys(iter([0.5, 2.0]))) as keys:
        assert (keys.find(Decimal("0.5")), keys.find(Decimal(2)), keys.find(Decimal("0.25"))) == (0.5, 2.0, None)
