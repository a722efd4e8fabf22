from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from mesbatch import KiB, MiB, read_sql_iter
from mesbatch.errors import ColumnNameError, RowTooLarge, SchemaChanged, UnencodableValue
from mesbatch.events import FetchOverBudget
from tests.rig.lots import ROWS, make_lots

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")


@pytest.fixture
def path(tmp_path):
    return make_lots(tmp_path)


@pytest.fixture
def sqlite(path):
    with closing(sqlite3.connect(path)) as con:
        yield con


def adbc(path: Any) -> Any:
    return pytest.importorskip("adbc_driver_sqlite.dbapi", reason="no adbc: the extra arrow is not installed").connect(
        f"file:{path}?mode=ro"
    )


def test_record_batches_hold_the_rows_of_the_read_and_its_manifest_counts_them(sqlite):
    with read_sql_iter("select * from lots", sqlite, batch_size=700) as reader:
        batches = list(reader.arrow({"qty": pa.float64()}))

    assert [row for batch in batches for row in zip(*batch.to_pydict().values())] == ROWS
    assert len(batches) > 1
    assert (reader.manifest.status, reader.manifest.rows) == ("complete", 1_000)


def test_any_library_that_knows_arrow_streams_takes_it_as_it_is(path):
    pl = pytest.importorskip("polars", reason="no polars")
    duckdb = pytest.importorskip("duckdb", reason="no duckdb")
    pd = pytest.importorskip("pandas", reason="no pandas")

    def arrow() -> Any:
        return read_sql_iter("select * from lots", f"sqlite:///{path}").arrow()

    expected = pa.table(arrow())
    assert expected.num_rows == 1_000
    assert pl.DataFrame(arrow()).rows() == ROWS
    stream = arrow()  # noqa: F841  # duckdb finds it by its name
    with duckdb.connect() as con:
        assert con.sql("select count(*), sum(id) from stream").fetchall() == [(1_000, 499_500)]
    assert list(pd.DataFrame.from_arrow(arrow())["lot"]) == [row[1] for row in ROWS]


@pytest.mark.parametrize("batches", [0, 1])
def test_a_stream_that_is_dropped_early_gives_everything_back(sqlite, batches):
    reader = read_sql_iter("select * from lots", sqlite, batch_size=10)
    stream = pa.RecordBatchReader.from_stream(reader.arrow({"qty": pa.float64()}))
    for _ in range(batches):
        stream.read_next_batch()
    stream.close()
    del stream

    assert reader.manifest.status == "truncated"
    assert next(reader, None) is None


def test_a_failure_reaches_who_consumes_the_stream(sqlite):
    sqlite.execute("insert into lots values (1000, 'x', 'no number')")
    reader = read_sql_iter("select * from lots", sqlite, batch_size=100)

    with pytest.raises(Exception, match=r"'no number' does not fit double.*pa\.string"):
        pa.table(reader.arrow({"qty": pa.float64()}))

    assert reader.manifest.status == "failed"


@pytest.mark.parametrize("first", [1, None])
def test_where_nobody_declares_a_type_the_first_batch_decides_and_a_misfit_is_an_error(sqlite, first):
    sql = "select ? as QTY union all select 2.5"
    with pytest.raises(SchemaChanged, match=r"column 'QTY' of row 2: 2.5 does not fit .*schema="):
        list(read_sql_iter(sql, sqlite, [first], batch_size=1).arrow())

    declared = read_sql_iter(sql, sqlite, [first], batch_size=1).arrow({"QTY": pa.float64()})
    assert pa.table(declared).column(0).to_pylist() == [first, 2.5]


def test_the_declared_types_of_sqlite_hold_from_the_first_row_on(path):
    apsw = pytest.importorskip("apsw", reason="no apsw: the extra arrow is not installed")
    with closing(apsw.Connection(str(path))) as con:
        arrow = read_sql_iter("select * from lots", con, batch_size=10).arrow()
        assert arrow.schema == pa.schema([("id", pa.int64()), ("lot", pa.string()), ("qty", pa.float64())])
        assert pa.table(arrow).column("qty").to_pylist() == [row[2] for row in ROWS]


