"""Responses from the stored result of a job, also while the job writes it."""

from __future__ import annotations

from flask import Response

from mesbatch.adapters.flask.answers import read_request, respond
from mesbatch.adapters.http.options import Dialect
from mesbatch.adapters.http.stored import lines_answer, page_answer
from mesbatch.store import ResultReader, Store


def page(result: ResultReader, *, domain: str = "", offset: int = 0, limit: int = 0) -> Response:
    """Send rows *offset* to *offset* + *limit* of *domain*, or of each domain, as JSON; *limit* 0 means all of them.

    Reads only the chunks of the page, one after the other. The ETag saves a client from loading the same page twice.

    Raises:
        JobNotComplete: there is no result yet.
        ResultExpired, JobNotFound: there is no result any more, or there never was such a job.
        InvalidPage: no such domain, a negative number, or an offset beyond the end.
    """
    return respond(page_answer(read_request(), result, domain, offset, limit), Dialect())


def stream_job(store: Store, job_id: str, *, from_: int = 0) -> Response:
    """Send the result of a job as NDJSON, from its *from_*-th ``records`` line on, also while the job writes it.

    Nothing here checks the owner of the job: a route of your own calls `Jobs.get` first.

    Raises:
        JobNotFound, ResultExpired: there is no such job, or no longer.
        InvalidPage: *from_* is negative, or beyond the end of a finished result.
    """
    return respond(lines_answer(read_request(), store, job_id, from_), Dialect())
