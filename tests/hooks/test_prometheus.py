from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")

from prometheus_client import CollectorRegistry, generate_latest

from mesbatch import read_sql_iter
from mesbatch.admission import MachineLimiter
from mesbatch.events import BatchRead, FetchOverBudget, PartFailed, PartRead, PartRetried
from mesbatch.hooks.prometheus import METRICS, count_events, exposition
from mesbatch.units import MiB

ROOT = Path(__file__).parents[2]
EVENTS = [
    BatchRead(3, 300),
    BatchRead(4, 400),
    FetchOverBudget(4, 400, 100),
    PartRead("a", "b", 2),
    PartFailed("c", "d", 5, OSError()),
    PartRetried("c", "d", 1, OSError()),
]


def values(text: bytes) -> dict[str, float]:
    lines = (line for line in text.decode().splitlines() if line.startswith("mesbatch_"))
    return {re.split(r"[{ ]", line)[0]: float(line.split()[-1]) for line in lines if "_created" not in line}


def test_every_event_is_counted():
    registry = CollectorRegistry()
    hook = count_events(registry)
    for event in EVENTS:
        hook("history", event)
    found = values(generate_latest(registry))
    assert found == {
        "mesbatch_rows_total": 7,
        "mesbatch_bytes_total": 700,
        "mesbatch_batches_total": 2,
        "mesbatch_batches_over_budget_total": 1,
        "mesbatch_keys_total": 2,
        "mesbatch_keys_failed_total": 5,
        "mesbatch_retries_total": 1,
    }


def test_the_counters_serve_any_reader():
    registry = CollectorRegistry()
    hook = count_events(registry)
    with closing(sqlite3.connect(":memory:")) as con:
        for on_event in (hook, hook.called("lots")):
            list(read_sql_iter("values (1), (2)", con, on_event=on_event))

    text = generate_latest(registry).decode()
    assert 'mesbatch_rows_total{query="read"} 2.0' in text
    assert 'mesbatch_rows_total{query="lots"} 2.0' in text


def test_the_metrics_of_the_code_are_those_of_the_table_in_the_manual(tmp_path):
    registry = CollectorRegistry()
    count_events(registry)("history", BatchRead(1, 1))
    rows = re.findall(
        r"^\| `(mesbatch_\w+)` \| (\w+) \| (\w*) \| (.+) \|$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE
    )
    assert rows == [(one.name, one.kind, ", ".join(one.labels), one.help) for one in METRICS]
    limiter = MachineLimiter(tmp_path / "permits", 3, 64 * MiB)
    shown = {*values(exposition(limiter)), *(f"{family.name}_total" for family in registry.collect())}
    limiter.close()
    assert {one.name for one in METRICS} <= shown


def test_the_counters_of_several_processes_add_up_and_the_gauges_are_the_machines(tmp_path):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    limiter = MachineLimiter(tmp_path / "permits", 3, 64 * MiB)
    begin = "from mesbatch.hooks.prometheus import *; from mesbatch.events import *;"
    count = f"{begin} count_events()('h', BatchRead(5, 50))"
    place = f"MachineLimiter({str(tmp_path / 'permits')!r}, 3, 64 * 2**20)"
    show = f"{begin} from mesbatch.admission import MachineLimiter; print(exposition({place}).decode())"

    def run(code: str) -> bytes:
        return subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout

    run(count)
    run(count)
    with limiter.permit(MiB):
        found = values(run(show))
    limiter.close()
    assert found["mesbatch_rows_total"] == 10
    assert (found["mesbatch_permits_in_flight"], found["mesbatch_permits_limit"]) == (1, 3)
