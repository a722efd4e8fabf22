"""All ways on which the values of a statement leave mesbatch, each read into lists of values."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet

from mesbatch import group_by_key, read_sql_iter
from mesbatch.export import export, verify
from mesbatch.sink.ndjson import ndjson_lines
from tests.values import kinds
from tests.values.came import Field, from_arrow, from_json


class Came(NamedTuple):
    """The values of one column as *reader* saw them; *type* is that of an Arrow column, else None."""

    reader: str
    values: list[Any]
    type: Any = None


@dataclass(frozen=True)
class Way:
    """*read* takes a statement whose columns are n and v, and options: *schema* or *on_invalid_text*."""

    name: str
    form: kinds.Way
    read: Callable[..., list[Came]]


def ways_of(con: Any, own: Any = None, adbc: Callable[[], Any] | None = None, *, label: str = "by URL") -> list[Way]:
    """List the ways from the caller's connection *con*, from *own*, a URL or a function, and what *adbc* opens."""
    ways = [
        Way("tuples", "tuple", partial(_tuples, con)),
        Way("spilled", "tuple", partial(_spilled, con)),
        Way("NDJSON objects", "json", partial(_lines, con, "objects")),
        Way("NDJSON arrays", "json", partial(_lines, con, "arrays")),
        Way("Arrow", "arrow", partial(_arrow, con)),
        Way("Parquet file", "arrow", partial(_parquet, con)),
    ]
    if own is not None:
        ways += [
            Way(f"tuples {label}", "tuple", partial(_tuples, own)),
            Way(f"Arrow {label}", "arrow", partial(_arrow, own)),
            Way(f"NDJSON file {label}", "json", partial(_ndjson_file, own)),
            Way(f"CSV file {label}", "json", partial(_csv_file, own)),
            Way(f"Parquet file {label}", "arrow", partial(_parquet, own)),
            Way(f"Arrow file {label}", "arrow", partial(_arrow_file, own)),
        ]
    if adbc is not None:
        ways += [
            Way("tuples by ADBC", "tuple", partial(_opened, adbc, _tuples)),
            Way("NDJSON by ADBC", "json", partial(_opened, adbc, partial(_with_shape, "objects"))),
            Way("Arrow by ADBC", "arrow", partial(_opened, adbc, _arrow)),
            Way("Parquet file by ADBC", "arrow", partial(_opened, adbc, _parquet)),
        ]
    return ways


def ways_of_tables() -> list[Way]:
    """List the ways of an Arrow table, which stands in place of the statement."""
    reads: list[tuple[str, kinds.Way, Callable[..., list[Came]]]] = [
        ("tuples", "tuple", _tuples),
        ("spilled", "tuple", _spilled),
        ("NDJSON objects", "json", partial(_with_shape, "objects")),
        ("NDJSON arrays", "json", partial(_with_shape, "arrays")),
        ("Arrow", "arrow", _arrow),
        ("NDJSON file", "json", _ndjson_file),
        ("Parquet file", "arrow", _parquet),
        ("Arrow file", "arrow", _arrow_file),
    ]
    return [Way(name, form, partial(_table, read)) for name, form, read in reads]


def _table(read: Callable[..., list[Came]], table: Any, **options: Any) -> list[Came]:
    return read(table, "a table", **options)


def _opened(connect: Callable[[], Any], read: Callable[..., list[Came]], sql: str, **options: Any) -> list[Came]:
    with connect() as con:
        return read(con, sql, **options)


def _reading(con: Any, sql: str, options: dict[str, Any]) -> Any:
    invalid = {name: options[name] for name in ("on_invalid_text",) if name in options}
    return read_sql_iter(sql, con, **invalid)


def _tuples(con: Any, sql: str, **options: Any) -> list[Came]:
    with _reading(con, sql, options) as reader:
        return [Came("rows", [row[1] for batch in reader for row in batch.rows])]


def _spilled(con: Any, sql: str, **options: Any) -> list[Came]:
    with _reading(con, sql, options) as reader, group_by_key(reader, "n", max_bytes=0) as groups:
        return [Came("groups", [groups[key][0][1] for key in sorted(groups)])]


def _with_shape(shape: Any, con: Any, sql: str, **options: Any) -> list[Came]:
    return _lines(con, shape, sql, **options)


def _lines(con: Any, shape: Any, sql: str, **options: Any) -> list[Came]:
    with _reading(con, sql, options) as reader:
        text = b"".join(ndjson_lines(reader, shape=shape)).decode()
    return [Came(shape, _values_of(text, header=shape == "arrays"))]


def _ndjson_file(con: Any, sql: str, **options: Any) -> list[Came]:
    with tempfile.TemporaryDirectory() as directory:
        path = _export(con, sql, directory, "ndjson", options)
        return [Came("lines", _values_of(path.read_text(), header=False))]


def _csv_file(con: Any, sql: str, **options: Any) -> list[Came]:
    with tempfile.TemporaryDirectory() as directory:
        text = _export(con, sql, directory, "csv", options).read_bytes().decode()
    records = re.findall(r'([^,]*),(""|(?:"(?:[^"]|"")+")|[^"\r\n]*)\r\n', text)[1:]
    return [Came("fields", [_field(field) for _, field in records])]


def _field(field: str) -> Field | None:
    """Read a field as RFC 4180 writes it, NULL where it is empty."""
    if field.startswith('"'):
        return Field(field[1:-1].replace('""', '"'))
    return Field(field) if field else None


def _values_of(text: str, *, header: bool) -> list[Any]:
    rows = [from_json(line) for line in text.split("\n")[header:-1]]
    for line in text.split("\n")[:-1]:
        json.loads(line)  # what readers with doubles see is JSON, too
    return [row[1] if isinstance(row, list) else dict(row)["v"] for row in rows]


def _arrow(con: Any, sql: str, **options: Any) -> list[Came]:
    return [_came("pyarrow", pa.table(_reading(con, sql, options).arrow(options.get("schema"))))]


def _came(reader: str, table: Any) -> Came:
    column = table.column(1)
    return Came(reader, from_arrow(column), column.type)


def _export(con: Any, sql: str, directory: str, format_: str, options: dict[str, Any]) -> Path:
    path = Path(directory) / f"x.{format_}"
    summary = export(sql, con, path, **options)
    assert verify(path).rows == summary.rows
    return path


def _arrow_file(con: Any, sql: str, **options: Any) -> list[Came]:
    with tempfile.TemporaryDirectory() as directory:
        path = _export(con, sql, directory, "arrow", options)
        with pa.ipc.open_file(path) as file:
            return [_came("pyarrow", file.read_all())]


def _parquet(con: Any, sql: str, **options: Any) -> list[Came]:
    with tempfile.TemporaryDirectory() as directory:
        path = _export(con, sql, directory, "parquet", options)
        return list(_read_by_all(path))


def _read_by_all(path: Path) -> Iterator[Came]:
    """Read a Parquet file by three libraries; one that cannot has its error in place of values."""
    for reader, read in (("pyarrow", pa.parquet.read_table), ("duckdb", _read_by_duckdb), ("polars", _read_by_polars)):
        try:
            yield _came(reader, read(path))
        except BaseException as error:  # polars panics with one
            yield Came(reader, [error])


def _read_by_duckdb(path: Path) -> Any:
    with duckdb.connect() as con:
        return con.read_parquet(str(path)).to_arrow_table()


def _read_by_polars(path: Path) -> Any:
    return pl.read_parquet(path).to_arrow()
