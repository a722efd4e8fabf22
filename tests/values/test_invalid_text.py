from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import oracledb
import pytest

from mesbatch import group_by_key, read_sql_iter
from mesbatch.errors import InvalidText
from mesbatch.events import PartRetried
from mesbatch.export import export, verify
from mesbatch.sink.ndjson import ndjson_lines
from tests.oracle.rig import OracleServer

LATIN, SURROGATE = b"caf\xe9", b"ab\xed\xa0\x80"  # text of another encoding, and half a surrogate pair
ROWS = 20
WRONG = {7: LATIN, 8: SURROGATE, 15: LATIN}  # by the number of their row
SQL = "select k, s from odd"
KEYED = "select k, s from odd where k in (:keys)"
KINDS = {"postgres": "odd_postgres", "psycopg": "odd_postgres", "racle": "odd_oracle"}
KEYS = [f"k{number:02}" for number in range(ROWS)]


def expected(on_invalid_text: str) -> list[tuple[str, str]]:
    def text(number: int) -> str:
        if number not in WRONG:
            return f"s{number}"
        if on_invalid_text == "replace":
            return WRONG[number].decode(errors="replace")
        return base64.b64encode(WRONG[number]).decode()

    return [(key, text(number)) for number, key in enumerate(KEYS)]


def rows_of(con: Any, sql: str = SQL, **options: Any) -> list[tuple[Any, ...]]:
    with read_sql_iter(sql, con, **options) as reader:
        return [row for batch in reader for row in batch.rows]


@pytest.fixture
def odd_file(tmp_path: Any) -> str:
    path = str(tmp_path / "odd.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table odd (k text, s text, b blob)")
        con.executemany("insert into odd values (?, ?, x'ff')", [(key, f"s{n}") for n, key in enumerate(KEYS)])
        for number, raw in WRONG.items():
            con.execute("update odd set s = cast(? as text) where k = ?", (raw, KEYS[number]))
    return path


@pytest.fixture(scope="module")
def odd_postgres(postgres_server: Any) -> Iterator[str]:
    """Make a database without an encoding, to which anybody may write any bytes."""
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    url = postgres_server.url.removesuffix("/postgres") + "/odd"
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute("create database odd encoding 'SQL_ASCII' locale 'C' template template0")
        with psycopg.connect(url, autocommit=True) as con:
            con.execute("create table odd (k text, s text)")
            with con.cursor() as cursor, cursor.copy("copy odd from stdin") as copy:
                for number, key in enumerate(KEYS):
                    copy.write(key.encode() + b"\t" + WRONG.get(number, f"s{number}".encode()) + b"\n")
        yield url
        admin.execute("drop database odd with (force)")


@pytest.fixture(scope="module")
def odd_oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Any]]:
    """Connect to the stand-in, which sends the bytes that lie in its file."""
    path = tmp_path_factory.mktemp("oracle") / "oracle.db"
    with OracleServer(path) as server:
        with oracledb.connect(**server.credentials) as connection:
            connection.cursor().execute("create table odd (k varchar2(3), s varchar2(9))")
        with closing(sqlite3.connect(path)) as con, con:
            rows = [(key, WRONG.get(number, f"s{number}")) for number, key in enumerate(KEYS)]
            con.executemany("insert into odd values (?, ?)", rows)
        yield lambda: oracledb.connect(**server.credentials)


