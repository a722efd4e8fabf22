"""psycopg2 and pg8000 give the values that psycopg 3 gives, whose own are proved by the matrix, or refuse them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, time
from urllib.parse import urlsplit

import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")

from mesbatch import read_sql_iter
from mesbatch.errors import UnencodableValue
from tests.values import postgres

pytestmark = pytest.mark.slow


def connect_psycopg2(url):
    psycopg2 = pytest.importorskip("psycopg2", reason="could not import psycopg2")
    return psycopg2.connect(url)


def connect_pg8000(url):
    dbapi = pytest.importorskip("pg8000.dbapi", reason="could not import pg8000")
    parts = urlsplit(url)
    return dbapi.connect(user=parts.username, host=parts.hostname, port=parts.port, database=parts.path[1:])


@pytest.fixture(params=[connect_psycopg2, connect_pg8000], ids=["psycopg2", "pg8000"])
def con(request, postgres_url):
    with closing(request.param(postgres_url)) as con:
        con.autocommit = True
        cursor = con.cursor()
        cursor.execute("set search_path = matrix, public")
        cursor.execute(f"set timezone = '{postgres.ZONE}'")
        yield con


def value_of(sql, con):
    """The value of the one row, or that it was refused with a way out."""
    try:
        ((row,),) = [batch.rows for batch in read_sql_iter(sql, con)]
    except UnencodableValue as error:
        return "refused" if "read it as text" in str(error) else str(error)
    return shown(row[-1])


def shown(value):
    """*value* with its class, and moments in one zone."""
    if isinstance(value, list):
        return list(map(shown, value))
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return value.astimezone(UTC).isoformat()
        except OverflowError:
            return "at the end of the calendar"
    if isinstance(value, time) and value.tzinfo is not None:
        return value.isoformat()
    return repr(value)


@pytest.mark.parametrize("type_", postgres.TYPES, ids=lambda type_: type_.name)
def test_values_are_those_of_psycopg_3_or_refused(in_postgres, postgres_url, con, type_):
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    database, _ = in_postgres
    options = f"-csearch_path=matrix,public -ctimezone={postgres.ZONE}"
    with psycopg.connect(postgres_url, autocommit=True, options=options) as known:
        for position in range(len(type_.literals)):
            sql = database.select(type_, [position])
            assert value_of(sql, con) == value_of(sql, known), type_.literals[position]


@pytest.mark.parametrize("document", ["null", '"x"', '{"a": 1.50}', "[1, 2]"])
def test_documents_are_their_text_in_arrow(con, document):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    with read_sql_iter(f"select '{document}'::jsonb, array['{document}'::jsonb]", con) as reader:
        assert [list(batch.to_pydict().values()) for batch in reader.arrow()] == [[[document], [[document]]]]


STYLES = {
    "datestyle": ["SQL, DMY", "SQL, MDY", "German", "Postgres, DMY", "ISO, YMD"],
    "intervalstyle": ["sql_standard", "iso_8601", "postgres_verbose"],
    "bytea_output": ["escape"],
}


@pytest.mark.parametrize(("setting", "style"), [(name, one) for name, some in STYLES.items() for one in some])
def test_another_style_of_the_server_changes_no_value(con, setting, style):
    statements = (
        "select timestamp '2024-03-04 05:06'", "select timestamptz '2024-03-04 05:06Z'", "select date '2024-03-04'",
        "select interval '-00:00:01'", "select interval '1 day -02:03:04.5'", "select interval '5 days'",
        "select '\\x00ff5c'::bytea",
    )  # fmt: skip
    expected = [value_of(sql, con) for sql in statements]
    con.cursor().execute(f"set {setting} = '{style}'")
    for sql, value in zip(statements, expected, strict=True):
        assert value_of(sql, con) in (value, "refused")
