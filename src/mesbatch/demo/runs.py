"""The incident's trace run once: by us, as on the day of the incident, and as its first repair did."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import Any

from mesbatch import Batch
from mesbatch.demo import incident as pipelines
from mesbatch.demo.queries import JOBS_KEY, JOBS_SEPARATOR, KEY, QUERIES
from mesbatch.demo.reject_counts import RejectCounts
from mesbatch.demo.rows import container_ids
from mesbatch.demo.warehouse import connect
from mesbatch.sink.trace_lines import trace_lines
from mesbatch.trace import Query, Trace


def trace_queries(domains: Sequence[str]) -> dict[str, Query]:
    """The queries of *domains* as a `Trace` takes them."""
    return {
        domain: Query(QUERIES[domain], key=JOBS_KEY, separator=JOBS_SEPARATOR)
        if domain == "jobs"
        else Query(QUERIES[domain], key=KEY)
        for domain in domains
    }
