from __future__ import annotations

import logging
import sqlite3

import pytest

from mesbatch import Query, Trace
from mesbatch.events import BatchRead, FetchOverBudget, PartFailed, PartRead, PartRetried
from mesbatch.hooks.logging import log_events


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (BatchRead(3, 2_048), logging.DEBUG, "a batch of 3 rows, 2.0 KiB"),
        (PartRead("a", "c", 2), logging.DEBUG, "all rows of 2 keys from 'a' to 'c'"),
        (FetchOverBudget(3, 2_048, 1_024), logging.WARNING, "holds 2.0 KiB, max_bytes is 1.0 KiB"),
        (PartRetried("a", "c", 2, OSError("gone\nselect secret")), logging.WARNING, "try 2: OSError: gone"),
        (PartFailed("a", "c", 5, OSError("gone")), logging.ERROR, "5 keys from 'a' to 'c' given up"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_is_a_line_of_its_level(caplog, event, level, text):
    with caplog.at_level(logging.DEBUG, "mesbatch.read"):
        log_events()("history", event)
    (record,) = caplog.records
    assert record.levelno == level
    assert "history: " in record.getMessage()
    assert text in record.getMessage()
    assert "secret" not in record.getMessage()


def test_a_trace_tells_the_domain_of_what_happened(tmp_path):
    heard = []
    trace = Trace(
        {"ones": Query("select 'a' as id where 'a' in (:keys)"), "twos": Query("select 'b' as id where 'b' in (:keys)")}
    )
    with trace.read(
        lambda: sqlite3.connect(tmp_path / "x.db"), ["a"], on_event=lambda *what: heard.append(what)
    ) as reader:
        list(reader)
    assert {(domain, type(event)) for domain, event in heard} >= {("ones", PartRead), ("twos", PartRead)}
