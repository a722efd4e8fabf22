from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner

from mesbatch.cli import main
from mesbatch.cli.options import with_password
from mesbatch.cli.progress import Progress
from mesbatch.events import BatchRead, PartRead


@pytest.fixture
def files(tmp_path):
    with closing(sqlite3.connect(tmp_path / "lots.db")) as con, con:
        con.execute("create table lots (id integer, lot text)")
        con.executemany("insert into lots values (?, ?)", ((n, f"lot{n % 40:02}") for n in range(1_000)))
    (tmp_path / "all.sql").write_text("select id, lot from lots;\n")
    (tmp_path / "keyed.sql").write_text("select id, lot from lots where lot in (:keys)")
    (tmp_path / "ids.sql").write_text("select id, lot from lots where id in (:keys)")
    (tmp_path / "above.sql").write_text("select id, lot from lots where id >= :low")
    return tmp_path


def run(files, *arguments, **options):
    url = ["--url", f"sqlite:///{files}/lots.db"]
    return CliRunner().invoke(main, ["export", *url, *map(str, arguments)], **options)


def ids_in(path):
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_export_writes_a_file_and_verify_checks_it(files):
    out = files / "lots.ndjson"
    result = run(files, "--sql", files / "all.sql", "--out", out)

    assert result.exit_code == 0, result.output
    assert "1,000 rows" in result.stderr
    assert "rows/s, peak memory" in result.stderr
    assert "complete" in result.stderr
    assert ids_in(out) == list(range(1_000))
    verified = CliRunner().invoke(main, ["verify", str(out)])
    assert verified.exit_code == 0
    assert "complete, 1,000 rows, " in verified.output

    out.write_bytes(out.read_bytes().replace(b"lot01", b"lot00", 1))
    assert CliRunner().invoke(main, ["verify", str(out)]).exit_code == 1


def test_a_pipe_carries_rows_and_nothing_else(files):
    result = run(files, "--sql", files / "all.sql", "--out", "-", "--format", "ndjson")

    assert len(result.stdout.splitlines()) == 1_000
    assert json.loads(result.stdout.splitlines()[-1]) == {"id": 999, "lot": "lot39"}


def test_arrow_goes_through_a_pipe_as_a_stream(files):
    pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    result = run(files, "--sql", files / "all.sql", "--out", "-", "--format", "arrow")

    assert pa.ipc.open_stream(result.stdout_bytes).read_all().num_rows == 1_000


def test_keys_come_from_a_file_however_it_was_written(files):
    (files / "keys.txt").write_bytes(b"\xef\xbb\xbflot07\r\n\r\nlot03\r\nlot07\r\n")
    result = run(files, "--sql", files / "keyed.sql", "--keys", files / "keys.txt", "--out", files / "two.ndjson")

    assert result.exit_code == 0, result.output
    assert len(ids_in(files / "two.ndjson")) == 50


def test_keys_of_a_whole_number_column_are_numbers(files):
    pytest.importorskip("apsw", reason="no apsw: sqlite3 does not tell the types of columns")
    (files / "keys.txt").write_text("20\n3\n")
    result = run(files, "--sql", files / "ids.sql", "--keys", files / "keys.txt", "--out", files / "two.ndjson")

    assert result.exit_code == 0, result.output
    assert ids_in(files / "two.ndjson") == [3, 20]


def test_parameters_are_bound(files):
    result = run(files, "--sql", files / "above.sql", "--param", "low=990", "--out", files / "few.ndjson")

    assert result.exit_code == 0, result.output
    assert ids_in(files / "few.ndjson") == list(range(990, 1_000))


