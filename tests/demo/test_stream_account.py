"""Laws of the demo's account of a stream."""

from __future__ import annotations

import json
from itertools import count

import pytest

from mesbatch.demo.stream_account import StreamAccount


def line(kind: str, **members: object) -> bytes:
    return json.dumps({"type": kind, **members}, separators=(",", ":")).encode() + b"\n"


START = [line("meta"), line("domain_start", domain="history"), line("records", domain="history", count=2)]
END = [line("domain_end", domain="history", count=2, status="complete")]
NEXT = [line("domain_start", domain="holds"), line("domain_end", domain="holds", count=0, status="complete")]
COMPLETE = [line("complete", total_records=2)]


def account_of(lines: list[bytes]) -> dict:
    account = StreamAccount(clock=count().__next__)
    for one in lines:
        account.add(one)
    return account.result()


def test_every_domain_has_its_rows_and_its_time():
    result = account_of([*START, *START[2:], *END, *NEXT, *COMPLETE])

    assert result["complete"]
    assert result["rows"] == 2
    assert result["nbytes"] == sum(map(len, [*START, *START[2:], *END, *NEXT, *COMPLETE]))
    assert result["first_row"] == 1
    assert result["domains"]["history"] == {"rows": 2, "seconds": 2, "first_row": 1, "status": "complete"}
    assert result["domains"]["holds"] == {"rows": 0, "seconds": 0, "first_row": None, "status": "complete"}


@pytest.mark.parametrize("length", range(len([*START, *END, *NEXT]) + 1))
def test_a_stream_that_was_cut_is_not_complete(length):
    assert not account_of([*START, *END, *NEXT][:length])["complete"]


def test_a_stream_that_ends_with_an_error_tells_it():
    result = account_of([*START, line("error", message="the database went away")])

    assert not result["complete"]
    assert result["error"] == "the database went away"


def test_a_domain_that_is_partial_is_not_complete():
    ended = [line("domain_end", domain="history", count=2, status="partial")]

    assert not account_of([*START, *ended, *COMPLETE])["complete"]
