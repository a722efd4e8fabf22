from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mesbatch import KiB
from mesbatch.errors import CorruptChunk, ExportError
from mesbatch.export import export, rows, verify
from tests.export.children import contents, kill_export, run_export, size_of

pytestmark = pytest.mark.slow

ROWS = 60_000
SQL = "select id, lot, note from events"
KEYED = "select lot, id, note from events where lot in (:keys)"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("db") / "events.db"
    with closing(sqlite3.connect(file)) as con, con:
        con.execute("create table events (id integer, lot text, note text)")
        con.executemany(
            "insert into events values (?, ?, ?)", ((n, f"lot{n * 7 % 900:03}", "x" * (n % 90)) for n in range(ROWS))
        )
        con.execute("create index by_lot on events (lot)")
    return file


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 128 * KiB)


def arguments(path: Path, out: str, *, keyed: bool = False, **more):
    keys = {"keys": [f"lot{n:03}" for n in range(900)]} if keyed else {}
    return {"sql": KEYED if keyed else SQL, "con": f"sqlite:///{path}", "out": out, **keys, **more}


CASES = [
    ("out.ndjson", False, {}),
    ("out.ndjson", True, {}),
    ("out.ndjson.gz", True, {"compress": True}),
    ("out.csv", True, {}),
    ("out.csv.zst", False, {}),
    ("parts/", False, {"format": "csv", "compress": True}),
    ("parts/", False, {"format": "ndjson"}),
    ("parts/", True, {"format": "parquet"}),
    ("parts/", False, {"format": "arrow"}),
]


def killed_and_resumed(tmp_path: Path, path: Path, case, seed: int) -> None:
    name, keyed, more = case
    if more.get("format") in {"parquet", "arrow"} or name.endswith(".zst"):
        pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    chance = random.Random(seed)
    whole, out = tmp_path / "whole" / name, tmp_path / "killed" / name
    run_export(**arguments(path, f"{whole}{'/' * name.endswith('/')}", keyed=keyed, part_bytes=128 * KiB, **more))
    wanted = arguments(path, f"{out}{'/' * name.endswith('/')}", keyed=keyed, part_bytes=128 * KiB, resume=True, **more)

    kills = 0
    for _ in range(3):
        kills += kill_export(chance.randrange(-1, size_of(whole)), **wanted)
    run_export(**wanted)

    assert contents(out) == contents(whole)
    assert verify(out).rows == ROWS
    assert kills


