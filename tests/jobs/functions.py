"""Functions that the jobs of the tests may call, and the database that they read."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from mesbatch import Query, Trace
from mesbatch.jobs import Work
from mesbatch.trace.read import TraceReader

KEYS = [f"c{n:04d}" for n in range(1_500)]
BIG_KEY, BIG_ROWS = "c0700", 900  # more rows than a chunk of the tests
DOMAINS = ("moves", "holds")


def make_database(path: Path) -> str:
    """Make some 6,000 moves and 700 holds of 1,500 keys and others, in no order."""
    chance = random.Random(4)
    moves = [(key, n, round(chance.random(), 3)) for key in KEYS for n in range(chance.choice((0, 1, 2, 3, 8)))]
    moves += [(BIG_KEY, 100 + n, None) for n in range(BIG_ROWS)] + [("other", n, 0.5) for n in range(50)]
    holds = [(key, f"reason {n}") for n, key in enumerate(KEYS) if chance.random() < 0.5]
    chance.shuffle(moves)
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table moves (cid text, n int, qty real)")
        con.execute("create table holds (cid text, reason text)")
        con.executemany("insert into moves values (?, ?, ?)", moves)
        con.executemany("insert into holds values (?, ?)", holds)
        con.execute("create index moves_cid on moves (cid)")
        con.execute("create index holds_cid on holds (cid)")
    return str(path)


def expected(path: str, keys: list[str] = KEYS) -> dict[str, Counter[tuple[Any, ...]]]:
    """Read the rows of each domain, by direct SQL."""
    wanted = set(keys)
    with closing(sqlite3.connect(path)) as con:
        return {
            domain: Counter(row for row in con.execute(f"select * from {domain}") if row[0] in wanted)
            for domain in DOMAINS
        }


def trace(nap: float) -> Trace:
    """Make the trace of the tests; every row takes *nap* seconds."""
    slowly = f"and nap({nap})" if nap else ""
    return Trace({domain: Query(f"select * from {domain} where cid in (:keys) {slowly}") for domain in DOMAINS})


def connect(path: str) -> sqlite3.Connection:
    con = sqlite3.connect(path, check_same_thread=False)
    con.create_function("nap", 1, lambda seconds: time.sleep(seconds) or 1)
    return con


class Count:
    """A count of rows and a sum over them, as an aggregation that can be resumed."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.total = 0

    def add(self, domain: str, batch: Any) -> None:
        self.rows[domain] += batch.num_rows
        if domain == "moves":
            self.total += sum(row[1] for row in batch.rows)

    def result(self) -> dict[str, Any]:
        return {"rows": dict(self.rows), "total": self.total}

    def state(self) -> Any:
        return self.result()

    def merge(self, state: Any) -> None:
        self.rows.update(state["rows"])
        self.total += state["total"]

    def restore(self, state: Any) -> None:
        self.rows, self.total = Counter(state["rows"]), state["total"]


def events(work: Work, path: str, nap: float = 0.0) -> TraceReader:
    """Read as an ordinary job does."""
    work.aggregate(Count)
    return trace(nap).read(
        lambda: connect(path), work.keys, work.domains,
        max_bytes=work.max_bytes, on_failure=work.on_failure, batch_size=100,
    )  # fmt: skip


class Charge(Count):
    """A count that adds, for each row, what the input says of its key."""

    def __init__(self, weights: Iterable[tuple[str, int]]) -> None:
        super().__init__()
        self.weights = dict(weights)

    def add(self, domain: str, batch: Any) -> None:
        self.rows[domain] += batch.num_rows
        self.total += sum(self.weights[row[0]] for row in batch.rows)


def weighing(work: Work, path: str, nap: float = 0.0) -> TraceReader:
    """Read, and weigh each row with the input ``weights``."""
    work.aggregate(lambda: Charge(work.inputs["weights"].members()))
    return trace(nap).read(
        lambda: connect(path), work.keys, work.domains,
        max_bytes=work.max_bytes, on_failure=work.on_failure, batch_size=100,
    )  # fmt: skip


def attribute(work: Work, nap: float) -> dict[str, Any]:
    """Count the moves of each held key's neighbour, by rows that are stored."""
    reasons = {key: reason for key, (_, reason) in work.rows("holds", work.keys)}
    neighbours = {f"c{int(key[1:]) + 1:04d}" for key in reasons}
    moves: Counter[str] = Counter()
    for key, _ in work.rows("moves", neighbours):
        moves[key] += 1
        time.sleep(nap)
    return {"held": len(reasons), "moves": moves.total(), "first": min(moves)}


def concluding(work: Work, path: str, nap: float = 0.0) -> TraceReader:
    """Read, and compute counts at the end of the job; every row that is looked up takes *nap* seconds."""
    work.conclude(lambda finished: attribute(finished, nap))
    return events(work, path)


def ranged(work: Work, path: str, keyset: list[str], nap: float = 0.0) -> TraceReader:
    """Read both domains without keys, ordered by *keyset* or by nothing; every row takes *nap* seconds."""
    work.aggregate(Count)
    queries = {
        "moves": Query("select * from moves where n >= ? and nap(?)", params=(0, nap), keyset=keyset),
        "holds": Query("select * from holds where nap(?)", params=(nap,), keyset=["cid"] if keyset else []),
    }
    return Trace(queries).read(
        lambda: connect(path), work.keys, work.domains, after=work.after, max_bytes=work.max_bytes, batch_size=100
    )


def hungry(work: Work, path: str, appetite: int) -> TraceReader:
    """Read, and allocate *appetite* bytes for each byte of the budget."""
    eaten = bytearray(work.max_bytes * appetite)
    eaten[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * len(range(0, len(eaten), os.sysconf("SC_PAGE_SIZE")))
    return events(work, path)


def stuck(work: Work, path: str) -> TraceReader:
    """Read with a statement that never comes to its first row."""
    endless = (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select 'c0001' as cid, i from n where i < 0"
    )
    query = Query(f"select * from ({endless}) where cid in (:keys)", key="cid")
    return Trace(dict.fromkeys(DOMAINS, query)).read(lambda: connect(path), work.keys, work.domains)


def broken(work: Work, path: str) -> TraceReader:
    """Read with a statement that fails."""
    queries = {**trace(0).queries, "holds": Query("select cid, no_such_column from holds where cid in (:keys)")}
    return Trace(queries).read(lambda: connect(path), work.keys, work.domains, on_failure=work.on_failure)


def suicidal(work: Work, path: str) -> TraceReader:
    """Kill the process that reads."""
    os.kill(os.getpid(), 9)
    return events(work, path)


_ALLOWED = (events, weighing, concluding, ranged, hungry, stuck, broken, suicidal)
FUNCTIONS = {function.__name__: function for function in _ALLOWED}
