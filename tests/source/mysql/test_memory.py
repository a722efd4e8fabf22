"""Any number of rows is read in flat memory by every driver; the driver's ordinary cursor is the red control."""

from __future__ import annotations

import pytest

from mesbatch import MiB
from mesbatch.demo.watch import watch

pytestmark = pytest.mark.slow

CHILDREN = "tests.source.mysql.children"
LIMIT = 16 * MiB
SOME = 150_000  # as they are held by an ordinary cursor, six times the limit and more
ORDINARY = {
    "pymysql": "pymysql.cursors:Cursor",
    "mysqldb": "MySQLdb.cursors:Cursor",
    "mysqlconnector": "",
    "mariadbconnector": "",
}


@pytest.fixture(scope="session")
def wide_table(mysql_admin) -> str:
    """A table of a million rows with ten columns."""
    mysql_admin(
        "create table if not exists wide engine=aria transactional=0 select seq as id, "
        "concat('L', lpad(seq % 114000, 7, '0')) as lot, seq * 3 as a, seq / 7.0e0 as b, "
        "cast(seq / 8 as decimal(12,3)) as c, "
        "timestamp '2020-01-01 00:00:00' + interval seq second as d, concat('step ', seq % 100) as e, "
        "concat('tool ', seq % 77) as f, seq % 13 as g, date '2020-01-01' + interval (seq % 3000) day as h "
        "from seq_1_to_1000000"
    )
    return "wide"


@pytest.mark.parametrize("rows", [SOME, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_rows_are_read_in_flat_memory(rig, wide_table, rows):
    result = watch(f"{CHILDREN}:read", {"url": rig.url, "table": wide_table, "rows": rows}).result
    assert result["count"] == rows
    assert result["above"] <= LIMIT


def test_the_ordinary_cursor_holds_the_whole_result(rig, wide_table):
    arguments = {"url": rig.url, "table": wide_table, "rows": SOME, "cursors": ORDINARY[rig.name]}
    result = watch(f"{CHILDREN}:buffer", arguments).result
    assert result["count"] == SOME
    assert result["above"] > LIMIT
