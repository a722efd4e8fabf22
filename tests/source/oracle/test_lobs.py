"""LOBs of Oracle: read whole, with their rows, in slices, or not at all; a too large one is not read."""

from __future__ import annotations

import gc

import oracledb
import pytest

from mesbatch import MiB, OracleSource, read_sql_iter
from mesbatch.errors import RowTooLarge, StatementError
from mesbatch.source.oracle.lobs import SLICE, LobSlices

DOCS = [(n, "é" * (10 * n), bytes([n]) * n) for n in range(1, 31)]
EMPTY = (99, None, None)
LARGE = 3 * SLICE + 17
SQL = "select id, body, bin from docs order by id"


@pytest.fixture(scope="module", autouse=True)
def tables(oracle):
    oracle.make_table("docs", "id number(9), body clob, bin blob", [*DOCS, EMPTY])
    oracle.make_table("long_docs", "id number(9), body clob, bin blob", [])
    with oracle.connect() as connection:
        cursor = connection.cursor()
        cursor.setinputsizes(None, oracledb.DB_TYPE_CLOB, oracledb.DB_TYPE_BLOB)
        cursor.executemany("insert into long_docs values (:1, :2, :3)", [
            (1, "a", b"a"), (2, "x" * LARGE, b"y" * LARGE), (3, "c", b"c")
        ])  # fmt: skip
        connection.commit()


def read(sql, con, **options):
    with read_sql_iter(sql, con, **options) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert reader.manifest.complete
    return rows


@pytest.mark.parametrize("policy", ["whole", "inline", "slices"])
def test_small_lobs_are_text_and_bytes(oracle_pool, policy):
    assert read(SQL, OracleSource(oracle_pool, lobs=policy)) == [*DOCS, EMPTY]


@pytest.mark.parametrize("policy", ["whole", "inline", "slices"])
def test_a_budget_smaller_than_the_lobs_together_is_no_hindrance(oracle_pool, policy):
    source = OracleSource(oracle_pool, lobs=policy, lob_limit=1_000)
    assert read(SQL, source, max_bytes=20_000) == [*DOCS, EMPTY]


def test_a_pool_alone_reads_lobs_whole(oracle_pool, oracle_connection):
    assert read(SQL, oracle_pool) == read(SQL, oracle_connection) == [*DOCS, EMPTY]


def test_a_default_of_the_driver_changes_nothing(oracle_pool, monkeypatch):
    monkeypatch.setattr(oracledb.defaults, "fetch_lobs", False)
    monkeypatch.setattr(oracledb.defaults, "fetch_decimals", True)
    assert read(SQL, oracle_pool) == [*DOCS, EMPTY]


def test_a_lob_above_the_limit_is_refused_and_not_read(oracle_pool, oracle_server):
    before = oracle_server.counts().get("lob", 0)
    source = OracleSource(oracle_pool, lob_limit=SLICE)
    with pytest.raises(
        RowTooLarge, match=f"column BODY holds a LOB of {LARGE:,} characters or bytes, the limit is 256"
    ):
        read("select id, body from long_docs where id > 1", source)
    assert oracle_server.counts().get("lob", 0) == before


def test_the_budget_is_the_limit_unless_another_is_named(oracle_pool):
    with pytest.raises(RowTooLarge, match=r"the limit is 512\.0 KiB"):
        read("select id, body from long_docs", oracle_pool, max_bytes=MiB // 2)
    assert len(read("select id, body from long_docs", oracle_pool, max_bytes=8 * MiB)[1][1]) == LARGE


def test_an_inline_lob_above_the_limit_is_refused(oracle_pool):
    with pytest.raises(RowTooLarge, match="column BODY holds a LOB"):
        read("select id, body from long_docs", OracleSource(oracle_pool, lobs="inline"))


def test_inline_lobs_cost_no_round_trips_of_their_own(oracle_pool, oracle_server):
    def trips(policy):
        before = oracle_server.counts()["round_trips"]
        read(SQL, OracleSource(oracle_pool, lobs=policy))
        return oracle_server.counts()["round_trips"] - before

    with oracle_pool.acquire():
        pass  # so that no connection is made meanwhile
    assert trips("inline") <= 8
    assert trips("omit") <= 5
    assert trips("whole") >= 60


def test_a_large_lob_is_read_in_slices_while_somebody_iterates(oracle_pool, oracle_server):
    source = OracleSource(oracle_pool, lobs="slices", lob_limit=1_000)
    with read_sql_iter("select id, body, bin from long_docs order by id", source) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert rows[0] == (1, "a", b"a")
    _, body, binary = rows[1]
    before = oracle_server.counts().get("lob", 0)
    assert isinstance(body, LobSlices)
    assert body.size == LARGE
    assert [len(piece) for piece in body] == [SLICE, SLICE, SLICE, 17]
    assert b"".join(binary) == b"y" * LARGE
    assert oracle_server.counts()["lob"] - before == 8
    del rows, body, binary
    gc.collect()
    assert oracle_pool.busy == 0


def test_a_connection_stays_out_until_its_last_lob_is_gone(oracle_pool):
    source = OracleSource(oracle_pool, lobs="slices", lob_limit=1_000)
    rows = read("select body from long_docs order by id", source)
    assert oracle_pool.busy == 1
    assert "".join(rows[1][0]) == "x" * LARGE
    rows.clear()
    assert oracle_pool.busy == 0


def test_omitted_lobs_are_not_read(oracle_pool, oracle_server):
    before = oracle_server.counts().get("lob", 0)
    rows = read("select id, body from long_docs order by id", OracleSource(oracle_pool, lobs="omit"))
    assert rows == [(1, None), (2, None), (3, None)]
    assert oracle_server.counts().get("lob", 0) == before


def test_refused_lobs_fail_before_a_row_is_fetched(oracle_pool, oracle_server):
    before = oracle_server.counts().get("rows", 0)
    with pytest.raises(StatementError, match=r'lobs="refuse" does not allow: BODY, BIN'):
        read(SQL, OracleSource(oracle_pool, lobs="refuse"))
    assert oracle_server.counts().get("rows", 0) == before
    assert len(read("select id from docs", OracleSource(oracle_pool, lobs="refuse"))) == 31


def test_keys_bring_their_lobs(oracle_pool):
    sql = "select id, body, bin from docs where id in (:keys)"
    for strategy in ("in-list", "array", "temporary-table"):
        assert read(sql, oracle_pool, keys=[3, 5, 1_000], strategy=strategy) == [DOCS[2], DOCS[4]]


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, 2 * SLICE + 1])
def test_the_slices_of_a_lob_are_the_whole_lob_whatever_its_size(size):
    class Lob:
        def size(self):
            return size

        def read(self, offset, amount):
            return b"x" * min(amount, size - offset + 1)

    pieces = list(LobSlices(Lob()))
    assert sum(map(len, pieces)) == size
    assert all(pieces)
