"""Rows that are no tuples: their values in the order of the description, or a refusal."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict, namedtuple
from contextlib import closing

import pytest

from mesbatch import read_sql_iter
from mesbatch.batch import Column
from mesbatch.errors import DataError
from mesbatch.source.tuples import as_tuples
from tests.rig.faulty import PlainConnection

COLUMNS = (Column("lot"), Column("n"))


class Record:
    """A row that gives its names to a loop, and its values by name only."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def keys(self):
        return self.__dict__.keys()

    def __iter__(self):
        return iter(self.__dict__)

    def __len__(self):
        return len(self.__dict__)

    def __getitem__(self, name):
        return self.__dict__[name]


@pytest.mark.parametrize(
    "row",
    [
        {"lot": "a", "n": 1},
        OrderedDict(n=1, lot="a"),
        Record(n=1, lot="a"),
        ["a", 1],
        namedtuple("Row", "lot n")("a", 1),
    ],
    ids=lambda row: type(row).__name__,
)
def test_a_row_of_any_kind_becomes_a_tuple_of_its_values(row):
    assert as_tuples([row], COLUMNS) == [("a", 1)]
    assert type(as_tuples([row], COLUMNS)[0]) is tuple


@pytest.mark.parametrize(
    "row",
    [{"lot": "a"}, {"lot": "a", "other": 1}, Record(lot="a"), "ab", b"ab", object(), ["a"], ["a", 1, 2], 7],
    ids=lambda row: f"{type(row).__name__} of {len(row)}" if hasattr(row, "__len__") else type(row).__name__,
)
def test_a_row_whose_values_cannot_be_told_apart_is_refused(row):
    with pytest.raises(DataError, match=r"cannot be told apart for the columns lot, n"):
        as_tuples([row], COLUMNS)


def test_a_mapping_cannot_hold_two_columns_of_one_name():
    with pytest.raises(DataError, match="cannot be told apart"):
        as_tuples([{"n": 1}], (Column("n"), Column("n")))


def test_tuples_are_not_copied():
    rows = [("a", 1)]
    assert as_tuples(rows, COLUMNS) is rows


def test_a_row_of_sqlite3_keeps_both_columns_of_one_name(tmp_path):
    with closing(sqlite3.connect(":memory:")) as real:
        real.row_factory = sqlite3.Row
        with read_sql_iter("select 1 as n, 2 as n", PlainConnection(real)) as reader:
            assert next(reader).rows == [(1, 2)]


def test_a_cursor_of_dictionaries_gives_values_and_not_names():
    with closing(sqlite3.connect(":memory:")) as real:
        real.row_factory = lambda cursor, row: {d[0]: v for d, v in zip(reversed(cursor.description), reversed(row))}
        with read_sql_iter("select 'a' as lot, 1 as n union all select 'b', 2", PlainConnection(real)) as reader:
            assert next(reader).rows == [("a", 1), ("b", 2)]
