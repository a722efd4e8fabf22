"""Rows of a read without a job, kept until its end: the same as those that passed, and the file goes with them."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import Query, Trace
from mesbatch.errors import CorruptChunk, InvalidPage, NotIndexed
from mesbatch.jobs import kept_rows
from mesbatch.jobs.kept_rows import KeptRows
from mesbatch.keys.collect import collect_keys

QUERIES = {
    "moves": Query("select k, n from moves where k in (:keys)"),
    "none": Query("select k, n from moves where k in (:keys) and n < 0"),
    "folded": Query("select upper(k) as k, n from moves where k in (:keys)"),
    "broken": Query("select no_such from moves where k in (:keys)"),
}


def database(rows):
    con = sqlite3.connect(":memory:", check_same_thread=False)
    con.execute("create table moves (k text, n int)")
    con.executemany("insert into moves values (?, ?)", rows)
    return con


def read_all(con, kept, keys, domains, **more):
    with Trace(QUERIES).read(con, keys, domains, **more) as reader:
        for domain, batch in reader:
            kept.add(reader, domain, batch)
        kept.end(reader)


@given(
    held=st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 9), min_size=1),
    wanted=st.lists(st.text("abc", min_size=1, max_size=2)),
    size=st.integers(1, 7),
)
def test_rows_are_those_that_passed_filtered(held, wanted, size):
    rows = [(key, n) for key, many in held.items() for n in range(many)]
    keys = collect_keys(list(held))
    with pytest.MonkeyPatch.context() as patch, closing(database(rows)) as con, closing(KeptRows(keys)) as kept:
        patch.setattr(kept_rows, "BATCH_SIZE", size)
        read_all(con, kept, keys, ["moves", "none"], batch_size=5)
        found = list(kept.rows("moves", wanted))
        assert Counter(row for _, row in found) == Counter(row for row in rows if row[0] in wanted)
        assert all(key == row[0] for key, row in found)
        assert [key for key, _ in found] == sorted(key for key, _ in found)
        assert list(kept.rows("none", wanted)) == []


def test_what_cannot_be_looked_up_says_why():
    keys = collect_keys(["a"])
    with closing(database([("a", 1)])) as con, closing(KeptRows(keys)) as kept:
        read_all(con, kept, keys, ["moves", "folded", "broken"], on_failure="partial")
        assert list(kept.rows("moves", ["a"])) == [("a", ("a", 1))]
        for domain, reason in {
            "folded": "one statement read all keys",
            "broken": "nothing of it could be read",
        }.items():
            with pytest.raises(NotIndexed, match=reason):
                kept.rows(domain, ["a"])
        with pytest.raises(InvalidPage):
            kept.rows("holds", ["a"])


def test_a_domain_that_has_not_ended_is_refused():
    keys = collect_keys(["a"])
    with closing(database([("a", 1)])) as con, closing(KeptRows(keys)) as kept:
        with Trace(QUERIES).read(con, keys, ["moves"]) as reader:
            for domain, batch in reader:
                kept.add(reader, domain, batch)
        with pytest.raises(NotIndexed, match="it has not ended"):
            kept.rows("moves", ["a"])


def test_damage_on_disk_is_an_error():
    keys = collect_keys(["a"])
    with closing(database([("a", 1)])) as con, closing(KeptRows(keys)) as kept:
        read_all(con, kept, keys, ["moves"])
        os.pwrite(kept._file.fileno(), b"7", 6)
        with pytest.raises(CorruptChunk, match="'moves'"):
            list(kept.rows("moves", ["a"]))


def test_the_file_goes_with_it():
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system has no /proc")
    before = len(list(folder.iterdir()))
    kept = KeptRows(collect_keys(["a"]))
    assert len(list(folder.iterdir())) == before + 1
    kept.close()
    kept.close()
    assert len(list(folder.iterdir())) == before
