from __future__ import annotations

from contextlib import closing

import pytest

from mesbatch import read_sql_iter
from tests.rig.oracle import ROWS, oracle_server

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with oracle_server(tmp_path_factory.mktemp("oracle")) as server:
        oracledb = pytest.importorskip("oracledb", reason="no oracle driver: oracledb is not installed")
        with closing(oracledb.create_pool(**server.credentials, min=1, max=2)) as pool:
            yield pool


def test_oracle_gives_record_batches_by_its_declared_types(pool):
    with read_sql_iter("select * from orders", pool) as reader:
        arrow = reader.arrow()
        table = pa.table(arrow)

    assert reader.arrow_schema is not None
    assert table.schema == pa.schema([("ID", pa.int64()), ("CID", pa.int64()), ("NOTE", pa.string())])
    assert table.column("ID").to_pylist() == list(range(ROWS))
    assert (reader.manifest.status, reader.manifest.rows) == ("complete", ROWS)


def test_oracle_is_read_by_keys_without_python_objects(pool):
    with read_sql_iter("select * from orders where cid in (:keys)", pool, keys=range(10, 20)) as reader:
        table = pa.table(reader.arrow())

    assert reader.arrow_schema is not None
    assert table.column("CID").to_pylist() == [cid for cid in range(10, 20) for _ in range(ROWS // 100)]
    assert (reader.manifest.keys_read, reader.manifest.parts_read) == (10, 1)


def test_the_same_statement_is_still_read_as_tuples_afterwards(pool):
    sql = "select id, cid from orders"
    assert pa.table(read_sql_iter(sql, pool).arrow()).num_rows == ROWS

    with read_sql_iter(sql, pool) as reader:
        assert next(reader).rows[0] == (0, 0)
