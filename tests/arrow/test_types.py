from __future__ import annotations

import pytest

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")

from mesbatch import Column  # noqa: E402
from mesbatch.arrow.types import arrow_type  # noqa: E402


@pytest.mark.parametrize(
    ("dialect", "column", "expected"),
    [
        ("postgres", Column("C", "numeric", precision=12, scale=3), pa.decimal128(12, 3)),
        ("postgres", Column("C", "numeric", precision=50, scale=2), pa.decimal256(50, 2)),
        ("postgres", Column("C", "numeric", precision=2, scale=5), pa.decimal128(5, 5)),
        ("postgres", Column("C", "numeric", precision=5, scale=-2), pa.decimal128(7, 0)),
        ("postgres", Column("C", "numeric"), pa.string()),
        ("postgres", Column("C", "int4[]"), pa.list_(pa.int32())),
        ("postgres", Column("C", "mood"), pa.string()),
        ("postgres", Column("C"), pa.string()),
        ("oracle", Column("C", "number", precision=9, scale=0), pa.int64()),
        ("oracle", Column("C", "number", precision=38, scale=0), pa.decimal128(38, 0)),
        ("oracle", Column("C", "number", precision=126, scale=-127), pa.float64()),
        ("oracle", Column("C", "number", scale=-127), None),
        ("oracle", Column("C", "clob"), pa.string()),
        ("oracle", Column("C", "date"), pa.timestamp("s")),
        ("sqlite", Column("C", "varchar", 16), pa.string()),
        ("sqlite", Column("C", "bigint"), pa.int64()),
        ("sqlite", Column("C", "numeric", precision=12, scale=3), pa.float64()),
        ("sqlite", Column("C", "timestamp"), None),
        ("sqlite", Column("C"), None),
        ("dbapi", Column("C"), None),
    ],
)
def test_a_column_has_the_type_that_its_database_declares(dialect, column, expected):
    assert arrow_type(column, dialect) == expected
