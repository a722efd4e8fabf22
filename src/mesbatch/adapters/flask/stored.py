"""Responses from the stored result of a job, also while the job writes it."""

from __future__ import annotations

from flask import Response

from mesbatch.adapters.flask.answers import read_request, respond
from mesbatch.adapters.http.options import Dialect
from mesbatch.adapters.http.stored import lines_answer, page_answer
from mesbatch.store import ResultReader, Store


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
    return respond(page_answer(read_request(), result, domain, offset, limit), Dialect())


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
    return respond(lines_answer(read_request(), store, job_id, from_), Dialect())
