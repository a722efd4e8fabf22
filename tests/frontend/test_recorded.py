"""The Python and the JavaScript client, before the same recorded streams."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesbatch.client import JobStream
from mesbatch.client.stream import unbroken
from mesbatch.errors import CorruptChunk, JobFailed, ReadInterrupted
from mesbatch.sink.stream import ByteStream
from tests.frontend.rig import run_node

HERE = Path(__file__).parent
RECORDED = HERE.parent / "trace" / "recorded_stream.ndjson"
GOLDEN = HERE.parent / "store" / "golden"
MORE_GOLDEN = Path(os.environ.get("MESBATCH_GOLDEN", HERE.parents[1] / "../shared/golden"))

# Names of the same refusal. Python asks again after bytes that are no line; JavaScript raises a typed error at once.
ERRORS = {
    "Truncated": ReadInterrupted,
    "Malformed": ReadInterrupted,
    "Incomplete": CorruptChunk,
    "JobFailed": JobFailed,
}


def in_javascript(path: Path) -> dict[str, Any]:
    done = run_node(HERE / "recorded.mjs", path)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def in_python(data: bytes) -> dict[str, Any]:
    def lines() -> Iterator[bytes]:
        yield from unbroken(data.splitlines(keepends=True))

    told: dict[str, Any] = {"rows": {}, "error": None}
    stream = JobStream(lambda first: ByteStream(lines(), None), patience=0)  # type: ignore[arg-type]
    try:
        with stream:
            for records in stream:
                told["rows"].setdefault(records.domain, []).extend(records.rows)
    except (CorruptChunk, JobFailed, ReadInterrupted) as error:
        told["error"] = type(error)
    warning = stream.warning["failed_domains"] if stream.warning else None
    return told | {"warning": warning, "aggregation": stream.aggregation}


def assert_alike(path: Path) -> dict[str, Any]:
    ours, theirs = in_python(path.read_bytes()), in_javascript(path)
    if theirs["error"] is None:
        assert ours["error"] is None
        assert [theirs[name] for name in ("rows", "warning", "aggregation")] == [
            ours[name] for name in ("rows", "warning", "aggregation")
        ]
    else:
        assert ours["error"] is ERRORS[theirs["error"]]
    return theirs


def golden(name: str) -> Path:
    for folder in (GOLDEN, MORE_GOLDEN):
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"no golden stream {name} in {MORE_GOLDEN}")


def test_our_stream_is_read_alike():
    told = assert_alike(RECORDED)
    assert told["rows"]["materials"][0] == {"ID": "焊接", "QTYCONSUMED": 1379.417}
    assert told["warning"] == ["holds"]


@pytest.mark.parametrize(
    ("found", "changed", "error"),
    [
        (b'"QTYCONSUMED":5', b'"QTYCONSUMED":6', "Incomplete"),
        (b'"total_records":3', b'"total_records":4', "Incomplete"),
        (b'"rows":3,"checksum":"1c8174c6"}}', b'"rows":3,"checksum":"1c8174c7"}}', "Incomplete"),
        (b'"batch":1,"count":1', b'"batch":1,"count":2', "Incomplete"),
        (b'{"type":"complete"', b'{"type":"news"', "Truncated"),
        (b'{"type":"complete"', b'{"type":"error","message":"no"', "JobFailed"),
        (b'{"type":"aggregation"', b"<html><body>Bad gateway", "Malformed"),
    ],
)
def test_a_stream_that_was_changed_is_refused_alike(tmp_path, found, changed, error):
    data = RECORDED.read_bytes()
    assert data.count(found) == 1
    path = tmp_path / "changed.ndjson"
    path.write_bytes(data.replace(found, changed))
    assert assert_alike(path)["error"] == error


def test_the_stream_of_the_first_implementation_is_read_alike():
    told = assert_alike(golden("stream.ndjson"))
    assert [len(rows) for rows in told["rows"].values()] == [7, 2]
    assert told["aggregation"]["kpi"] == {"total": 9, "rate": 0.125}


def test_the_stream_of_a_missing_result_is_refused_alike():
    assert assert_alike(golden("missing_stream.ndjson"))["error"] == "JobFailed"


def test_a_result_of_the_oldest_layout_is_one_line():
    whole = in_javascript(golden("legacy_stream.ndjson"))["whole"]
    assert len(whole["results"]["upstream_history"]["data"]) == 7
