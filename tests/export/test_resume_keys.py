"""Exports by keys of every type go on after the last key of any part, and give the bytes of an undisturbed run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from mesbatch.errors import ExportError
from mesbatch.export import export, rows, verify
from mesbatch.export.journal import Journal
from mesbatch.keys.collect import collect_keys
from tests.export.children import contents

KEYED = "select k, n from t where k in (:keys)"
FORMATS = ("ndjson", "parquet", "arrow")
PADDED = ["a", "a\t", "a\t\t", "b"]  # in a padded column a tab stands before the blanks that it is padded with
KEYS = {
    "text": ["a", "a\t", "a ", "b\u00e9"],
    "varchar(8)": ["a", "a\t", "a ", "b"],
    "char(8)": PADDED,
    "char(1)": ["a", "b", "c"],
    "integer": [-1, 0, 7],
    "bigint": [-(2**63), 0, 2**63 - 1],
    "numeric(9,0)": [1, 2, 3],
    "numeric(9,2)": [Decimal("1.5"), Decimal("2.50"), Decimal(10)],
    "numeric": [Decimal("1E+2"), Decimal("1234567890123456789012345678901234567890.125"), Decimal("0.1")],
    "float8": [-1.5, 0.1, 1e300],
    "date": [date(1999, 12, 31), date(2026, 1, 1), date(2026, 1, 2)],
    "timestamp": [datetime(2026, 1, 1, 0, 0, 0, n) for n in range(3)],
    "timestamptz": [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-8)))],
    "uuid": [UUID(int=n) for n in (1, 2, 2**127)],
    "bytea": [b"a", b"a\0", b"\xff"],
}
SQLITE_KEYS = {"text": KEYS["text"], "integer": KEYS["integer"], "real": KEYS["float8"], "blob": KEYS["bytea"]}


@pytest.fixture(autouse=True)
def one_key_a_part(monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 1)


def killed_after(parts: int, monkeypatch, url: str, out: str, **options) -> None:
    """Begin an export that ends once *parts* of its parts are whole."""
    add = Journal.add

    def add_once(journal, part):
        add(journal, part)
        if len(journal.parts) == parts:
            raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "add", add_once)
        with pytest.raises(RuntimeError, match="killed"):
            export(KEYED, url, out, **options)


def check_every_part(tmp_path, monkeypatch, url: str, keys: list, format_: str) -> None:
    if format_ != "ndjson":
        pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    whole = tmp_path / "whole"
    summary = export(KEYED, url, f"{whole}/", keys=keys, format=format_)
    assert (summary.rows, summary.parts) == (len(keys), len(keys))
    for parts in range(1, summary.parts + 1):
        out = tmp_path / f"after-{parts}"
        killed_after(parts, monkeypatch, url, f"{out}/", keys=keys, format=format_)
        resumed = export(KEYED, url, f"{out}/", keys=keys, format=format_, resume=True)

        assert (resumed.rows, resumed.rows_before) == (len(keys), parts)
        assert resumed.manifest.rows == len(keys) - parts
        assert verify(out).rows == len(keys)
        assert contents(out) == contents(whole)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("key_type", KEYS)
def test_an_export_from_postgresql_goes_on_after_a_key_of_any_type(
    tmp_path, monkeypatch, postgres, postgres_schema_url, key_type, format_
):
    keys = KEYS[key_type]
    postgres.execute(f"create table t (k {key_type}, n int)")
    with postgres.cursor() as cursor:
        cursor.executemany("insert into t values (%s, %s)", [(key, n) for n, key in enumerate(keys)])
    postgres.commit()

    check_every_part(tmp_path, monkeypatch, postgres_schema_url, keys, format_)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("key_type", SQLITE_KEYS)
def test_an_export_from_sqlite_goes_on_after_a_key_of_any_type(tmp_path, monkeypatch, key_type, format_):
    keys = SQLITE_KEYS[key_type]
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute(f"create table t (k {key_type}, n int)")
        con.executemany("insert into t values (?, ?)", [(key, n) for n, key in enumerate(keys)])

    check_every_part(tmp_path, monkeypatch, f"sqlite:///{tmp_path}/t.db", keys, format_)


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_blanks_of_keys_do_not_count_in_a_column_that_pads(tmp_path, monkeypatch, postgres, postgres_schema_url, parts):
    postgres.execute("create table t (k char(3), n int)")
    postgres.execute(r"insert into t values ('a', 0), (E'a\t', 1), (E'a\t\t', 2), ('b', 3)")
    postgres.commit()
    keys = [*PADDED, "a ", "a\t  ", "b  "]
    options = {"keys": keys, "format": "ndjson"}
    killed_after(parts, monkeypatch, postgres_schema_url, f"{tmp_path}/out/", **options)
    export(KEYED, postgres_schema_url, f"{tmp_path}/out/", **options, resume=True)

    lines = [line for path in sorted((tmp_path / "out").glob("part-*")) for line in path.read_text().splitlines()]
    assert [json.loads(line)["n"] for line in lines] == [0, 1, 2, 3]


@pytest.fixture
def url(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table t (k text, n int)")
        con.executemany("insert into t values (?, ?)", [("a", 0), ("b", 1)])
    return f"sqlite:///{tmp_path}/t.db"


def test_only_the_manifest_is_written_where_nothing_else_is_missing(tmp_path, monkeypatch, url):
    out = tmp_path / "out.ndjson"
    killed_after(2, monkeypatch, url, str(out), keys=["a", "b"])
    with out.open("ab") as file:
        file.write(b"torn")
    summary = export(KEYED, "sqlite:////nowhere/t.db", out, keys=["a", "b"], resume=True)

    assert (summary.rows, summary.rows_before, summary.manifest.status) == (2, 2, "complete")
    assert verify(out).rows == 2


def test_a_journal_of_another_version_is_not_gone_on_with(tmp_path, monkeypatch, url):
    out = tmp_path / "out.ndjson"
    killed_after(1, monkeypatch, url, str(out), keys=["a", "b"])
    journal = tmp_path / "out.ndjson.journal.ndjson"
    journal.write_text(journal.read_text().replace('"version":2', '"version":1'))

    with pytest.raises(ExportError, match=r"another version of mesbatch \(1, now 2\): use --force"):
        export(KEYED, url, out, keys=["a", "b"], resume=True)


def test_an_output_of_another_version_that_is_whole_stays_verifiable(tmp_path, url):
    out = tmp_path / "out.ndjson"
    export(KEYED, url, out, keys=["a", "b"])
    manifest = tmp_path / "out.ndjson.manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 1'))

    assert verify(out).plan.version == 1
    assert export(KEYED, url, out, keys=["a", "b"], resume=True).rows_before == 2


def test_keys_that_the_caller_collected_stay_open(tmp_path, url):
    with closing(collect_keys(iter(["a", "b"]))) as keys:
        export(KEYED, url, tmp_path / "out.ndjson", keys=keys)

        assert list(keys.slices(lambda: 2)) == [["a", "b"]]


def test_they_stay_open_also_where_an_export_goes_on(tmp_path, monkeypatch, url):
    with closing(collect_keys(iter(["a", "b"]))) as keys:
        killed_after(1, monkeypatch, url, f"{tmp_path}/out/", keys=keys, format="ndjson")
        export(KEYED, url, f"{tmp_path}/out/", keys=keys, format="ndjson", resume=True)

        assert list(keys.slices(lambda: 2)) == [["a", "b"]]
