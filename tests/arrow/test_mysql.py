"""Numbers of MariaDB in Arrow: as wide as the database declares them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import SchemaChanged
from tests.source.mysql.conftest import mysql_admin, new_name, rig  # noqa: F401

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")

LONG = Decimal("12345678901234567890123456789012345.123456789012345678901234567890")


def test_wide_numbers_are_as_wide_as_declared(rig, mysql_admin, new_name):  # noqa: F811
    mysql_admin(f"create table {new_name} (n int, u bigint unsigned, d decimal(65, 30), i decimal(65), s decimal(9))")
    for n in (1, 2):
        mysql_admin(f"insert into {new_name} values ({n}, {n}, {n}, {n}, 5)")
    mysql_admin(f"insert into {new_name} values (3, {2**64 - 1}, {LONG}, {10**65 - 1}, null)")
    sql = f"select u, d, i, s from {new_name} order by n"
    # mysql-connector alone does not tell how many digits a decimal has.
    schema = {"d": pa.decimal256(65, 30), "i": pa.decimal256(65, 0)} if rig.name == "mysqlconnector" else None
    with read_sql_iter(sql, rig.url, batch_size=1) as reader:
        table = pa.Table.from_batches(reader.arrow(schema=schema))
    assert table.column("u").type == pa.uint64()
    assert table.column("d").type == pa.decimal256(65, 30)
    assert table.column("i").type == pa.decimal256(65, 0)
    assert table.to_pylist()[2] == {"u": 2**64 - 1, "d": LONG, "i": Decimal(10**65 - 1), "s": None}
    assert table.column("s").to_pylist() == [Decimal(5), Decimal(5), None]


def test_a_decimal_of_unknown_width_names_a_type_that_holds_it(rig, mysql_admin, new_name):  # noqa: F811
    if rig.name != "mysqlconnector":
        pytest.skip("this driver tells how many digits a decimal has")
    mysql_admin(f"create table {new_name} (d decimal(65, 30))")
    mysql_admin(f"insert into {new_name} values ({LONG})")
    advised = re.escape("declare it, schema={'d': pa.decimal256(76, 40)}")
    with read_sql_iter(f"select d from {new_name}", rig.url) as reader, pytest.raises(SchemaChanged, match=advised):
        list(reader.arrow())
    with read_sql_iter(f"select d from {new_name}", rig.url) as reader:
        table = pa.Table.from_batches(reader.arrow(schema={"d": pa.decimal256(76, 40)}))
    assert table.column("d").to_pylist() == [LONG]