@pytest.fixture(params=["sqlite3", "apsw", "sqlite URL", "postgres URL", "psycopg", "Oracle", "oracledb"])
def odd(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Whatever can be read whose table has three texts that are no UTF-8."""
    kind = next((kind for word, kind in KINDS.items() if word in request.param), "odd_file")
    place = request.getfixturevalue(kind)
    match request.param:
        case "Oracle":
            yield place
        case "oracledb":
            with place() as con:
                yield con
        case "sqlite URL":
            yield f"sqlite:///{place}"
        case "postgres URL":
            yield place
        case module:
            connections = pytest.importorskip(module, reason=f"no {module}: it is not installed")
            connect = connections.Connection if module == "apsw" else connections.connect
            with closing(connect(place)) as con:
                yield con


def take_all(reader: Any, rows: list[Any]) -> None:
    for batch in reader:
        rows += batch.rows


def test_the_column_and_the_row_are_named_and_rows_before_it_are_as_they_are(odd):
    rows: list[Any] = []
    with read_sql_iter(SQL, odd, batch_size=1) as reader:
        with pytest.raises(InvalidText, match=r"(?i)^column 's' of row 8: b'caf\\xe9' is no valid UTF-8"):
            take_all(reader, rows)
        assert rows == expected("replace")[: len(rows)]
        assert len(rows) in {7, 2}  # python-oracledb fails on a whole array of rows
    assert reader.manifest.status == "failed"


@pytest.mark.parametrize("on_invalid_text", ["replace", "base64"])
def test_such_text_is_replaced_or_written_in_base64_on_every_way(odd, tmp_path, on_invalid_text):
    whole = expected(on_invalid_text)
    assert rows_of(odd, on_invalid_text=on_invalid_text) == whole
    with read_sql_iter(SQL, odd, on_invalid_text=on_invalid_text) as reader:
        assert [tuple(json.loads(line).values()) for line in b"".join(ndjson_lines(reader)).splitlines()] == whole
    with read_sql_iter(SQL, odd, on_invalid_text=on_invalid_text) as reader, group_by_key(reader, "k") as groups:
        assert [row for key in KEYS for row in groups[key]] == whole

    parquet = pytest.importorskip("pyarrow.parquet", reason="no pyarrow: the extra arrow is not installed")
    export(SQL, odd, tmp_path / "odd.parquet", on_invalid_text=on_invalid_text)
    assert verify(tmp_path / "odd.parquet").rows == ROWS
    table = parquet.read_table(tmp_path / "odd.parquet")
    assert list(zip(*(column.to_pylist() for column in table.columns))) == whole


def test_no_parquet_file_is_made_that_nobody_could_read(odd, tmp_path):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    with pytest.raises(InvalidText, match=r"(?i)column 's' of row 8"):
        export(SQL, odd, tmp_path / "odd.parquet")
    assert not (tmp_path / "odd.parquet").exists()


def test_the_key_is_named_and_no_other_key_is_lost(odd):
    with pytest.raises(InvalidText, match=r"(?i)column 's' of row \d+: .*its key is 'k07'"):
        rows_of(odd, KEYED, keys=KEYS)

    heard: list[Any] = []
    with read_sql_iter(KEYED, odd, keys=KEYS, on_failure="partial", on_event=heard.append) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert rows == [row for number, row in enumerate(expected("replace")) if number not in WRONG]
    assert [(failed.first, failed.last, failed.count) for failed in reader.manifest.failed] == [
        (KEYS[number], KEYS[number], 1) for number in WRONG
    ]
    assert (reader.manifest.status, reader.manifest.keys_read) == ("partial", ROWS - len(WRONG))
    assert [type(event).__name__ for event in heard].count("KeyRefused") == len(WRONG)
    assert not [event for event in heard if isinstance(event, PartRetried)]


@pytest.mark.parametrize("max_bytes", [1_000, 8_000_000])
def test_all_rows_of_such_a_key_are_left_out(odd_file, max_bytes):
    with closing(sqlite3.connect(odd_file)) as con, con:
        con.executemany("insert into odd values (?, ?, null)", [(key, "more") for key in KEYS] * 3)
    sql = f"{KEYED} order by k, length(s)"
    with read_sql_iter(sql, f"sqlite:///{odd_file}", keys=KEYS, on_failure="partial", max_bytes=max_bytes) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert {key for key, _ in rows} == {key for number, key in enumerate(KEYS) if number not in WRONG}
    assert len(rows) == 4 * (ROWS - len(WRONG))


def test_a_time_that_python_has_not_costs_its_key_as_well(postgres, postgres_schema_url):
    postgres.execute("create table late (k int, at timestamp)")
    values = "select n % 10, case n when 25 then 'infinity' else now() end from generate_series(0, 99) n"
    postgres.execute(f"insert into late {values}")
    postgres.commit()
    for con in (postgres_schema_url, postgres):
        sql = "select k, at from late where k in (:keys)"
        with read_sql_iter(sql, con, keys=list(range(10)), on_failure="partial") as reader:
            rows = [row for batch in reader for row in batch.rows]
        assert {key for key, _ in rows} == set(range(10)) - {5}
        assert [(failed.first, failed.count) for failed in reader.manifest.failed] == [(5, 1)]
        assert 'CAST("at" AS VARCHAR)' in reader.manifest.failed[0].error


def test_bytes_of_a_blob_are_no_text(odd_file):
    for con in (sqlite3.connect(odd_file), f"sqlite:///{odd_file}"):
        assert rows_of(con, "select s, b from odd", on_invalid_text="replace")[7] == ("caf\ufffd", b"\xff")


def test_the_callers_own_text_factory_stays(odd_file):
    with closing(sqlite3.connect(odd_file)) as con:
        rows_of(con, on_invalid_text="replace")
        assert con.text_factory is str
        con.text_factory = bytes
        assert rows_of(con)[7] == (b"k07", LATIN)


def test_the_server_of_a_client_in_utf_8_refuses_the_text_itself(odd_postgres):
    with pytest.raises(InvalidText, match="invalid byte sequence"):
        rows_of(f"{odd_postgres}?client_encoding=utf8")


def test_an_unknown_wish_is_refused_at_once():
    with pytest.raises(ValueError, match="on_invalid_text must be one of raise, replace, base64; got 'ignore'"):
        read_sql_iter(SQL, "sqlite:///nowhere.db", on_invalid_text="ignore")
