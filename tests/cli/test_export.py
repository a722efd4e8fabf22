from __future__ import annotations

import io
import json
import signal
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
from mesbatch.export.estimate import estimate_rows
from tests.rig.until import until


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


def test_a_missing_package_names_its_extra(files):
    without = "import sys; sys.modules['pyarrow'] = None; from mesbatch.cli import main; main()"
    options = ["--url", f"sqlite:///{files}/lots.db", "--table", "lots", "--out", str(files / "lots.parquet")]
    done = subprocess.run(
        [sys.executable, "-c", without, "export", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "this needs pyarrow: pip install 'mesbatch[arrow]'" in done.stderr


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
        (["--sql", "above.sql", "--param", "lw=1"], 'style is :low: "... where id > :low" takes --param low=7'),
        (["--sql", "all.sql", "--max-bytes", "many"], "a size is a number and one of B, KiB, MiB, GiB, kB, KB, MB, GB"),
        (["--sql", "all.sql", "--max-bytes", "0B"], "must be above 0"),
        (["--sql", "all.sql", "--format", "xlsx"], "no format 'xlsx'"),
        (["--sql", "all.sql", "--format", "csv"], "says ndjson, the format is to be csv"),
        (["--sql", "nosuch.sql"], "no file 'nosuch.sql'; a query itself is given as --sql 'select * from lots'"),
        (["--sql", "no such.sql"], "no file 'no such.sql'"),
        (["--sql", "latin.sql"], "latin.sql is no UTF-8: line 2 has the byte 0xe9; convert it first"),
        (["--sql", "all.sql", "--table", "lots"], "either a query"),
        ([], "either a query"),
        (["--table", "lots; drop table lots"], "--table takes a name"),
        (["--table", "lots", "--table", "lots"], "write --out out.ndjson/"),
        (["--sql", "all.sql", "--key-type", "int"], "--key-type is for the keys of --keys"),
        (["--sql", "insert into lots values (1, 'x')"], "wanted a statement that returns rows"),
        (["--sql", "all.sql", "--parallel", "2"], "side by side"),
        (["--sql", "keyed.sql"], "the statement has :keys: name a file of keys, one a line, by --keys"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(files, monkeypatch, arguments, words):
    monkeypatch.chdir(files)
    (files / "latin.sql").write_bytes(b"select *\nfrom caf\xe9")
    result = run(files, *arguments, "--out", "out.ndjson")

    assert result.exit_code == (2 if "Usage:" in result.output else 1)
    assert not isinstance(result.exception, Exception)
    assert words in result.output
    assert not (files / "out.ndjson").exists()


def test_a_schema_declares_types_of_parquet(files):
    pq = pytest.importorskip("pyarrow.parquet", reason="no pyarrow: the extra arrow is not installed")
    out = files / "lots.parquet"
    declared = ["--schema", "id=decimal128(20, 2)", "--schema", "lot=large_string"]
    assert run(files, "--sql", files / "all.sql", "--out", out, *declared).exit_code == 0
    assert [str(field.type) for field in pq.read_schema(out)] == ["decimal128(20, 2)", "large_string"]

    with closing(sqlite3.connect(files / "lots.db")) as con, con:
        con.execute("insert into lots values (0.99, 'half')")
    refused = run(files, "--sql", files / "all.sql", "--out", files / "other.parquet")
    assert "column 'id' of row 1,001: 0.99 does not fit int64" in refused.output
    assert "schema={'id': pa.string()}" in refused.output
    again = run(files, "--sql", files / "all.sql", "--out", files / "other.parquet", "--schema", "id=float64")
    assert again.exit_code == 0
    assert pq.read_table(files / "other.parquet")["id"][1_000].as_py() == 0.99


@pytest.mark.parametrize(
    ("schema", "words"),
    [("id", "column=type"), ("id=number", "no type 'number'"), ("no=string", "the result has id, lot")],
)
def test_a_schema_that_cannot_be_is_refused(files, schema, words):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    result = run(files, "--sql", files / "all.sql", "--out", files / "x.parquet", "--schema", schema)
    assert result.exit_code != 0
    assert words in result.output


def test_text_that_is_no_utf_8_is_named_or_taken_as_wished(files):
    with closing(sqlite3.connect(files / "lots.db")) as con, con:
        con.execute("insert into lots values (1000, cast(x'636166e9' as text))")
    refused = run(files, "--sql", files / "all.sql", "--out", files / "x.ndjson")
    assert refused.exit_code == 1
    assert "column 'lot' of row 1,001" in refused.output
    taken = run(files, "--sql", files / "all.sql", "--out", files / "y.ndjson", "--on-invalid-text", "base64")
    assert taken.exit_code == 0
    assert (files / "y.ndjson").read_text().splitlines()[-1] == '{"id":1000,"lot":"Y2Fm6Q=="}'


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
    assert with_password("sqlite:///x.db", "of another database") == "sqlite:///x.db"
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
        with Progress(keys=4, stream=stream) as progress:
            progress(BatchRead(1_000, 5_000_000))
            progress(PartRead("a", "b", 2))
        last = stream.getvalue().replace("\r\x1b[K", "\n").strip().splitlines()[-1]
        assert last.endswith("50%, 2 of 4 keys, 1,000 rows, 4.8 MiB read, 50 rows/s, 20 s left")
        assert last.startswith("[############            ]") == stream.isatty()


def test_progress_shows_a_percentage_where_the_planner_has_a_number(monkeypatch):
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr("mesbatch.cli.progress.monotonic", lambda: float(next(clock)))
    stream, asked = io.StringIO(), []
    with Progress(estimate=lambda: asked.append(1) or 2_000, stream=stream) as progress:
        progress(BatchRead(500, 0))
        progress(BatchRead(9_500, 0))

    first, second = stream.getvalue().splitlines()
    assert first == "about 25%, 500 rows, 0 B read, 50 rows/s, 30 s left"
    assert second.startswith("about 99%, 10,000 rows")
    assert len(asked) == 1


def test_the_planner_of_postgresql_estimates_and_never_fails_an_export(postgres, postgres_schema_url):
    postgres.execute("create table lots as select n as id from generate_series(1, 5000) n")
    postgres.execute("analyze lots")
    postgres.commit()

    assert estimate_rows("select * from lots", postgres_schema_url, None) == 5_000
    assert estimate_rows("select * from lots where id > %(low)s", postgres_schema_url, {"low": "0"}) == 5_000
    assert estimate_rows("select * from nosuch", postgres_schema_url, None) is None
    assert estimate_rows("select 1", "sqlite:////nowhere/x.db", None) is None


def test_a_query_is_text_or_comes_by_standard_input(files):
    result = run(files, "--sql", "select lot from lots where id = 7", "--out", "-", "--format", "csv")
    assert result.stdout_bytes == b"lot\r\nlot07\r\n"
    assert "standard output: 1 rows" in result.stderr

    piped = run(files, "--sql", "-", "--out", files / "few.csv", input="select id from lots where id < 2")
    assert piped.exit_code == 0, piped.output
    assert (files / "few.csv").read_bytes() == b"id\r\n0\r\n1\r\n"
    assert f"{files}/few.csv: 2 rows" in piped.stderr


def test_several_tables_go_into_a_folder_each(files):
    with closing(sqlite3.connect(files / "lots.db")) as con, con:
        con.execute("create table steps as select id as step from lots where id < 3")
    out = files / "dump"
    result = run(files, "--table", "lots", "--table", "steps", "--out", f"{out}/", "--format", "csv")

    assert result.exit_code == 0, result.output
    assert (out / "steps" / "part-00000.csv").read_bytes() == b"step\r\n0\r\n1\r\n2\r\n"
    verified = CliRunner().invoke(main, ["verify", str(out / "lots"), str(out / "steps")])
    assert verified.exit_code == 0
    assert [line.split(", ")[1] for line in verified.output.splitlines()] == ["1,000 rows", "3 rows"]


@pytest.mark.parametrize(("sql", "place"), [("selct * from lots", 1), ("select * fro lots", 10)])
def test_a_slip_in_a_word_is_the_databases_own_error_with_its_place(files, sql, place):
    pytest.importorskip("apsw", reason="no apsw: sqlite3 does not tell the place")
    result = run(files, "--sql", sql, "--out", files / "out.csv")

    assert result.exit_code == 1
    assert f'the database says: near "{sql[place - 1 :].split()[0]}"' in result.output
    assert f"(line 1, character {place} of the statement)" in result.output


def test_a_slip_in_the_first_word_has_its_place_on_postgresql_too(tmp_path, postgres_schema_url):
    arguments = ["export", "--url", postgres_schema_url, "--sql", "selct * from lots", "--out", str(tmp_path / "x.csv")]
    result = CliRunner().invoke(main, arguments)

    assert 'syntax error at or near "selct"' in result.output
    assert "(line 1, character 1 of the statement)" in result.output


def test_a_statement_that_writes_is_never_sent_to_be_explained(files):
    run(files, "--sql", "delete from lots", "--out", files / "out.csv")
    run(files, "--sql", "analyze delete from lots", "--out", files / "out.csv")

    assert run(files, "--sql", "select count(*) from lots", "--out", "-", "--format", "csv").stdout.split() == [
        "count(*)",
        "1000",
    ]


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("nonsense", 2, "write sqlite:///FILE, postgresql://USER@HOST/DATABASE"),
        ("", 2, "write sqlite:///FILE"),
        ("http://[", 2, "--url is no URL"),
        ("nosuch://host/x", 2, "whose dialect and driver are installed"),
        ("sqlite:////nowhere/x.db", 1, "there is no such database"),
        ("sqlite:///a%00b", 1, "cannot connect"),
        ("postgresql://127.0.0.1:1/x", 1, "nothing listens on that port"),
    ],
)
def test_an_odd_url_is_a_message_that_says_what_to_write(tmp_path, monkeypatch, url, code, words):
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["export", "--url", url, "--table", "lots", "--out", "x.csv"])

    assert result.exit_code == code, result.output
    assert words in result.output
    assert not isinstance(result.exception, Exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key_type", "declared", "keys"),
    [
        ("uuid", "uuid", ["00000000-0000-0000-0000-000000000001"]),
        ("int", "bigint", ["4611686018427387904"]),
        ("numeric", "numeric(10,2)", ["1.50"]),
        ("float", "float8", ["1.5"]),
        ("date", "date", ["2024-01-01"]),
        ("timestamp", "timestamp", ["2024-01-01 10:00:00"]),
        ("inet", "inet", ["10.0.0.1"]),
        ("oid", "oid", ["5"]),
        ("text", "text", ["007"]),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["named", "asked for"])
def test_keys_of_a_file_have_the_type_of_their_column(
    tmp_path, postgres, postgres_schema_url, key_type, declared, keys, named
):
    postgres.execute(f"create table t (k {declared})")
    for key in keys:
        postgres.execute(f"insert into t values ('{key}')")
    postgres.commit()
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    sql = "select count(*) as n from t where k in (:keys)"
    arguments = ["--sql", sql, "--keys", str(tmp_path / "keys.txt"), "--out", "-", "--format", "csv"]
    more = ["--key-type", key_type] if named else []
    result = CliRunner().invoke(main, ["export", "--url", postgres_schema_url, *arguments, *more])

    assert result.exit_code == 0, result.output
    assert result.stdout.split() == ["n", "1"]


def test_a_callers_word_makes_keys_of_a_column_without_a_type(files):
    with closing(sqlite3.connect(files / "lots.db")) as con, con:
        con.execute("create table untyped (id, lot)")
        con.execute("insert into untyped select id, lot from lots")
    (files / "keys.txt").write_text("7\n8\n")
    sql = "select id from untyped where id in (:keys)"
    arguments = ["--keys", files / "keys.txt", "--key-type", "int", "--out", "-", "--format", "csv"]

    assert run(files, "--sql", sql, *arguments).stdout.split() == ["id", "7", "8"]


def test_keys_of_a_numeric_column_of_sqlite_are_numbers_where_they_can_be(files):
    pytest.importorskip("apsw", reason="no apsw: sqlite3 does not tell the types of columns")
    with closing(sqlite3.connect(files / "lots.db")) as con, con:
        con.execute("create table n (k numeric)")
        con.execute("insert into n values (1.5), ('2024-01-01')")
    for key in ("1.5", "2024-01-01"):
        (files / "keys.txt").write_text(key)
        arguments = ["--sql", "select k from n where k in (:keys)", "--keys", files / "keys.txt"]
        assert run(files, *arguments, "--out", "-", "--format", "csv").stdout.split() == ["k", key]


def test_a_line_that_is_no_key_of_its_type_is_named(files):
    (files / "keys.txt").write_text("7\nx\n")
    arguments = ["--keys", files / "keys.txt", "--key-type", "uuid", "--out", files / "x.csv"]
    result = run(files, "--sql", "select id from lots where id in (:keys)", *arguments)

    assert result.exit_code == 1
    assert "keys.txt, line 1: badly formed hexadecimal UUID string" in result.output


def begun(files, *arguments, **options):
    (files / "big.sql").write_text("select a.id, b.lot from lots a, lots b, lots c")
    code = "from mesbatch.cli import main; main()"
    command = [sys.executable, "-c", code, "export", "--url", f"sqlite:///{files}/lots.db"]
    arguments = ["--sql", str(files / "big.sql"), *map(str, arguments)]
    return subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_export_that_can_go_on_and_says_so(files, number, code):
    out = files / "big.csv"
    with begun(files, "--out", out) as process:
        until(lambda: out.exists() and out.stat().st_size > 100_000, 60)
        process.send_signal(number)
        assert process.wait(60) == code
        said = process.stderr.read().decode()
    assert "rows are whole in" in said
    assert "the same command with --resume goes on with them" in said
    assert "Traceback" not in said
    assert not (files / "big.csv.manifest.json").exists()
    assert (files / "big.csv.journal.ndjson").exists()


def test_a_reader_that_has_seen_enough_ends_an_export_quietly(files):
    with begun(files, "--format", "csv", "--out", "-", stdout=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""