@pytest.mark.parametrize("value", [2.5, "many"])
def test_a_value_beside_its_declared_type_is_an_error_on_every_way(path, value):
    apsw = pytest.importorskip("apsw", reason="no apsw: the extra arrow is not installed")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("insert into lots values (?, 'x', 1)", [value])
    with closing(apsw.Connection(str(path))) as con:
        for origin in (con, f"sqlite:///{path}"):
            reader = read_sql_iter("select * from lots", origin)
            with pytest.raises(SchemaChanged):
                list(reader.arrow())
            assert reader.manifest.status == "failed"


def test_sqlite_without_a_result_has_a_schema(path):
    pytest.importorskip("apsw", reason="no apsw: the extra arrow is not installed")
    arrow = read_sql_iter("select id, lot from lots where false", f"sqlite:///{path}").arrow()

    assert arrow.schema.names == ["id", "lot"]
    assert pa.table(arrow).num_rows == 0
    assert arrow.manifest.complete


@pytest.mark.parametrize("order", ["", "order by lot desc, id"])
def test_a_url_gives_the_same_whether_adbc_reads_it_or_tuples_are_converted(path, order):
    apsw = pytest.importorskip("apsw", reason="no apsw: the extra arrow is not installed")
    sql = f'select id, lot, qty, lot as "a ""b" from lots {order}'
    with closing(apsw.Connection(str(path))) as con:
        converted = pa.table(read_sql_iter(sql, con).arrow())
    direct = read_sql_iter(sql, f"sqlite:///{path}").arrow()

    assert pa.table(direct).equals(converted)
    assert direct.manifest.rows == 1_000


def test_a_url_is_read_without_python_objects(path):
    pytest.importorskip("apsw", reason="no apsw: the extra arrow is not installed")
    pytest.importorskip("adbc_driver_sqlite", reason="no adbc: the extra arrow is not installed")
    with read_sql_iter("select * from lots", f"sqlite:///{path}") as reader:
        next(reader.arrow())
        assert reader.arrow_schema is not None


def test_an_adbc_connection_is_read_by_keys_whole_and_in_order(path):
    with closing(adbc(path)) as con:
        reader = read_sql_iter("select * from lots where lot in (:keys)", con, keys=["lot07", "lot03", "none"])
        table = pa.table(reader.arrow())

    assert table.column("lot").to_pylist() == ["lot03"] * 25 + ["lot07"] * 25
    assert (reader.manifest.keys, reader.manifest.keys_read, reader.manifest.rows) == (3, 3, 50)


@pytest.mark.parametrize("size", [1, 7, 25, 26, 1_000])
def test_no_key_is_cut_between_two_record_batches(path, size):
    with closing(adbc(path)) as con:
        keys = [f"lot{n:02}" for n in range(40)]
        reader = read_sql_iter("select * from lots where lot in (:keys)", con, keys=keys, batch_size=size)
        batches = [batch.column("lot").to_pylist() for batch in reader.arrow()]

    assert [lot for batch in batches for lot in batch] == sorted(row[1] for row in ROWS)
    assert all(before[-1] != after[0] for before, after in pairwise(batches))


def test_rows_of_an_adbc_connection_are_tuples_where_nobody_asks_for_arrow(path):
    with closing(adbc(path)) as con:
        assert [row for batch in read_sql_iter("select * from lots", con, batch_size=99) for row in batch.rows] == ROWS


