from __future__ import annotations

import csv
import gzip
import io
import json
import os
import resource
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from errno import EIO
from pathlib import Path

import pytest

from mesbatch import KiB, MiB, read_sql_iter
from mesbatch.errors import ExportError, OutputExists
from mesbatch.export import export, rows, verify
from tests.rig.lots import ROWS, make_lots


@pytest.fixture
def path(tmp_path):
    return make_lots(tmp_path)


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


FORMAT_OF = {"csv/": "csv"}


def uncompressed(file):
    if file.suffix == ".gz":
        return gzip.decompress(file.read_bytes())
    if file.suffix == ".zst":
        pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
        return pa.input_stream(str(file), compression="zstd").read()
    return file.read_bytes()


def test_ndjson_holds_every_row(tmp_path, url):
    summary = export("select * from lots", url, tmp_path / "lots.ndjson")

    lines = [json.loads(line) for line in (tmp_path / "lots.ndjson").read_text().splitlines()]
    assert [tuple(line.values()) for line in lines] == ROWS
    assert (summary.rows, summary.parts, summary.manifest.status) == (1_000, 1, "complete")
    assert verify(tmp_path / "lots.ndjson").rows == 1_000
    assert not (tmp_path / "lots.ndjson.journal.ndjson").exists()


def test_compressed_parts_join_to_one_gzip_file(tmp_path, url, monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 4 * KiB)
    summary = export("select id from lots", url, tmp_path / "ids.ndjson.gz", compress=True)

    assert summary.parts > 1
    assert gzip.decompress((tmp_path / "ids.ndjson.gz").read_bytes()).count(b"\n") == 1_000


@pytest.mark.parametrize("name", ["lots.csv", "lots.csv.gz", "lots.csv.zst", "lots.jsonl.zst", "csv/"])
def test_lines_hold_every_row_below_one_header_however_they_are_compressed(tmp_path, url, name, monkeypatch):
    if name.endswith(".zst"):
        pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    monkeypatch.setattr(rows, "PART_BYTES", 4 * KiB)
    out = tmp_path / name
    summary = export("select * from lots", url, f"{out}{'/' * name.endswith('/')}", format=FORMAT_OF.get(name))

    assert summary.parts > 1
    files = sorted(out.glob("part-*")) if out.is_dir() else [out]
    texts = [uncompressed(file).decode() for file in files]
    if "json" in name:
        assert [tuple(json.loads(line).values()) for text in texts for line in text.splitlines()] == ROWS
    else:
        read = [record for text in texts for record in csv.DictReader(io.StringIO(text, newline=""))]
        assert [(int(one["id"]), one["lot"], float(one["qty"]) if one["qty"] else None) for one in read] == ROWS
    assert verify(out).rows == 1_000


@pytest.mark.parametrize("name", ["lots.parquet", "lots.arrow", "parquet/", "arrow/"])
@pytest.mark.parametrize("compress", [False, True])
def test_columnar_files_hold_every_row(tmp_path, url, name, compress, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet", reason="no pyarrow: the extra arrow is not installed")
    import pyarrow as pa

    monkeypatch.setattr(rows, "PART_BYTES", 8 * KiB)
    out = tmp_path / name
    export(
        "select * from lots",
        url,
        f"{out}{'/' * name.endswith('/')}",
        format=name.strip("/").rpartition(".")[2],
        compress=compress,
    )

    files = sorted(out.glob("part-*")) if out.is_dir() else [out]
    tables = [pq.read_table(file) if "parquet" in name else pa.ipc.open_file(file).read_all() for file in files]
    assert [tuple(row.values()) for table in tables for row in table.to_pylist()] == ROWS
    assert (len(files) > 1) == out.is_dir()
    assert verify(out).rows == 1_000


@pytest.mark.parametrize("max_bytes", [0, -1])
def test_a_budget_that_is_none_is_refused_before_a_file_is_begun(tmp_path, url, max_bytes):
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="max_bytes"):
        export("select * from lots", url, tmp_path / "out" / "lots.ndjson", max_bytes=max_bytes)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_goes_to_a_device_leaves_no_manifest_beside_it(tmp_path, url):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        export("select id from lots", url, pipe, format="csv")
        assert read.result(30).splitlines()[:2] == [b"id", b"0"]
    assert export("select id from lots", url, "/dev/null", format="csv").rows == 1_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lots.db", "pipe"]
    assert not list(Path("/dev").glob("null.*"))


def test_a_target_that_cannot_be_written_gets_no_manifest(tmp_path, url, monkeypatch):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    replace = Path.replace

    def refuse(path, target):
        if "part" in path.name or "lots" in path.name:
            raise OSError(EIO, "Input/output error")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    for out in ("lots.csv.zst/", "lots.arrow"):
        with pytest.raises(OSError, match="Input/output error"):
            export("select id from lots", url, f"{tmp_path}/{out}", format=None if "arrow" in out else "csv")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lots.db", "journal.ndjson"]


