from __future__ import annotations

import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
pytest.importorskip("duckdb", reason="no duckdb")
pytest.importorskip("polars", reason="no polars")

from tests.values import arrow as of_arrow
from tests.values import duckdb as of_duckdb
from tests.values import oracle as of_oracle
from tests.values import postgres, sqlite
from tests.values.law import Database, Type, run
from tests.values.ways import Way, ways_of_tables

pytestmark = pytest.mark.slow


def check(database: Database, ways: list[Way], type_: Type) -> None:
    try:
        texts = database.own_texts(type_)
    except Exception as error:
        pytest.skip(f"this {database.name} has no {type_.name}: {error}")
    outcomes = [run(database, type_, way, texts, ways) for way in ways]
    wrong = [f"{outcome.way}: {line}" for outcome in outcomes for line in outcome.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("type_", postgres.TYPES, ids=lambda type_: type_.name)
def test_values_of_postgresql_come_as_they_are_or_an_error_names_a_way_out(in_postgres, type_):
    check(*in_postgres, type_)


@pytest.mark.parametrize("type_", sqlite.TYPES, ids=lambda type_: type_.name or "no type")
def test_values_of_sqlite_come_as_they_are_or_an_error_names_a_way_out(in_sqlite, type_):
    check(*in_sqlite, type_)


@pytest.mark.parametrize("type_", of_oracle.TYPES, ids=lambda type_: type_.name)
def test_values_of_oracle_come_as_they_are_or_an_error_names_a_way_out(in_oracle, type_):
    check(*in_oracle, type_)


@pytest.mark.parametrize("type_", of_duckdb.TYPES, ids=lambda type_: type_.name)
def test_values_of_duckdb_come_as_they_are_or_an_error_names_a_way_out(in_duckdb, type_):
    check(*in_duckdb, type_)


@pytest.mark.parametrize("type_", of_arrow.TYPES, ids=lambda type_: type_.name)
def test_values_of_arrow_come_as_they_are_or_an_error_names_a_way_out(type_):
    check(of_arrow.DATABASE, ways_of_tables(), type_)
