"""Names of columns are kept on every way, or refused on all that need them to differ."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ColumnNameError
from mesbatch.export import export
from mesbatch.sink.ndjson import ndjson_lines

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
import pyarrow.parquet as pq  # noqa: E402

NAMES = [
    ("a", "A"), ("", "b"), (" ", "b"), ("x.y", "x"), ('he "said"', "back\\slash"), ("new\nline", "tab\t"),
    ("é\U0001f600", "e\u0301"), ("key", "rows"), ("a:b", "select"), ("1", "__class__"), ("%s", "{}"), ("n" * 300, "b"),
    ("\x01", "b"), ("f0", "f1"), ("c0", "c1"), ("a", "a:1"), ("classes", "mesbatch_rows"),
]  # fmt: skip


@pytest.fixture(params=["sqlite3", "apsw", "URL", "ADBC"])
def con(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
    path = str(tmp_path / "names.db")
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("create table t (n integer, s text)")
        made.execute("insert into t values (1, 'x'), (2, 'y')")
    if request.param == "URL":
        yield f"sqlite:///{path}"
        return
    module = {"ADBC": "adbc_driver_sqlite.dbapi"}.get(request.param, request.param)
    connections = pytest.importorskip(module, reason=f"no {request.param}: it is not installed")
    connect = connections.Connection if request.param == "apsw" else connections.connect
    with closing(connect(path)) as connection:
        yield connection


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def check_names(sql: str, con: Any, names: tuple[str, ...], directory: Any) -> None:
    with read_sql_iter(sql, con) as reader:
        assert reader.columns == names
        first, *_ = b"".join(ndjson_lines(reader)).splitlines()
    assert tuple(json.loads(first)) == names
    assert tuple(pa.table(read_sql_iter(sql, con).arrow()).schema.names) == names
    export(sql, con, directory / "x.parquet", force=True)
    assert tuple(pq.read_schema(directory / "x.parquet").names) == names


@pytest.mark.parametrize("names", NAMES, ids=repr)
def test_names_are_kept(con, tmp_path, names):
    first, second = map(quoted, names)
    check_names(f"select n as {first}, s as {second} from t", con, names, tmp_path)


@pytest.mark.parametrize("names", [pair for pair in NAMES if all(pair) and len(pair[0]) < 64], ids=repr)
def test_names_of_postgresql_are_kept(postgres, postgres_schema_url, tmp_path, names):
    first, second = map(quoted, names)
    for con in (postgres, postgres_schema_url):
        check_names(f"select 1 as {first}, 1.50::numeric as {second}", con, names, tmp_path)


def test_a_name_that_repeats_is_refused_but_in_arrays(con, tmp_path):
    sql = "select n as a, s as a from t"
    for arrow in (lambda: pa.table(read_sql_iter(sql, con).arrow()), lambda: export(sql, con, tmp_path / "x.arrow")):
        with pytest.raises(ColumnNameError, match="column 'a' appears more than once"):
            arrow()
    with read_sql_iter(sql, con) as reader, pytest.raises(ColumnNameError, match="'a' appears more than once"):
        next(ndjson_lines(reader))
    with read_sql_iter(sql, con) as reader:
        assert b"".join(ndjson_lines(reader, shape="arrays")).endswith(b'[1,"x"]\n[2,"y"]\n')


def test_a_name_that_repeats_in_postgresql_is_refused_as_well(postgres, postgres_schema_url):
    for sql in ("select 1 as a, 2 as a", "select 1 as a, 1.5 as a"):
        for con in (postgres, postgres_schema_url):
            with pytest.raises(ColumnNameError, match="column 'a' appears more than once"):
                pa.table(read_sql_iter(sql, con).arrow())
            with read_sql_iter(sql, con) as reader:
                assert [len(row) for batch in reader for row in batch.rows] == [2]
