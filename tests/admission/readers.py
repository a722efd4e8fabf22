"""Worker process in a cage: four threads read 114,000 keys at the same moment, our way or the incident's."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

from mesbatch import read_sql_iter
from mesbatch.admission import (
    Admission,
    AdmissionPolicy,
    Admitted,
    Cost,
    Enqueue,
    MachineLimiter,
    PressureGauge,
    Reject,
    http_answer,
)
from mesbatch.demo.incident import incident
from mesbatch.group.by_key import iter_groups
from mesbatch.sink.ndjson import ndjson_groups
from mesbatch.units import MiB

KEYS = 114_000
ROWS_PER_KEY = 3
THREADS = 4
QUERY = "select * from rejects where CONTAINERID in (:keys)"


def cid(number: int) -> str:
    return f"4881038{number:09x}"


def build(path: str) -> None:
    """Build a table with rejects of every key."""
    with closing(sqlite3.connect(path)) as con, con:
        con.execute(
            "create table rejects "
            "(CONTAINERID text, CONTAINERNAME text, REASON text, EQUIPMENT text, QTY real, COMMENT text)"
        )
        con.executemany(
            "insert into rejects values (?, ?, ?, ?, ?, ?)",
            (
                (cid(number), f"GA{number:08d}-A00", f"reason {row}", f"GWBK-{number % 400:04d}", number * 0.5, None)
                for number in range(KEYS)
                for row in range(ROWS_PER_KEY)
            ),
        )
        con.execute("create index rejects_cid on rejects (CONTAINERID)")


class Ours:
    """Reads through policy, pressure, permits, and the flat flow."""

    def __init__(self, database: str, permits: str) -> None:
        self._url = f"sqlite:///{database}"
        limiter = MachineLimiter(permits, permits=2, max_bytes=32 * MiB)
        self._admission = Admission(AdmissionPolicy(), limiter, PressureGauge())

    def __call__(self, number: int) -> str:
        keys = [cid(number) for number in range(KEYS)]
        cost = Cost("mid_section_defect", len(keys), streamed=True)
        match self._admission.admit(cost, worker_listens=number == 0, principal=str(number), timeout=100.0):
            case Admitted() as admitted:
                return f"read {self._read(keys, admitted)} bytes"
            case Enqueue():
                return "enqueue"
            case Reject() as refusal:
                return f"refused {http_answer(refusal, jitter=0.0).status}"

    def _read(self, keys: list[str], admitted: Admitted) -> int:
        with admitted.permit, read_sql_iter(QUERY, self._url, keys=keys) as reader:
            lines = ndjson_groups(iter_groups(reader, "CONTAINERID"), reader.description)
            nbytes = sum(map(len, admitted.holding(lines, reader)))
            assert reader.manifest.complete
            assert reader.manifest.rows == KEYS * ROWS_PER_KEY
            return nbytes


def read_as_the_incident(database: str, number: int) -> str:
    keys = [cid(number) for number in range(KEYS)]
    with closing(sqlite3.connect(database)) as con:
        return f"read {len(incident(con, {'rejects': QUERY}, keys))} bytes"


def run_at_once(read: Callable[[int], str]) -> list[str]:
    together = Barrier(THREADS)

    def one(number: int) -> str:
        together.wait()
        return read(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def main() -> None:
    way, database, permits = sys.argv[1:]
    if way == "ours":
        print(json.dumps(run_at_once(Ours(database, permits))))
    else:
        print(json.dumps(run_at_once(lambda number: read_as_the_incident(database, number))))


if __name__ == "__main__":
    main()
