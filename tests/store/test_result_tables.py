"""A stored result as CSV and Arrow: the same fields as of the rows themselves, whatever the shape of the chunks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mesbatch.batch import Batch, Column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import ChunkLost, CorruptChunk, InvalidPage
from mesbatch.sink.csv import CsvStyle, csv_lines
from mesbatch.store import DirectoryStore, ResultReader, ResultWriter, new_job_id
from mesbatch.store.result_csv import result_csv

COLUMNS = [
    Column("lot", "text"), Column("note", "text"), Column("qty", "numeric", precision=12, scale=3),
    Column("amount", "numeric"), Column("at", "timestamptz"), Column("local", "timestamp"), Column("day", "date"),
    Column("clock", "time"), Column("doc", "jsonb"), Column("raw", "bytea"), Column("good", "bool"),
    Column("x", "float8"), Column("n", "int8"), Column("tags", "text[]"), Column("id", "uuid"),
]  # fmt: skip
FULL = (
    "a,1", "=1+1", Decimal("-5.250"), Decimal("12345678901234567890.123456789"), datetime(2026, 2, 25, 8, tzinfo=UTC),
    datetime(2026, 2, 25, 8, 0, 0, 1), date(2026, 2, 25), time(8, 30), {"a": [1, 2.5]}, b"\x00\xff", True, 1e-7,
    2**63 - 1, ["a", "b,c"], UUID(int=7),
)  # fmt: skip
ROWS = [
    FULL,
    ("b", 'say "hi"', None, None, None, None, None, None, "text", b"", False, float("nan"), -(2**63), [], None),
    ("", "two\r\nlines", Decimal("0.001"), Decimal(1), None, None, None, None, None, None, None, -2.5, 0, None, None),
    (None,) * len(COLUMNS),
]


def stored(tmp_path, rows: list[Any], shape: Any, columns: Any = COLUMNS, chunk: int = 2) -> ResultReader:
    store, job_id = DirectoryStore(tmp_path / shape), new_job_id()
    store.create(job_id, {"status": "started", "shape": shape})
    writer, encoder = ResultWriter(store, store.acquire(job_id, "me")), RowEncoder(columns, shape=shape)
    writer.start("d", encoder.columns)
    for first in range(0, len(rows), chunk):
        some = rows[first : first + chunk]
        writer.publish("d", encoder.encode_list(some), rows=len(some), last_key=first)
    writer.end("d")
    writer.finish(shape=shape)
    return ResultReader(store, job_id)


@pytest.mark.parametrize("shape", ["objects", "arrays"])
@pytest.mark.parametrize("style", [CsvStyle(), CsvStyle(bom=True, neutral=True, end=True)], ids=["plain", "people"])
def test_the_fields_are_those_of_the_rows_themselves(tmp_path, shape, style):
    rows = ROWS * 400
    batches = [Batch(tuple(column.name for column in COLUMNS), rows)]
    expected = b"".join(csv_lines(batches, columns=COLUMNS, style=style))
    assert b"".join(result_csv(stored(tmp_path, rows, shape, chunk=700), "d", style=style)) == expected


def test_a_page_of_rows_and_a_page_that_cannot_be(tmp_path):
    reader = stored(tmp_path, [(n,) for n in range(9)], "objects", ["n"])
    assert b"".join(result_csv(reader, "d", offset=3, limit=4)) == b"n\r\n3\r\n4\r\n5\r\n6\r\n"
    assert b"".join(result_csv(reader, "d", offset=9)) == b"n\r\n"
    with pytest.raises(InvalidPage):
        result_csv(reader, "d", offset=10)


def test_a_lost_chunk_and_rows_of_other_columns_raise(tmp_path):
    reader = stored(tmp_path, [(n, "x" * 50) for n in range(100)], "objects", ["n", "pad"], chunk=50)
    chunk = max(tmp_path.rglob("*"), key=lambda path: (path.is_file(), path.stat().st_size))
    pieces = result_csv(reader, "d")
    assert next(pieces) == b"n,pad\r\n"
    chunk.unlink()
    with pytest.raises(ChunkLost):
        b"".join(pieces)
    reader = stored(tmp_path / "other", [(1,)], "objects", ["n"])
    reader.manifest.domains["d"].columns[0]["name"] = "other"
    with pytest.raises(CorruptChunk, match="other columns than other"):
        b"".join(result_csv(reader, "d"))


@pytest.mark.parametrize("shape", ["objects", "arrays"])
def test_arrow_has_types_that_hold_every_value_as_it_stands(tmp_path, shape):
    pa = pytest.importorskip("pyarrow", reason="no Arrow: pyarrow is not installed")
    from mesbatch.store.result_arrow import result_arrow

    table = pa.ipc.open_stream(b"".join(result_arrow(stored(tmp_path, ROWS, shape), "d"))).read_all()
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "lot": "string", "note": "string", "qty": "decimal128(38, 3)", "amount": "string",
        "at": "timestamp[us, tz=UTC]", "local": "timestamp[us]", "day": "date32[day]", "clock": "string",
        "doc": "string", "raw": "string", "good": "bool", "x": "double", "n": "int64", "tags": "string", "id": "string",
    }  # fmt: skip
    first = table.to_pylist()[0]
    assert (first["qty"], first["at"], first["local"], first["day"], first["n"]) == (FULL[2], *FULL[4:7], FULL[12])
    assert (first["clock"], first["doc"], first["amount"]) == ("08:30:00", '{"a":[1,2.5]}', str(FULL[3]))
    assert table.to_pylist()[3] == dict.fromkeys(first)


def test_arrow_finds_the_type_in_all_chunks_and_not_in_the_first(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="no Arrow: pyarrow is not installed")
    from mesbatch.store.result_arrow import result_arrow

    rows = [(1, "2026-01-01"), (2**70, "2026-01-02"), (3, "never")]
    columns = [Column("n"), Column("day", "date")]
    table = pa.ipc.open_stream(b"".join(result_arrow(stored(tmp_path, rows, "arrays", columns, 1), "d"))).read_all()
    assert table.column("n").to_pylist() == [1, 2**70, 3]
    assert table.column("day").to_pylist() == ["2026-01-01", "2026-01-02", "never"]


@pytest.mark.parametrize("start", list("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
def test_no_text_of_a_neutral_csv_begins_a_formula(start):
    text = f"{start}cmd|' /C calc'!A0"
    batches = [Batch((f"{start}NAME", "QTY", "ANY"), [(text, -5, [text]), (f'{start}",', Decimal("-1.5"), text)])]
    header, *records = _parse(b"".join(csv_lines(batches, style=CsvStyle(neutral=True))))
    assert [row[0] for row in (header, *records)] == [f"'{start}NAME", f"'{text}", f"'{start}\","]
    assert [row[1] for row in records] == ["-5", "-1.5"]
    assert [row[2][0] for row in records] == ["[", "'"]


def _parse(data: bytes) -> list[list[str]]:
    import csv
    import io

    return list(csv.reader(io.StringIO(data.decode(), newline="")))
