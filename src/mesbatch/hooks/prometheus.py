"""Prometheus metrics of reads, permits and memory, correct with several processes (extra ``prometheus``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from mesbatch.admission import Limiter
from mesbatch.events import BatchRead, Event, FetchOverBudget, PartFailed, PartRead, PartRetried
from mesbatch.hooks.named import NamedHook
from mesbatch.memory.process import read_memory


@dataclass(frozen=True, slots=True)
class Metric:
    """Row of the table of metrics: a counter of reads by *labels*, or a gauge of the whole machine."""

    name: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    help: str


METRICS = (
    Metric("mesbatch_rows_total", "counter", ("query",), "Rows delivered"),
    Metric("mesbatch_bytes_total", "counter", ("query",), "Bytes of these rows in memory, estimated from samples"),
    Metric("mesbatch_batches_total", "counter", ("query",), "Batches delivered"),
    Metric("mesbatch_batches_over_budget_total", "counter", ("query",), "Batches that held more than max_bytes"),
    Metric("mesbatch_keys_total", "counter", ("query",), "Keys whose rows were all delivered"),
    Metric("mesbatch_keys_failed_total", "counter", ("query",), "Keys that were given up"),
    Metric("mesbatch_retries_total", "counter", ("query",), "Key batches that were read again after a failure"),
    Metric("mesbatch_permits_in_flight", "gauge", (), "Reads that hold a permit"),
    Metric("mesbatch_permit_bytes_in_flight", "gauge", (), "Bytes that these reads may hold"),
    Metric("mesbatch_permits_waiting", "gauge", (), "Requests that wait for a permit"),
    Metric("mesbatch_permits_limit", "gauge", (), "Permits in all"),
    Metric("mesbatch_memory_used_ratio", "gauge", (), "Use of the fullest control group around us, 0 to 1"),
    Metric("mesbatch_memory_headroom_bytes", "gauge", (), "Bytes that the tightest control group still gives"),
)


def count_events(registry: CollectorRegistry = REGISTRY) -> NamedHook:
    """Make a hook that counts, for `Trace.read` or as ``on_event`` of any reader.

    Make it once in a process, because it registers its counters; ``called("lots")`` gives the same counters for a
    reader whose query has that name.

    Counters of several processes add up where ``PROMETHEUS_MULTIPROC_DIR`` is set before this module is imported.

    Args:
        registry: The registry of the counters.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> registry = CollectorRegistry()
    >>> hook = count_events(registry).called("lots")
    >>> rows = [batch.rows for batch in read_sql_iter("select 1", sqlite3.connect(":memory:"), on_event=hook)]
    >>> len(list(registry.collect())) > 0
    True
    """
    counters = {
        metric.name: Counter(metric.name, metric.help, metric.labels, registry=registry)
        for metric in METRICS
        if metric.kind == "counter"
    }

    def add(name: str, query: str, amount: float = 1) -> None:
        counters[f"mesbatch_{name}_total"].labels(query).inc(amount)

    def count(query: str, event: Event) -> None:
        match event:
            case BatchRead(rows, nbytes):
                add("rows", query, rows)
                add("bytes", query, nbytes)
                add("batches", query)
            case FetchOverBudget():
                add("batches_over_budget", query)
            case PartRead(keys=keys):
                add("keys", query, keys)
            case PartFailed(keys=keys):
                add("keys_failed", query, keys)
            case PartRetried():
                add("retries", query)

    return NamedHook(count)


def exposition(limiter: Limiter | None = None) -> bytes:
    """Write the answer of ``/metrics``: the counters of all processes, and the present values of the gauges.

    With a `MachineLimiter` or a `RedisLimiter` the permits are those of all processes, whichever of them answers.

    Args:
        limiter: The limiter whose permits are shown.

    >>> exposition().decode().startswith("# HELP")
    True
    """
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY) + generate_latest(_gauges(limiter))
    registry = _gauges(limiter)
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class _Gauges:
    """Gauges that are read when ``/metrics`` is asked for, so that no process has to keep them up to date."""

    def __init__(self, limiter: Limiter | None) -> None:
        self._limiter = limiter

    def collect(self) -> Iterator[Any]:
        memory = read_memory()
        values = {
            "mesbatch_memory_used_ratio": memory.used,
            "mesbatch_memory_headroom_bytes": memory.headroom,
        }
        if self._limiter is not None:
            flight = self._limiter.in_flight
            values |= {
                "mesbatch_permits_in_flight": flight.permits,
                "mesbatch_permit_bytes_in_flight": flight.nbytes,
                "mesbatch_permits_waiting": flight.waiting,
                "mesbatch_permits_limit": self._limiter.limit.permits,
            }
        for metric in METRICS:
            if (value := values.get(metric.name)) is not None:
                yield GaugeMetricFamily(metric.name, metric.help, value)


def _gauges(limiter: Limiter | None) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Gauges(limiter))
    return registry
