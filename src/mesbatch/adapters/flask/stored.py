"""Answers from the stored result of a job, also while the job writes it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec
from flask import Response, request

from mesbatch.adapters.flask.answers import JSON
from mesbatch.adapters.flask.live import SILENCE_SECONDS
from mesbatch.adapters.flask.response import NDJSON, stream_response
from mesbatch.errors import JobError
from mesbatch.sink.stream import ByteStream
from mesbatch.store import ResultReader, Store
from mesbatch.store.account import ResultManifest
from mesbatch.store.result_json import result_json
from mesbatch.store.stored_lines import stored_lines


def page(result: ResultReader, *, domain: str = "", offset: int = 0, limit: int = 0) -> Response:
    """Send a page of the rows of a domain, or of each domain, as JSON.

    Reads only the chunks of the page, one after the other. The ETag saves a client from loading the same page twice.

    Args:
        result: The result of the job.
        domain: The name of the domain; an empty text means each.
        offset: The number of rows before the page.
        limit: The most rows of the page; 0 means all of them.

    Raises:
        JobNotComplete: there is no result yet.
        ResultExpired, JobNotFound: there is no result any more, or there never was such a job.
        InvalidPage: no such domain, a negative number, or an offset beyond the end.
    """
    domains = [domain] if domain else None
    body = result_json(result, domains, offset=offset, limit=limit)
    return _tagged(body, JSON, result.manifest, [domain, offset, limit])


def stream_job(store: Store, job_id: str, *, from_: int = 0) -> Response:
    """Send the result of a job as NDJSON, from its *from_*-th ``records`` line on, also while the job writes it.

    Nothing here checks the owner of the job: a route of your own calls `Jobs.get` first.

    Args:
        store: The store of the job.
        job_id: The job.
        from_: The number of ``records`` lines that the client has already.

    Raises:
        JobNotFound, ResultExpired: there is no such job, or no longer.
        InvalidPage: *from_* is negative, or beyond the end of a finished result.
    """
    body = stored_lines(store, job_id, from_=from_, progress=SILENCE_SECONDS)
    return _tagged(body, NDJSON, _manifest(store, job_id), [from_])


def _manifest(store: Store, job_id: str) -> ResultManifest | None:
    try:
        return ResultReader(store, job_id).manifest
    except JobError:  # no whole result, or none that is left: nothing to compare an ETag with
        return None


def _tagged(body: ByteStream, mimetype: str, manifest: ResultManifest | None, part: Sequence[object]) -> Response:
    """Answer with *body* and its ETag, or with 304 where the client has it already."""
    if manifest is None:
        return stream_response(body, mimetype)
    accounts = {name: (domain.rows, domain.checksum) for name, domain in manifest.domains.items()}
    told = [accounts, manifest.aggregation, manifest.failed_domains, manifest.shape, mimetype, part]
    response = stream_response(body, mimetype, finished=True)
    response.set_etag(f"{zlib.crc32(msgspec.json.encode(told)):08x}", weak=True)  # weak: also for its gzip form
    response.make_conditional(request.environ)
    return response