def test_parameters_of_postgresql_are_written_as_its_driver_wants_them(tmp_path, postgres, postgres_schema_url):
    postgres.execute("create table lots as select n as id, 'lot' || n % 5 as lot from generate_series(1, 100) n")
    postgres.commit()
    (tmp_path / "keys.txt").write_text("lot1\nlot2\n")
    out = tmp_path / "x.ndjson"
    arguments = ["--sql", tmp_path / "q.sql", "--keys", tmp_path / "keys.txt", "--param", "low=90", "--out", out]
    (tmp_path / "q.sql").write_text("select lot, id from lots where id > %(low)s and lot in (:keys)")
    result = CliRunner().invoke(main, ["export", "--url", postgres_schema_url, *map(str, arguments), "--parallel", "2"])
    assert result.exit_code == 0, result.output
    assert ids_in(out) == [91, 96, 92, 97]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sql", "above.sql"], "parameter missing: :low"),
        (["--sql", "all.sql", "--param", "low=1"], "parameter too much: :low"),
        (["--sql", "above.sql", "--param", "low"], "takes name=value, got 'low'"),
        (["--sql", "above.sql", "--param", "low=1", "--param", "low=2"], "low is given twice"),
        (["--sql", "all.sql", "--max-bytes", "many"], "a size is a number and one of B, KiB, MiB, GiB"),
        (["--sql", "all.sql", "--max-bytes", "0B"], "must be above 0"),
        (["--sql", "all.sql", "--format", "csv"], "no format 'csv'"),
        (["--sql", "all.sql", "--parallel", "2"], "side by side"),
        (["--sql", "keyed.sql"], "the database says"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(files, monkeypatch, arguments, words):
    monkeypatch.chdir(files)
    result = run(files, *arguments, "--out", "out.ndjson")

    assert result.exit_code != 0
    assert words in result.output
    assert not (files / "out.ndjson").exists()


def test_an_error_in_the_statement_is_the_databases_message_with_its_place(files):
    pytest.importorskip("apsw", reason="no apsw: sqlite3 does not tell the place")
    (files / "bad.sql").write_text("select id,\n  lott from lots")
    result = run(files, "--sql", files / "bad.sql", "--out", files / "out.ndjson")

    assert result.exit_code == 1
    assert "no such column: lott" in result.output
    assert "(line 2, character 3 of the statement)" in result.output


def test_an_error_in_a_statement_for_postgresql_has_its_place_too(tmp_path, postgres_schema_url):
    (tmp_path / "bad.sql").write_text("select 1,\n  lott")
    for format_ in ("ndjson", "parquet"):
        out = tmp_path / f"x.{format_}"
        arguments = ["export", "--url", postgres_schema_url, "--sql", str(tmp_path / "bad.sql"), "--out", str(out)]
        result = CliRunner().invoke(main, arguments)

        assert result.exit_code == 1
        assert 'column "lott" does not exist' in result.output
        assert "(line 2, character 3 of the statement)" in result.output


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@db/x", "postgresql://db/x?user=me&password=s3cret"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(files, url):
    result = CliRunner().invoke(main, ["export", "--url", url, "--sql", str(files / "all.sql"), "--out", "x.ndjson"])

    assert result.exit_code == 2
    assert "everybody can read in `ps`" in result.output
    assert "s3cret" not in result.output


@pytest.mark.parametrize("way", ["variable", "file", "prompt"])
def test_a_password_comes_from_where_nobody_sees_it(files, monkeypatch, way):
    seen = []
    monkeypatch.setattr("mesbatch.cli.export.write_export", lambda sql, con, *_, **__: seen.append(con) or 1 / 0)
    (files / "secret").write_text("s3/cret\n")
    more = {"variable": [], "file": ["--password-file", files / "secret"], "prompt": ["--ask-password"]}[way]
    environment = {"MESBATCH_PASSWORD": "s3/cret"} if way == "variable" else {}
    arguments = ["--sql", files / "all.sql", "--out", "x.ndjson", *more]
    result = CliRunner().invoke(
        main, ["export", "--url", "postgresql://me@db/x", *map(str, arguments)], env=environment, input="s3/cret\n"
    )

    assert seen == ["postgresql://me:s3%2Fcret@db/x"]
    assert "s3" not in result.output


def test_a_url_without_a_user_or_a_password_stays_valid():
    assert with_password("postgresql://db/x", None) == "postgresql://db/x"
    assert with_password("postgresql://db:5433/x?a=b", "p w") == "postgresql://:p%20w@db:5433/x?a=b"


def test_a_connection_that_fails_tells_no_password(files):
    pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    result = CliRunner().invoke(
        main,
        [
            "export",
            "--url",
            "postgresql://me@127.0.0.1:1/x",
            "--sql",
            str(files / "all.sql"),
            "--out",
            str(files / "x.ndjson"),
        ],
        env={"MESBATCH_PASSWORD": "s3cret"},
    )

    assert result.exit_code == 1
    assert "cannot connect to postgresql://127.0.0.1:1/x" in result.output
    assert "s3cret" not in result.output


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(monkeypatch):
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr("mesbatch.cli.progress.monotonic", lambda: float(next(clock)))
    for stream in (Terminal(), io.StringIO()):
        progress = Progress(keys=4, stream=stream)
        progress(BatchRead(1_000, 0))
        progress(PartRead("a", "b", 2))
        progress.close()
        last = stream.getvalue().replace("\r\x1b[K", "\n").strip().splitlines()[-1]
        assert last.endswith("2 of 4 keys, 1,000 rows, 50 rows/s")
        assert last.startswith("[############            ]") == stream.isatty()


def test_a_killed_pipe_fails(files):
    code = "from mesbatch.cli import main; main()"
    export = [sys.executable, "-c", code, "export", "--url", f"sqlite:///{files}/lots.db", "--format", "ndjson"]
    (files / "big.sql").write_text("select a.id, b.lot from lots a, lots b")
    with subprocess.Popen(
        [*export, "--sql", files / "big.sql", "--out", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) != 0
        assert b"Traceback" not in process.stderr.read()