def test_a_manifest_of_version_0_1_is_still_verified_and_complete(tmp_path, url):
    out = tmp_path / "ids.ndjson.gz"
    export("select id from lots", url, out)
    manifest = tmp_path / "ids.ndjson.gz.manifest.json"
    manifest.write_text(manifest.read_text().replace('"compress": "gzip"', '"compress": true'))

    assert '"compress": true' in manifest.read_text()
    assert verify(out).rows == 1_000
    assert export("select id from lots", url, out, resume=True).rows_before == 1_000


def test_row_groups_are_within_the_budget(tmp_path, url):
    pq = pytest.importorskip("pyarrow.parquet", reason="no pyarrow: the extra arrow is not installed")
    export("select * from lots", url, tmp_path / "lots.parquet", max_bytes=64 * KiB)

    metadata = pq.ParquetFile(tmp_path / "lots.parquet").metadata
    groups = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    assert len(groups) > 2
    assert max(groups) < 16 * KiB


def test_the_parquet_file_of_postgresql_equals_the_database(tmp_path, postgres, postgres_schema_url):
    pq = pytest.importorskip("pyarrow.parquet", reason="no pyarrow: the extra arrow is not installed")
    duckdb = pytest.importorskip("duckdb", reason="no duckdb")
    postgres.execute("""
        create table events as
        select n as id, 'lot' || n % 97 as lot, case when n > 500 then n * 1.001 end::numeric(12, 3) as qty,
               timestamp '2026-02-25' + n * interval '1 minute' as at, n % 3 = 0 as good, repeat('x', n % 70) as note
        from generate_series(1, 20000) n
    """)
    postgres.commit()
    out = tmp_path / "events.parquet"
    export("select * from events order by id", postgres_schema_url, out)

    expected = postgres.execute("select * from events order by id").fetchall()
    assert [tuple(row.values()) for row in pq.read_table(out).to_pylist()] == expected
    with duckdb.connect() as con:
        assert con.execute("select * from read_parquet(?) order by id", [str(out)]).fetchall() == expected
    assert expected[600][2:4] == (Decimal("601.601"), datetime(2026, 2, 25, 10, 1))


def test_keys_are_exported_whole_and_in_order(tmp_path, url):
    summary = export(
        "select lot, id from lots where lot in (:keys)",
        url,
        tmp_path / "two.ndjson",
        keys=iter(["lot07", "lot03", "no"]),
    )
    lots = [json.loads(line)["lot"] for line in (tmp_path / "two.ndjson").read_text().splitlines()]

    assert lots == ["lot03"] * 25 + ["lot07"] * 25
    assert (summary.manifest.keys, summary.manifest.keys_read) == (3, 3)


@pytest.mark.parametrize("name", ["none.ndjson", "none.parquet", "none.arrow", "parquet/"])
@pytest.mark.parametrize("keys", [None, []])
def test_an_empty_result_is_an_empty_output(tmp_path, url, name, keys):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    sql = "select * from lots where false" if keys is None else "select * from lots where lot in (:keys)"
    out = f"{tmp_path / name}{'/' * name.endswith('/')}"
    export(sql, url, out, keys=keys, format=name.strip("/").rpartition(".")[2])

    assert verify(out).rows == 0


def test_an_output_that_exists_is_refused_and_replaced_only_by_force(tmp_path, url):
    out = tmp_path / "lots.ndjson"
    out.write_text("mine")
    with pytest.raises(OutputExists, match="exists: go on with it by --resume, or replace it by --force"):
        export("select * from lots", url, out)
    with pytest.raises(OutputExists, match="cannot be gone on with"):
        export("select * from lots", url, out, resume=True)
    assert out.read_text() == "mine"

    export("select * from lots", url, out, force=True)
    assert verify(out).rows == 1_000