def test_a_later_value_that_adbc_did_not_expect_is_our_error(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table loose (v)")
        db.executemany("insert into loose values (?)", [(n,) for n in range(3_000)] + [("text",)])
    with closing(adbc(path)) as con, pytest.raises(SchemaChanged, match="expected INT64"):
        list(read_sql_iter("select v from loose", con).arrow())


def test_an_object_with_an_arrow_stream_is_read_in_slices_within_the_budget():
    table = pa.table({"id": list(range(100_000)), "note": ["x" * 50] * 100_000})
    reader = read_sql_iter("a table", table, max_bytes=600 * KiB)
    batches = list(reader.arrow())

    assert pa.Table.from_batches(batches).equals(table.combine_chunks())
    assert max(batch.nbytes for batch in batches) <= 220 * KiB
    assert (reader.manifest.status, reader.manifest.rows) == ("complete", 100_000)
    assert sum(batch.num_rows for batch in read_sql_iter("a table", table)) == 100_000


def test_a_row_over_the_budget_is_refused_and_a_batch_over_it_is_reported():
    events: list[Any] = []
    table = pa.table({"note": ["x" * 40_000] * 20})
    list(read_sql_iter("", table, max_bytes=100 * KiB, on_event=events.append).arrow())
    assert any(isinstance(event, FetchOverBudget) for event in events)

    with pytest.raises(RowTooLarge, match="one row holds 39"):
        list(read_sql_iter("", table, max_bytes=20 * KiB).arrow())


def test_names_that_repeat_or_that_nobody_knows_are_refused(sqlite):
    with pytest.raises(ColumnNameError, match="appears more than once"):
        list(read_sql_iter("select 1 as A, 2 as A", sqlite).arrow())
    with pytest.raises(ColumnNameError, match="schema names column 'B'"):
        list(read_sql_iter("select 1 as A", sqlite).arrow({"B": pa.int64()}))


def test_a_declared_schema_may_come_from_any_library_and_is_checked(sqlite):
    text = pa.table(
        read_sql_iter("select '2026-02-25 08:00:00' as AT", sqlite).arrow(pa.schema([("AT", pa.timestamp("us"))]))
    )
    assert text.column(0).to_pylist() == [datetime(2026, 2, 25, 8)]
    with pytest.raises(SchemaChanged, match="does not fit int8"):
        list(read_sql_iter("select 300 as N", sqlite).arrow({"N": pa.int8()}))


POSTGRES = """
    select n as id, case when n > 2 then n * 1.001 end::numeric(12, 3) as qty, 'ab'::char(4) as code,
           case when n > 2 then n end::int2 as late, n * 0.5::float8 as half, 0.1::float4 as small,
           timestamp '2026-02-25 08:00' + n * interval '1 us' as at,
           timestamptz '2026-02-25 08:00+02' as zoned, date '2026-02-25' as day, time '08:00:01.5' as clock,
           '\\x00ff'::bytea as raw, n % 2 = 0 as even, 1e-7::numeric as free, 'text'::text as note
    from generate_series(1, 5) n
"""


def test_postgresql_gives_the_same_through_adbc_and_through_psycopg(postgres, postgres_schema_url):
    pytest.importorskip("adbc_driver_postgresql", reason="no adbc: the extra arrow is not installed")
    converted = read_sql_iter(POSTGRES, postgres, batch_size=1).arrow()
    direct = read_sql_iter(POSTGRES, postgres_schema_url)
    table, tuples = pa.table(direct.arrow()), pa.table(converted)

    assert direct.arrow_schema is not None
    assert table.schema.equals(tuples.schema)
    assert table.to_pylist() == tuples.to_pylist()
    row = table.to_pylist()[2]
    assert row["qty"] == Decimal("3.003")
    assert table.schema.field("qty").type == pa.decimal128(12, 3)
    assert (row["code"], row["late"], row["free"]) == ("ab  ", 3, "0.0000001")
    assert row["zoned"] == datetime(2026, 2, 25, 6, tzinfo=UTC)
    assert row["at"] == datetime(2026, 2, 25, 8, microsecond=3)
    assert row["day"] == date(2026, 2, 25)


def test_types_that_adbc_reads_otherwise_are_read_as_tuples(postgres, postgres_schema_url):
    sql = """
        select '{"a": 1}'::jsonb as doc, '00000000-0000-0000-0000-000000000005'::uuid as id, array[1, 2] as numbers,
               interval '1 day' as span, 'NaN'::numeric(12, 3) as nan, '10.0.0.1'::inet as host,
               null::numeric(5, 2) as none
    """
    (row,) = pa.table(read_sql_iter(sql, postgres_schema_url).arrow()).to_pylist()

    assert row == {
        "doc": '{"a": 1}',
        "id": "00000000-0000-0000-0000-000000000005",
        "numbers": [1, 2],
        "span": timedelta(days=1),
        "nan": None,
        "host": "10.0.0.1",
        "none": None,
    }


def test_numerics_that_are_no_numbers_are_null_through_adbc_too(postgres_schema_url):
    sql = "select v::numeric(12, 3) as v, v::numeric as w from unnest(array['1.5', 'NaN', null, '-2']) v"
    reader = read_sql_iter(sql, postgres_schema_url)

    assert pa.table(reader.arrow()).to_pydict() == {
        "v": [Decimal("1.500"), None, None, Decimal("-2.000")],
        "w": ["1.5", None, None, "-2"],
    }
    assert reader.arrow_schema is not None
    infinite = read_sql_iter("select x from unnest(array['Infinity', '-Infinity']::numeric[]) x", postgres_schema_url)
    assert pa.table(infinite.arrow()).column(0).to_pylist() == [None, None]


def test_numerics_come_as_text_in_the_order_of_the_statement_whatever_the_columns_are_called(postgres_schema_url):
    sql = """
        with made as (select n, (n * 1.5)::numeric(9, 1) as "Order "" By" from generate_series(1, 5000) n)
        select *, n::numeric(9, 0) as "select" from made order by "Order "" By" desc limit 4000 -- the largest
    """
    table = pa.table(read_sql_iter(sql, postgres_schema_url).arrow())

    assert table.column_names == ["n", 'Order " By', "select"]
    assert table.column(0).to_pylist() == list(range(5_000, 1_000, -1))
    assert table.column(1).to_pylist()[:2] == [Decimal("7500.0"), Decimal("7498.5")]
    assert table.schema.field(2).type == pa.decimal128(9, 0)


@pytest.mark.parametrize("value", ["'infinity'::timestamp", "'-infinity'::timestamptz", "'infinity'::date"])
def test_an_infinite_time_is_an_error_and_no_other_time(postgres_schema_url, value):
    with pytest.raises(UnencodableValue, match="column 'at' of row 1: an infinity"):
        list(read_sql_iter(f"select null as none, {value} as at", postgres_schema_url).arrow())


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "look-up"])
def test_an_adbc_connection_to_postgresql_is_read_by_keys(postgres, postgres_schema_url, strategy):
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no adbc: the extra arrow is not installed")
    postgres.execute("create table lots as select 'l' || n % 30 as lot, n as id from generate_series(1, 900) n")
    postgres.commit()
    with dbapi.connect(postgres_schema_url) as con:
        reader = read_sql_iter(
            "select * from lots where id > $1 and lot in (:keys)", con, [10], keys=["l5", "l3"], strategy=strategy
        )
        table = pa.table(reader.arrow())
        assert reader.arrow_schema is not None
        assert table.column("lot").to_pylist() == ["l3"] * 29 + ["l5"] * 29
        with con.cursor() as cursor:  # still the caller's
            cursor.execute("select 1")
            assert cursor.fetchall() == [(1,)]


