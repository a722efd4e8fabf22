from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import Batch, Column, Manifest
from mesbatch.errors import DatabaseBusy, ReadInterrupted
from mesbatch.manifest import FailedKeys
from mesbatch.trace.ndjson import trace_lines
from mesbatch.trace.read import Query, Trace

GOLDEN = Path(os.environ.get("MESBATCH_GOLDEN", Path(__file__).parents[2] / "../shared/golden"))
ID = (Column("ID", "text"), Column("QTY", "integer"))


@dataclass
class TraceInMemory:
    """A trace read that has its rows already; a domain ends with its last row, and a failed one never begins."""

    domains: tuple[str, ...]
    batches: list[tuple[str, Batch] | Exception]
    descriptions: dict[str, tuple[Column, ...]]
    failed: dict[str, FailedKeys] = field(default_factory=dict)
    aggregation: dict[str, Any] | None = None
    key_count: int = 7
    closed: int = 0

    def __post_init__(self) -> None:
        self.manifests = {domain: Manifest() for domain in self.domains}

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        left = [item[0] for item in self.batches if isinstance(item, tuple)]
        self._end(left)
        for item in self.batches:
            if isinstance(item, Exception):
                raise item
            domain, batch = item
            self.manifests[domain].rows += batch.num_rows
            yield domain, batch
            left.remove(domain)
            self._end(left)

    def _end(self, still_reading: list[str]) -> None:
        for domain in self.manifests.keys() - still_reading:
            manifest = self.manifests[domain]
            manifest.status = "complete"
            if domain in self.failed:
                manifest.failed = [self.failed[domain]]
                manifest.status = "partial" if manifest.rows else "failed"

    def close(self) -> None:
        self.closed += 1


class ReadAhead(TraceInMemory):
    """A trace whose manifests are complete before the first row is sent: other threads were faster."""

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        return iter(self.batches)


def batch(*ids: str) -> Batch:
    return Batch(("ID", "QTY"), [(key, number) for number, key in enumerate(ids)])


def trace_of(
    *batches: tuple[str, Batch] | Exception, domains: tuple[str, ...] = ("a", "b"), **more: Any
) -> TraceInMemory:
    return TraceInMemory(domains, list(batches), dict.fromkeys(domains, ID), **more)


def lines_of(trace: TraceInMemory, **options: Any) -> list[dict[str, Any]]:
    chunks = list(trace_lines(trace, **options))
    assert all(chunk.count(b"\n") == 1 and chunk.startswith(b'{"type":"') for chunk in chunks)
    return [json.loads(chunk) for chunk in chunks]


def kinds_of(lines: list[dict[str, Any]]) -> list[str]:
    return [" ".join(filter(None, (line["type"], line.get("domain")))) for line in lines]


def read_golden(name: str) -> str:
    path = GOLDEN / name
    if not path.exists():
        pytest.skip(f"the first implementation's recorded bytes are not here: no {path.name} in MESBATCH_GOLDEN")
    return path.read_text(encoding="utf-8")


def golden_trace(lines: list[dict[str, Any]]) -> TraceInMemory:
    """Make the trace whose stream the first implementation wrote."""
    batches, descriptions = [], {}
    for line in lines:
        if line["type"] == "records":
            columns = tuple(line["data"][0])
            descriptions[line["domain"]] = tuple(map(Column, columns))
            batches.append((line["domain"], Batch(columns, [tuple(row.values()) for row in line["data"]])))
    (aggregation,) = (line["data"] for line in lines if line["type"] == "aggregation")
    failed = {"holds": FailedKeys("4881038000000000", "4881038000000006", 7, "it was locked")}
    return TraceInMemory((*descriptions, "holds"), batches, descriptions, failed, aggregation)


def test_every_member_of_the_recorded_stream_is_in_ours():
    golden = [json.loads(line) for line in read_golden("stream.ndjson").splitlines()]
    ours = lines_of(golden_trace(golden), job_id="trace-evt-0123456789ab", profile="mid_section_defect", batch_size=3)
    assert kinds_of(ours) == kinds_of(golden)
    for mine, theirs in zip(ours, golden):
        if theirs["type"] == "meta":
            theirs["domains"].append("holds")  # it was asked for, too
        if theirs["type"] == "domain_start":
            theirs["total"] = None  # nobody knows while it is read
        assert {member: mine[member] for member in theirs} == theirs