def test_force_removes_nothing_that_is_not_ours(tmp_path, url):
    out = tmp_path / "parts"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")

    with pytest.raises(OutputExists, match="none of ours: nothing was removed"):
        export("select * from lots", url, out, format="ndjson", force=True)
    assert (out / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("out", "options", "words"),
    [
        ("lots.xlsx", {}, "the extension '.xlsx' says no format"),
        ("lots.csv.bz2", {}, "the extension '.bz2' says no format"),
        ("lots.gz", {}, "the name .*lots.gz says no format"),
        ("lots.parquet.gz", {}, "parquet is compressed inside"),
        ("lots.csv", {"compress": True}, "write to .*lots.csv.gz or .*lots.csv.zst"),
        ("lots.csv.gz", {"format": "ndjson"}, "says csv, the format is to be ndjson"),
        ("lots", {}, "says no format"),
        ("lots.ndjson", {"format": "xlsx"}, "no format 'xlsx'; the formats are csv, ndjson, parquet, arrow"),
        ("a\0b.csv", {}, "a path has no NUL in it"),
        ("lots.parquet", {"format": "ndjson"}, "says parquet, the format is to be ndjson"),
        ("lots.parquet", {"resume": True}, "cannot be gone on with; write a folder of parts"),
        ("lots.ndjson", {"resume": True, "force": True}, "ask for one of them"),
        ("lots.ndjson", {"parallel": 2}, "reads keys side by side, and there are none"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(tmp_path, out, options, words):
    with pytest.raises(ExportError, match=words.replace("(", r"\(")):
        export("select * from lots", "sqlite:////nowhere", tmp_path / out, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_statement_that_fails_leaves_nothing_behind(tmp_path, url):
    before = set(tmp_path.iterdir())
    with pytest.raises(Exception, match="no such table: nosuch"):
        export("select * from nosuch", url, tmp_path / "lots.ndjson")
    assert set(tmp_path.iterdir()) == before


@pytest.fixture
def small_files():
    """Allow no file above 40 KiB: for a program, that is a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40 * KiB, before[1]))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_a_clean_failure_and_the_export_goes_on_later(tmp_path, url, small_files, monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 8 * KiB)
    out = tmp_path / "lots.ndjson"
    sql = "select a.* from lots a, (select 1 union all select 2)"
    with pytest.raises(ExportError, match=r"no space left for .*go on with --resume"):
        export(sql, url, out)
    kept = out.stat().st_size
    assert 0 < kept <= 40 * KiB
    assert out.read_bytes().endswith(b"\n")

    small_files()
    summary = export(sql, url, out, resume=True)
    assert (summary.rows, summary.rows_before > 0) == (2_000, True)
    assert verify(out).rows == 2_000


@pytest.mark.parametrize("name", ["lots.parquet", "lots.arrow"])
def test_a_full_disk_leaves_no_half_of_a_file(tmp_path, url, small_files, name):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    sql = "select a.id, a.lot || b.id || b.lot as t from lots a, lots b"
    with pytest.raises(ExportError, match=r"no space left .*begin again"):
        export(sql, url, tmp_path / name)

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(f"{name}.unf") or path.name == name] == []


def test_a_summary_has_the_seconds_of_its_run(tmp_path, url):
    before = time.monotonic()
    summary = export("select * from lots", url, tmp_path / "lots.ndjson")
    assert 0 < summary.seconds <= time.monotonic() - before


def test_a_file_that_cannot_be_gone_on_with_leaves_nothing_that_is_in_the_way(tmp_path, url):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")

    def stop(_):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        export("select * from lots", url, tmp_path / "lots.parquet", on_event=stop)
    assert export("select * from lots", url, tmp_path / "lots.parquet").rows == 1_000


def test_a_value_that_fits_no_column_keeps_the_parts_before_it(tmp_path, path, url, monkeypatch):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    monkeypatch.setattr(rows, "PART_BYTES", 8 * KiB)
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("insert into lots values ('no number', 'x', 1)")
    with pytest.raises(Exception, match="does not fit int64"):
        export("select * from lots", url, f"{tmp_path}/parts/", format="parquet")
    assert not (tmp_path / "parts").exists()

    with closing(sqlite3.connect(path)) as con, con:
        con.execute("delete from lots where id = 'no number'")
        con.executemany("insert into lots values (?, 'x', 1)", [*[(n,) for n in range(9_000)], ("late",)])
    with pytest.raises(Exception, match="does not fit int64"):
        export("select * from lots", url, f"{tmp_path}/parts/", format="parquet")
    left = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert "part-00000.parquet" in left
    assert not [name for name in left if name == "manifest.json" or name.endswith(".unfinished")]


def test_the_rows_of_an_export_are_those_of_a_read(tmp_path, url):
    sql = "select id, lot from lots order by lot desc, id"
    export(sql, url, tmp_path / "lots.ndjson", max_bytes=1 * MiB)

    read = [row for batch in read_sql_iter(sql, url) for row in batch.rows]
    assert [tuple(json.loads(line).values()) for line in (tmp_path / "lots.ndjson").read_text().splitlines()] == read


def test_a_table_of_postgresql_is_read_in_the_same_order_each_time(tmp_path, postgres_schema_url):
    sql = """select current_setting('synchronize_seqscans') as scans, current_setting('search_path') as path,
             current_setting('max_parallel_workers_per_gather') as workers"""
    export(sql, postgres_schema_url, tmp_path / "settings.ndjson")

    (settings,) = map(json.loads, (tmp_path / "settings.ndjson").read_text().splitlines())
    assert (settings["scans"], settings["workers"]) == ("off", "0")
    assert settings["path"].startswith("test_")
