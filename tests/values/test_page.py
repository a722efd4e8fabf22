from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
pytest.importorskip("duckdb", reason="no duckdb")
pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
pytest.importorskip("polars", reason="no polars")

import duckdb
import oracledb
import psycopg

from tests.oracle.rig import OracleServer
from tests.values import arrow, oracle
from tests.values.page import page
from tests.values.ways import ways_of, ways_of_tables

PAGE = Path(__file__).parents[2] / "docs/types.md"


def test_the_page_of_types_is_what_the_matrix_gives(in_postgres, in_sqlite, in_duckdb, tmp_path):
    """``MESBATCH_WRITE_TYPES=1`` writes it."""
    with OracleServer(tmp_path / "oracle.db") as server, oracledb.connect(**server.credentials) as con:
        oracle.load(con)
        in_oracle = oracle.DATABASE, ways_of(con)
        sections = [in_postgres, in_sqlite, in_oracle, in_duckdb, (arrow.DATABASE, ways_of_tables())]
        try:
            written = page(sections)
        except (psycopg.Error, duckdb.Error) as error:
            pytest.skip(f"this server or this DuckDB lacks a type of the page: {error}")
    if os.environ.get("MESBATCH_WRITE_TYPES"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written