@pytest.mark.parametrize("case", [CASES[0], *CASES[2:5], CASES[7]], ids=lambda case: f"{case[0]} {'keyed' * case[1]}")
def test_an_export_that_is_killed_and_goes_on_gives_the_bytes_of_an_undisturbed_one(tmp_path, path, case):
    killed_and_resumed(tmp_path, path, case, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {'keyed' * case[1]}")
def test_a_kill_at_any_moment_is_survived(tmp_path, path, case, seed):
    killed_and_resumed(tmp_path, path, case, seed)


def interrupted(path: Path, out: Path, at: int = 20_000, **more):
    """Begin an export that ends after some rows, by an error of its hook."""
    seen = 0

    def stop(event):
        nonlocal seen
        seen += getattr(event, "rows", 0)
        if seen > at:
            raise KeyError("stop")

    with pytest.raises(KeyError):
        export(**arguments(path, str(out), **more), on_event=stop)


def test_what_is_left_after_a_failure_is_whole_parts_and_no_manifest(tmp_path, path, small_parts):
    out = tmp_path / "out.ndjson"
    interrupted(path, out)

    with pytest.raises(ExportError, match=r"is not complete.*rows are whole; go on with --resume"):
        verify(out)
    assert out.read_bytes().endswith(b"\n")
    summary = export(**arguments(path, str(out)), resume=True)
    assert 0 < summary.rows_before < summary.rows == ROWS


def test_with_keys_only_those_above_the_last_are_read_again(tmp_path, path, small_parts):
    out = tmp_path / "out.ndjson"
    interrupted(path, out, keyed=True)
    summary = export(**arguments(path, str(out), keyed=True), resume=True)

    assert summary.manifest.rows == ROWS - summary.rows_before
    assert summary.rows_before > 0


def test_a_part_that_was_damaged_is_written_again(tmp_path, path, small_parts):
    out, whole = tmp_path / "out.ndjson", tmp_path / "whole" / "out.ndjson"
    whole.parent.mkdir()
    export(**arguments(path, str(whole), keyed=True))
    interrupted(path, out, keyed=True)
    data = bytearray(out.read_bytes())
    data[200_000] ^= 1
    out.write_bytes(data)

    summary = export(**arguments(path, str(out), keyed=True), resume=True)

    assert summary.rows_before > 0
    assert contents(out) == contents(whole)


def test_rows_that_changed_meanwhile_are_an_error_and_never_a_mixture(tmp_path, path, small_parts):
    out = tmp_path / "out.ndjson"
    changed = tmp_path / "changed.db"
    changed.write_bytes(path.read_bytes())
    interrupted(changed, out)
    with closing(sqlite3.connect(changed)) as con, con:
        con.execute("update events set note = 'other' where id = 5")

    with pytest.raises(ExportError, match="part 1 has other rows than before"):
        export(**arguments(changed, str(out)), resume=True)


def test_another_statement_cannot_go_on(tmp_path, path, small_parts):
    out = tmp_path / "out.ndjson"
    interrupted(path, out)

    with pytest.raises(ExportError, match="begun with another statement, parameters or keys"):
        export("select id from events", f"sqlite:///{path}", out, resume=True)
    parts = f"{tmp_path}/parts/"
    interrupted(path, parts, format="csv")
    with pytest.raises(ExportError, match="begun with another compression"):
        export(**arguments(path, parts), format="csv", resume=True, compress=True)
    with pytest.raises(ExportError, match="begun with another format"):
        export(**arguments(path, parts), format="ndjson", resume=True)


def test_a_statement_that_is_not_cut_by_keys_is_read_again(tmp_path, path, small_parts):
    sql = KEYED.replace("lot in", "lot not in")
    export(sql, f"sqlite:///{path}", tmp_path / "out.ndjson", keys=["lot005"])
    summary = export(sql, f"sqlite:///{path}", f"{tmp_path}/parts/", format="ndjson", keys=["lot005"])
    (tmp_path / "parts" / "part-00003.ndjson").unlink()

    again = export(sql, f"sqlite:///{path}", f"{tmp_path}/parts/", format="ndjson", keys=["lot005"], resume=True)
    assert again.rows == summary.rows == again.manifest.rows
    assert verify(tmp_path / "parts").rows == summary.rows


def test_other_keys_cannot_go_on(tmp_path, path, small_parts):
    out = tmp_path / "out.ndjson"
    interrupted(path, out, keyed=True)
    others = {**arguments(path, str(out), keyed=True), "keys": iter([f"lot{n:03}" for n in range(899)])}

    with pytest.raises(ExportError, match="another statement, parameters or keys"):
        export(**others, resume=True)
    same = {**others, "keys": iter([f"lot{n:03}" for n in reversed(range(900))])}
    assert export(**same, resume=True).rows == ROWS


def test_without_the_key_in_the_result_the_rows_are_read_again(tmp_path, path, small_parts):
    sql = "select id, note from events where lot in (:keys)"
    keys = [f"lot{n:03}" for n in range(900)]
    export(sql, f"sqlite:///{path}", f"{tmp_path}/parts/", format="ndjson", keys=keys)
    (tmp_path / "parts" / "part-00003.ndjson").unlink()

    again = export(sql, f"sqlite:///{path}", f"{tmp_path}/parts/", format="ndjson", keys=keys, resume=True)
    assert again.rows == ROWS == again.manifest.rows


def test_what_is_complete_is_verified_and_left(tmp_path, path, small_parts):
    out = tmp_path / "out.ndjson"
    export(**arguments(path, str(out)))
    before = contents(out)

    summary = export(**arguments(path, str(out)), resume=True)

    assert (summary.rows, summary.rows_before, summary.manifest.rows) == (ROWS, ROWS, 0)
    assert contents(out) == before


@pytest.mark.parametrize("change", ["flip", "cut", "grow", "remove"])
def test_verify_finds_every_change(tmp_path, path, change, small_parts):
    for out in (tmp_path / "out.ndjson", tmp_path / "parts"):
        export(**arguments(path, f"{out}{'/' * (out.name == 'parts')}", format="ndjson"))
        victim = out if out.is_file() else out / "part-00001.ndjson"
        data = victim.read_bytes()
        if change == "remove":
            victim.unlink()
        else:
            victim.write_bytes(
                {"flip": data[:99] + bytes([data[99] ^ 1]) + data[100:], "cut": data[:-1], "grow": data + b"\n"}[change]
            )

        with pytest.raises((CorruptChunk, ExportError)):
            verify(out)


def test_an_output_that_is_mended_is_not_whole_until_it_is(tmp_path, path, small_parts):
    """The manifest of before is gone as soon as a part is written again."""
    parts = f"{tmp_path}/parts/"
    export(**arguments(path, parts, keyed=True), format="ndjson")
    damaged = tmp_path / "parts" / "part-00002.ndjson"
    damaged.write_bytes(damaged.read_bytes()[:-1])

    def stop(event):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        export(**arguments(path, parts, keyed=True), format="ndjson", resume=True, on_event=stop)
    seen = []

    def look(event):
        seen.append((tmp_path / "parts" / "manifest.json").exists())

    export(**arguments(path, parts, keyed=True), format="ndjson", resume=True, on_event=look)
    assert seen[-1] is False
    assert verify(tmp_path / "parts").rows == ROWS
