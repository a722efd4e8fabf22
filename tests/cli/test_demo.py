"""The demo from the command line, end to end."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mesbatch.cli import main
from mesbatch.cli.demo import default_directory

pytestmark = pytest.mark.slow


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["demo", *map(str, arguments)])


def test_the_demo_reads_every_domain_completely_and_draws_the_memory(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    picture = tmp_path / "pictures" / "flat.png"

    result = invoke("--cids", 300, "--directory", tmp_path, "--png", picture, "--output", tmp_path / "trace.ndjson")

    assert result.exit_code == 0, result.output
    words = [line.split() for line in result.output.splitlines()]
    assert [line[0] for line in words if line[-1:] == ["complete"]] == [
        "history", "upstream_history", "materials", "rejects", "downstream_rejects", "holds", "jobs", "all",
    ]  # fmt: skip
    assert "above the imports" in result.output
    assert picture.stat().st_size > 10_000
    last = json.loads((tmp_path / "trace.ndjson").read_text().splitlines()[-1])
    assert last["type"] == "complete"


def test_the_warehouse_is_built_once(tmp_path, capfd):
    arguments = ["--cids", 300, "--directory", tmp_path, "--domains", "holds"]
    built = invoke(*arguments)
    assert "Building a warehouse of 300 lots" in capfd.readouterr().out  # a process of its own builds it
    again = invoke(*arguments)

    assert "Building" not in capfd.readouterr().out
    assert (built.exit_code, again.exit_code) == (0, 0)


def test_the_server_of_the_dashboard_holds_at_most_64_mib_although_it_built_the_warehouse(tmp_path):
    pytest.importorskip("flask", reason="flask is not installed")
    code = "from mesbatch.cli import main; main()"
    command = [sys.executable, "-c", code, "demo", "--serve", "--port", "0", "--cids", "3000", "--directory", tmp_path]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as server:
        try:
            address = next(line.split()[-1] for line in server.stdout if "dashboard is at" in line)
            urllib.request.urlopen(address).close()
            status = Path(f"/proc/{server.pid}/status").read_text()
        finally:
            server.terminate()
            server.stdout.read()
    held = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert held < 64 * 1024


def test_the_demo_runs_on_postgresql(tmp_path, postgres_schema_url):
    result = invoke("--cids", 300, "--url", postgres_schema_url, "--directory", tmp_path / "new")

    assert result.exit_code == 0, result.output
    assert "all" in result.output
    assert "NOT complete" not in result.output


def test_a_comparison_runs_all_three_and_draws_them(tmp_path):
    pytest.importorskip("pandas", reason="the incident's pipeline needs pandas")

    result = invoke("--cids", 300, "--directory", tmp_path, "--compare", "--domains", "materials,holds")

    assert result.exit_code == 0, result.output
    table = result.output.partition("three ways")[2]
    rows = [line.split()[-4] for line in table.splitlines() if line.startswith(("incident", "first", "mesbatch"))]
    assert len(rows) == 3
    assert len(set(rows)) == 1


def test_a_comparison_that_this_machine_cannot_hold_is_made_smaller(tmp_path, monkeypatch):
    pytest.importorskip("pandas", reason="the incident's pipeline needs pandas")
    monkeypatch.setattr("mesbatch.cli.demo.available_memory", lambda: 60 * 2**20)

    result = invoke("--cids", 1_500, "--directory", tmp_path, "--compare", "--domains", "history")

    assert result.exit_code == 0, result.output
    assert "comparing with 1,1" in result.output
    assert "but only 60.0 MiB are available" in result.output


def test_a_comparison_that_could_show_nothing_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("pandas", reason="the incident's pipeline needs pandas")
    monkeypatch.setattr("mesbatch.cli.demo.available_memory", lambda: 1 * 2**20)

    result = invoke("--cids", 300, "--directory", tmp_path, "--compare")

    assert result.exit_code == 1
    assert "only 1.0 MiB are available" in result.output


def test_rows_that_are_missing_fail_the_demo(tmp_path):
    invoke("--cids", 300, "--directory", tmp_path, "--domains", "holds")
    damage(tmp_path / "warehouse-300.sqlite")

    result = invoke("--cids", 300, "--directory", tmp_path, "--domains", "materials,holds")

    assert result.exit_code == 1
    assert "NOT complete" in result.output
    assert "ended with an error" in result.output


def damage(file: Path) -> None:
    with closing(sqlite3.connect(file)) as con:
        con.execute("DROP TABLE mesbatch_lot_materials")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--domains", "history,lots"], "unknown: lots; the domains are history"),
        (["--cids", "0"], "0 is not in the range x>=1"),
        (["--url", "sqlite:///mine.sqlite"], "--url is for PostgreSQL"),
        (["--compare", "--domains", "jobs"], "--compare reads history"),
        (["--url", "postgresql://127.0.0.1:1/nowhere", "--cids", "10"], "cannot connect to PostgreSQL"),
    ],
)
def test_what_cannot_work_is_refused_at_once(tmp_path, arguments, words):
    for needed in {"--compare": ["pandas"], "--url": ["psycopg"]}.get(arguments[0], []):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    result = invoke("--directory", tmp_path, *arguments)

    assert result.exit_code != 0
    assert words in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_an_error_without_a_traceback(tmp_path):
    (tmp_path / "file").write_text("in the way")

    result = invoke("--cids", 10, "--directory", tmp_path / "file" / "below")

    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Error: ")


def test_the_cache_is_where_the_xdg_specification_places_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "mesbatch"

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_directory() == Path.home() / ".cache" / "mesbatch"
