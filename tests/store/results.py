"""Results that tests write: rows of a number and its key, in chunks of any size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from mesbatch.store import ResultManifest, ResultWriter, Store, new_job_id

COLUMNS = [{"name": "ID"}, {"name": "N"}]
Rows = list[dict[str, Any]]


def rows_of(*numbers: int) -> Rows:
    return [{"ID": f"lot{number:04}", "N": number} for number in numbers]


def encode(rows: Rows) -> bytes:
    return json.dumps(rows, separators=(",", ":")).encode()


def new_job(store: Store, **facts: str) -> str:
    job_id = new_job_id()
    store.create(job_id, {"status": "started", "profile": "p", "cid_count": "7", "domains": "a,b", **facts})
    return job_id


def writer_of(store: Store, job_id: str, owner: str = "worker") -> ResultWriter:
    return ResultWriter(store, store.acquire(job_id, owner))


def publish(writer: ResultWriter, domain: str, rows: Rows, *, ends_key: bool = True) -> None:
    writer.start(domain, COLUMNS)
    writer.publish(domain, encode(rows), len(rows), rows[-1]["ID"] if rows else None, ends_key=ends_key)


def finish(writer: ResultWriter, domains: Iterable[str] = (), **more: Any) -> ResultManifest:
    for domain in domains:
        writer.start(domain, COLUMNS)
    for domain, account in writer.domains.items():
        if account.status == "reading":
            writer.end(domain)
    return writer.finish(profile="p", **more)


def written(store: Store, chunks: Sequence[tuple[str, Rows]], domains: Iterable[str] = ("a",), **more: Any) -> str:
    """Make a finished job whose result has these *chunks* in this order."""
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    for domain, rows in chunks:
        publish(writer, domain, rows)
    finish(writer, domains, **more)
    store.change(job_id, {"status": "finished"})
    return job_id
