"""The incident's trace, read once: by mesbatch, by the incident's pipeline, and by that of its first repair."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mesbatch.demo import incident as pipelines
from mesbatch.demo.queries import JOBS_KEY, JOBS_SEPARATOR, KEY, QUERIES
from mesbatch.demo.reject_counts import RejectCounts
from mesbatch.demo.rows import container_ids
from mesbatch.demo.stream_account import StreamAccount
from mesbatch.demo.warehouse import connect
from mesbatch.trace.ndjson import trace_lines
from mesbatch.trace.read import Query, Trace

TRACE = Trace(
    {name: Query(sql, key=KEY) for name, sql in QUERIES.items()}
    | {"jobs": Query(QUERIES["jobs"], key=JOBS_KEY, separator=JOBS_SEPARATOR)}
)


def trace(url: str, cids: int, domains: Sequence[str], output: str = os.devnull) -> dict[str, Any]:
    """Write the NDJSON stream of *domains* for *cids* lots to the file *output*, and give the account of it."""
    counts = RejectCounts() if "rejects" in domains else None
    keys = list(container_ids(cids))  # a list, as a request brings it; it counts to the memory
    read = TRACE.read(url, keys, domains, aggregation=counts)
    with trace_lines(read) as lines, Path(output).open("wb") as file:
        account = StreamAccount()
        for line in lines:
            file.write(line)
            account.add(line)
    return account.result()


def incident(url: str, cids: int, domains: Sequence[str]) -> dict[str, Any]:
    """Count the rows and bytes of the answer of the incident's pipeline."""
    return _answer(pipelines.incident, url, cids, domains)


def first_repair(url: str, cids: int, domains: Sequence[str]) -> dict[str, Any]:
    """Count the rows and bytes of the answer of the first repair's pipeline."""
    return _answer(pipelines.first_repair, url, cids, domains)


def _answer(pipeline: Callable[..., str], url: str, cids: int, domains: Sequence[str]) -> dict[str, Any]:
    with closing(connect(url)) as con:
        body = pipeline(con, {domain: QUERIES[domain] for domain in domains}, list(container_ids(cids)))
    counts = re.findall(r'"count": (\d+)}', body)  # to parse it would hold everything once more
    return {"rows": sum(map(int, counts)), "nbytes": len(body)}
