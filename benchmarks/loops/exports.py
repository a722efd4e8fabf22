"""A whole table into one file, as each library's users write it; all yield as many things as there were rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cache import cache_directory


def ours(database: str, table: str, format_: str, compress: bool = False) -> Iterator[range]:
    from mesbatch.export import export

    with TemporaryDirectory(dir=cache_directory()) as directory:
        url = database if _is_postgres(database) else f"sqlite:///{database}"
        summary = export(f"select * from {table}", url, f"{directory}/out.{format_}", format=format_)
    yield range(summary.rows)


def bare_adbc(database: str, table: str, format_: str, hint: int | None = None) -> Iterator[range]:
    """Write ADBC's batches straight into pyarrow's writer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _Out(format_) as out, closing(_adbc(database)) as connection, connection.cursor() as cursor:
        if hint is not None:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(hint)})
        cursor.execute(f"select * from {table}")
        reader = cursor.fetch_record_batch()
        schema = pa.schema([pa.field(field.name, _storage(field.type)) for field in reader.schema])
        make = pq.ParquetWriter if format_ == "parquet" else pa.ipc.new_file
        with make(str(out), schema) as writer:
            for batch in reader:
                columns = [getattr(column, "storage", column) for column in batch.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
                yield range(batch.num_rows)


def driver_and_msgspec(database: str, table: str, format_: str) -> Iterator[range]:
    """Write the driver's tuples as struct rows, as lines: the fastest loop for NDJSON."""
    from itertools import islice, starmap

    import msgspec

    encoder = msgspec.json.Encoder(decimal_format="number")
    with _Out(format_) as out, out.open("wb") as file, closing(_driver(database)) as connection:
        cursor = connection.cursor()
        if _is_postgres(database):
            rows = cursor.stream(f"select * from {table}", size=100)
            first = next(rows)
        else:
            rows = cursor.execute(f"select * from {table}")
            first = next(rows)
        names = [column[0] for column in cursor.description]
        struct = msgspec.defstruct("Row", names, gc=False)
        file.write(encoder.encode_lines([struct(*first)]))
        yield range(1)
        while some := list(islice(rows, 500)):
            file.write(encoder.encode_lines(list(starmap(struct, some))))
            yield range(len(some))
        cursor.close()


def driver_and_csv(database: str, table: str, format_: str) -> Iterator[range]:
    """Write the driver's tuples by the standard library's writer: what people write by hand."""
    import csv
    from itertools import islice

    with _Out(format_) as out, closing(_driver(database)) as connection:
        cursor = connection.cursor()
        if _is_postgres(database):
            rows = cursor.stream(f"select * from {table}", size=100)
        else:
            rows = cursor.execute(f"select * from {table}")
        first = next(rows)
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([column[0] for column in cursor.description])
            writer.writerow(first)
            yield range(1)
            while some := list(islice(rows, 500)):
                writer.writerows(some)
                yield range(len(some))
        cursor.close()


def pandas(database: str, table: str, format_: str) -> Iterator[range]:
    import pandas as pd

    with _Out(format_) as out, closing(_plain(database)) as connection:
        frame = pd.read_sql(f"select * from {table}", connection)
        if format_ == "ndjson":
            frame.to_json(out, orient="records", lines=True, date_format="iso")
        elif format_ == "csv":
            frame.to_csv(out, index=False)
        else:
            frame.to_parquet(out) if format_ == "parquet" else frame.to_feather(out, compression="uncompressed")
        yield range(len(frame))


def polars(database: str, table: str, format_: str) -> Iterator[range]:
    import polars as pl

    with _Out(format_) as out, closing(_adbc(database)) as connection:
        frame = pl.read_database(f"select * from {table}", connection)
        _write_polars(frame, out, format_)
        yield range(len(frame))


def connectorx(database: str, table: str, format_: str) -> Iterator[range]:
    import connectorx as cx
    import pyarrow as pa
    import pyarrow.parquet as pq

    url = database.partition("?")[0] if _is_postgres(database) else f"sqlite://{database}"
    with _Out(format_) as out:
        result = cx.read_sql(url, f"select * from {table}", return_type="arrow")
        if format_ == "parquet":
            pq.write_table(result, out)
        elif format_ == "arrow":
            with pa.ipc.new_file(str(out), result.schema) as writer:
                writer.write_table(result)
        else:
            import polars as pl

            _write_polars(pl.from_arrow(result), out, format_)
        yield range(result.num_rows)


def duckdb(database: str, table: str, format_: str) -> Iterator[range]:
    """Let DuckDB read by ADBC's batches, since its own scanners are extensions to be downloaded."""
    import duckdb as db

    with _Out(format_) as out, closing(_adbc(database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"select * from {table}")
        batches = cursor.fetch_record_batch()
        with db.connect() as con:
            con.register("batches", batches)
            count = con.execute(f"copy (select * from batches) to '{out}' (format {format_})").fetchone()[0]
        yield range(count)


def _write_polars(frame: Any, out: Path, format_: str) -> None:
    if format_ == "parquet":
        frame.write_parquet(out, compression="snappy")
    elif format_ == "csv":
        frame.write_csv(out)
    else:
        frame.write_ipc(out) if format_ == "arrow" else frame.write_ndjson(out)


class _Out(TemporaryDirectory[str]):
    """The path of a file that is removed at the end."""

    def __init__(self, format_: str) -> None:
        super().__init__(dir=cache_directory())
        self._path = Path(self.name, f"out.{format_}")

    def __enter__(self) -> Path:  # type: ignore[override]
        return self._path


def _storage(type_: Any) -> Any:
    return getattr(type_, "storage_type", type_)


def _is_postgres(database: str) -> bool:
    return "://" in database


def _adbc(database: str) -> Any:
    if _is_postgres(database):
        import adbc_driver_postgresql.dbapi

        return adbc_driver_postgresql.dbapi.connect(database)
    import adbc_driver_sqlite.dbapi

    return adbc_driver_sqlite.dbapi.connect(database)


def _driver(database: str) -> Any:
    if _is_postgres(database):
        return _plain(database)
    import apsw

    return apsw.Connection(database, flags=apsw.SQLITE_OPEN_READONLY)


def _plain(database: str) -> Any:
    if _is_postgres(database):
        import psycopg

        return psycopg.connect(database)
    import sqlite3

    return sqlite3.connect(database)