def test_leaving_early_leaves_the_callers_adbc_transaction_usable(postgres_schema_url):
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no adbc: the extra arrow is not installed")
    with dbapi.connect(postgres_schema_url) as con, con.cursor() as cursor:
        cursor.execute("create temporary table mine (n int)")
        with read_sql_iter("select * from generate_series(1, 300000) n", con) as reader:
            next(reader.arrow())
        cursor.execute("select count(*) from mine")
        assert cursor.fetchall() == [(0,)]
    assert reader.manifest.status == "truncated"


def test_a_statement_that_postgresql_refuses_raises_its_own_words(postgres_schema_url):
    with pytest.raises(Exception, match='column "nosuch" does not exist'):
        list(read_sql_iter("select nosuch", postgres_schema_url).arrow())


def test_a_url_with_keys_or_params_is_read_by_the_strategies_of_rows(postgres, postgres_schema_url):
    postgres.execute("create table lots as select 'l' || n % 30 as lot, n as id from generate_series(1, 900) n")
    postgres.commit()
    arrow = read_sql_iter(
        "select * from lots where id > %(low)s and lot in (:keys)", postgres_schema_url, {"low": 10}, keys=iter(["l5"])
    ).arrow()

    assert arrow.schema.field("id").type == pa.int32()
    assert pa.table(arrow).num_rows == 29


def test_the_budget_holds_for_a_million_rows_through_adbc(postgres_schema_url):
    sql = "select n, 'x' || n as note from generate_series(1, 1000000) n"
    with read_sql_iter(sql, postgres_schema_url, max_bytes=2 * MiB) as reader:
        batches = [(batch.num_rows, batch.nbytes) for batch in reader.arrow()]

    assert sum(rows for rows, _ in batches) == 1_000_000
    assert max(nbytes for _, nbytes in batches) < 1 * MiB