def test_our_stream_is_the_recorded_one_byte_for_byte():
    failed = {"holds": FailedKeys("4", "5", 2, "locked: select * from holds")}
    materials = (Column("ID", "varchar", width=16), Column("QTYCONSUMED", "numeric", precision=12, scale=3))
    trace = TraceInMemory(
        ("materials", "jobs", "holds"),
        [("materials", Batch(("ID", "QTYCONSUMED"), [("焊接", 1379.417), ('"\\', None), ("c", 5)]))],
        {"materials": materials, "jobs": ID},
        failed,
        {"kpi": {"total": 3, "rate": 0.125}},
    )
    moments = iter([10.0, 12.5])
    ours = b"".join(trace_lines(trace, job_id="j", profile="p", batch_size=2, clock=lambda: next(moments)))
    assert ours == (Path(__file__).parent / "recorded_stream.ndjson").read_bytes()


def test_two_domains_read_at_once_alternate_and_keep_their_own_account():
    trace = trace_of(("a", batch("1")), ("b", batch("1", "2")), ("a", batch("2")), ("b", batch("3")))
    lines = lines_of(trace)
    assert kinds_of(lines) == [
        "meta", "domain_start a", "records a", "domain_start b", "records b", "records a", "domain_end a", "records b",
        "domain_end b", "complete",
    ]  # fmt: skip
    assert [(line["batch"], line["count"]) for line in lines if line.get("domain") == "b" and "batch" in line] == [
        (0, 2),
        (1, 1),
    ]
    assert lines[-1]["total_records"] == 5
    assert {name: domain["rows"] for name, domain in lines[-1]["domains"].items()} == {"a": 2, "b": 3}


def test_a_domain_that_was_read_ahead_does_not_end_before_its_last_row_was_sent():
    trace = trace_of(("a", batch("1")), ("b", batch("1")), ("a", batch("2")), ("b", batch("2")))
    ahead = list(trace)
    trace.batches, trace.__class__ = ahead, ReadAhead
    kinds = kinds_of(lines_of(trace))
    assert kinds[-5:] == ["records a", "domain_end a", "records b", "domain_end b", "complete"]


def test_a_domain_without_rows_begins_and_ends():
    lines = lines_of(trace_of(("b", batch("1"))))
    assert kinds_of(lines) == [
        "meta",
        "domain_start a",
        "domain_end a",
        "domain_start b",
        "records b",
        "domain_end b",
        "complete",
    ]
    assert lines[2] == {"type": "domain_end", "domain": "a", "count": 0, "status": "complete", "checksum": "00000000"}


@pytest.mark.parametrize(("keys_read", "kinds"), [(0, []), (1, ["domain_start b", "domain_end b"])])
def test_a_domain_of_which_no_key_came_neither_begins_nor_ends(keys_read, kinds):
    trace = trace_of(("a", batch("1")))
    trace.batches, trace.__class__ = list(trace), ReadAhead
    trace.manifests["b"] = Manifest("partial", keys=9, keys_read=keys_read, failed=[FailedKeys("2", "9", 8, "locked")])
    lines = lines_of(trace)
    assert [kind for kind in kinds_of(lines) if kind.endswith(" b")] == kinds
    assert lines[-2]["failed_domains"] == ["b"]


def test_a_domain_without_keys_was_never_described():
    lines = lines_of(TraceInMemory(("a",), [], {}))
    assert kinds_of(lines) == ["meta", "domain_start a", "domain_end a", "complete"]


def test_a_domain_that_failed_after_rows_ends_as_partial_and_is_warned_about():
    trace = trace_of(("a", batch("1")), ("b", batch("1")), failed={"b": FailedKeys("2", "9", 8, "ORA-01555")})
    lines = lines_of(trace)
    assert lines[-3]["status"] == "partial"
    assert lines[-2] == {
        "type": "warning",
        "code": "EVENTS_PARTIAL_FAILURE",
        "failed_domains": ["b"],
        "failed_keys": [{"domain": "b", "first": "2", "last": "9", "count": 8}],
    }


def test_arrays_have_their_columns_in_the_start_and_the_rows_in_the_records():
    start, records = lines_of(trace_of(("a", batch("1", "2")), domains=("a",)), shape="arrays")[1:3]
    assert [column["name"] for column in start["columns"]] == ["ID", "QTY"]
    assert (records["rows"], "data" in records) == ([["1", 0], ["2", 1]], False)


@given(
    rows=st.lists(st.tuples(st.text("ab"), st.integers())),
    cuts=st.lists(st.integers(1, 9), min_size=1),
    size=st.integers(1, 9),
)
def test_any_chunking_gives_the_same_rows_and_checksum(rows, cuts, size):
    left = iter(rows)
    parts = [list(islice(left, cut)) for cut in [*cuts, len(rows)]]
    trace = trace_of(*[("a", Batch(("ID", "QTY"), part)) for part in parts], domains=("a",))
    lines = lines_of(trace, batch_size=size)
    records = [line for line in lines if line["type"] == "records"]
    assert [tuple(row.values()) for line in records for row in line["data"]] == rows
    assert all(line["count"] == len(line["data"]) <= size for line in records)
    assert [line["batch"] for line in records] == list(range(len(records)))
    joined = ",".join(json.dumps({"ID": key, "QTY": qty}, separators=(",", ":")) for key, qty in rows)
    checksum = f"{zlib.crc32(joined.encode()):08x}"
    assert lines[-1]["domains"]["a"] == {"rows": len(rows), "checksum": checksum}
    assert lines[-2]["checksum"] == trace.manifests["a"].checksum == checksum


@pytest.mark.parametrize(
    ("error", "message", "status", "code"),
    [
        (ReadInterrupted("lost after 1 row\nSELECT secret"), "lost after 1 row", 500, "READ_INTERRUPTED"),
        (DatabaseBusy("no connection"), "no connection", 503, "DATABASE_BUSY"),
        (RuntimeError("SELECT secret"), "the read failed: RuntimeError", 500, "RUNTIME_ERROR"),
    ],
)
def test_a_failure_is_the_last_line_and_says_no_sql(error, message, status, code, caplog):
    trace = trace_of(("a", batch("1")), error)
    *_, records, last = lines_of(trace)
    assert records["type"] == "records"
    assert (last["type"], last["message"]) == ("error", message)
    assert (last["problem"]["status"], last["problem"]["code"], last["problem"]["detail"]) == (status, code, message)
    assert trace.closed
    assert caplog.records[-1].exc_info[1] is error


@pytest.mark.parametrize("status", ["reading", "truncated"])
def test_a_domain_that_stopped_before_its_end_is_an_error(status):
    trace = trace_of(("a", batch("1")), domains=("a",))
    trace._end = lambda still_reading: setattr(trace.manifests["a"], "status", status)
    assert kinds_of(lines_of(trace))[-2:] == ["records a", "error"]


def test_a_value_that_cannot_be_written_is_an_error_line_and_no_broken_one():
    lines = lines_of(trace_of(("a", batch("1")), ("a", Batch(("ID", "QTY"), [("2", object())]))))
    assert kinds_of(lines)[-2:] == ["records a", "error"]
    assert "column 'QTY' of row 2" in lines[-1]["message"]


def test_other_columns_than_described_are_an_error_line():
    lines = lines_of(trace_of(("a", Batch(("ID", "OTHER"), [("1", 2)]))))
    assert lines[-1]["problem"]["code"] == "SCHEMA_CHANGED"


@pytest.mark.parametrize("taken", [0, 1, 3, 100])
def test_the_trace_is_closed_at_the_end_and_early(taken):
    trace = trace_of(("a", batch("1")), ("b", batch("1")))
    with trace_lines(trace) as stream:
        list(islice(stream, taken))
    assert trace.closed


@pytest.mark.parametrize("domains_at_once", [1, 2])
def test_a_trace_of_a_real_database_says_which_domain_is_missing(tmp_path, domains_at_once):
    path = tmp_path / "mes.db"
    lots = [(f"lot{number:03}", number) for number in range(500)]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table history (LOT text, QTY integer)")
        connection.executemany("insert into history values (?, ?)", lots)
        connection.commit()
    sql = "select LOT, QTY from {} where LOT in (:keys)"
    trace = Trace({"history": Query(sql.format("history")), "holds": Query(sql.format("holds"))})
    keys = [lot for lot, _ in lots[100:]]
    read = trace.read(f"sqlite:///{path}", keys, on_failure="partial", domains_at_once=domains_at_once, batch_size=60)
    lines = lines_of(read, batch_size=50)
    assert [tuple(row.values()) for line in lines if line["type"] == "records" for row in line["data"]] == lots[100:]
    end, warning, complete = lines[-3:]
    assert (end["domain"], end["status"], end["count"]) == ("history", "complete", 400)
    assert warning["failed_domains"] == ["holds"]
    assert complete["domains"] == {"history": {"rows": 400, "checksum": end["checksum"]}}


def test_a_trace_that_tolerates_nothing_ends_with_the_error():
    with closing(sqlite3.connect(":memory:")) as connection:
        trace = Trace({"holds": Query("select LOT from holds where LOT in (:keys)")})
        lines = lines_of(trace.read(connection, ["a"]))
    assert kinds_of(lines) == ["meta", "error"]
    assert "select" not in json.dumps(lines)


def test_the_former_path_gives_the_same_function():
    from mesbatch.sink import trace_lines as former

    assert former.trace_lines is trace_lines
