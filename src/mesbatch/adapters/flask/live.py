"""Responses that are written while the rows are read."""

from __future__ import annotations

from flask import Response

from mesbatch.adapters.flask.answers import read_request, respond
from mesbatch.adapters.http.body import Form
from mesbatch.adapters.http.live import Live, arrow_form, csv_form, json_form, live_answer, live_body, ndjson_form
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.admission import Admitted, Permit
from mesbatch.codec.rows import Shape


def stream_ndjson(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    profile: str | None = None,
    shape: Shape = "objects",
    domain: str = "rows",
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Response:
    """Send *read* as the NDJSON stream of `mesbatch.trace.ndjson`, while it is read.

    A `BatchReader` becomes a trace of the one domain *domain*. The response takes over *read* and *permit*: it closes
    the one and gives back the other when it ends, fails, or loses its client, also if nothing of it was sent. A failure
    within the first 2 s, before the first batch, is answered with a `problem`; a later one is the last line, ``error``.
    While the database is silent, a ``progress`` line is sent every 2 s. Holds two lines, besides the memory of *read*.

    A read on a connection that the caller opened stays in this thread, and sends no ``progress``.

    Args:
        read: A `BatchReader` or a `TraceReader`; the response closes it.
        permit: The permit that the response gives back at its end.
        profile: The profile in the ``meta`` line.
        shape: ``objects`` or ``arrays``, for the rows.
        domain: The name of the domain of a `BatchReader`.
        dialect: The style of the answer.
        limits: The limits of the request.
    """
    return _respond(read, permit, domain, ndjson_form(profile, shape, dialect), dialect, limits)


def stream_json(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    domain: str = "rows",
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Response:
    """Send *read* as the classic JSON object of `mesbatch.trace.json`, while it is read.

    Works like `stream_ndjson`, with two differences: a failure after the first batch leaves the object open, so that no
    client can parse it, and a blank is sent instead of ``progress``. Domains must not alternate: ``domains_at_once=1``.

    Args:
        read: A `BatchReader` or a `TraceReader`; the response closes it.
        permit: The permit that the response gives back at its end.
        domain: The name of the domain of a `BatchReader`.
        dialect: The style of the answer.
        limits: The limits of the request.
    """
    return _respond(read, permit, domain, json_form(dialect), dialect, limits)


def stream_csv(
    read: Live,
    *,
    name: str = "rows.csv",
    permit: Permit | Admitted | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Response:
    """Send *read* as CSV (RFC 4180, UTF-8, a header), which a browser saves as *name*, while it is read.

    Works like `stream_json`: a failure after the first batch breaks the body off, so that a client of HTTP/1.1 sees an
    error. A client of HTTP/1.0 could not: for it the answer goes to disk first, at most 1 GiB, and is sent with its
    length. Nothing is sent while the database is silent. The style is that of *dialect*, see `mesbatch.sink.csv`.

    Args:
        read: A `BatchReader` or a `TraceReader`; the answer closes it.
        name: The name under which a browser saves the file.
        permit: The permit that the answer gives back at its end.
        dialect: The style of the answer.
        limits: The limits of the request.
    """
    return _respond(read, permit, "rows", csv_form(dialect), dialect, limits, name)


def stream_arrow(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Response:
    """Send *read* as an Arrow IPC stream, while it is read; cut as `stream_csv`, and for HTTP/1.0 to disk first.

    Types come from what the database declares, as in `BatchReader.arrow`. Needs the extra ``arrow``.

    Args:
        read: A `BatchReader` or a `TraceReader`; the answer closes it.
        permit: The permit that the answer gives back at its end.
        dialect: The style of the answer.
        limits: The limits of the request.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> def view():
    ...     return stream_arrow(read_sql_iter("select 1 as ID", lambda: sqlite3.connect(":memory:")))
    """
    return _respond(read, permit, "rows", arrow_form(), dialect, limits)


def _respond(
    read: Live, permit: Permit | Admitted | None, domain: str, form: Form, dialect: Dialect, limits: Limits,
    name: str | None = None,
) -> Response:  # fmt: skip
    body = live_body(read, permit, domain, form, limits)
    return respond(live_answer(body, read_request(), permit, name=name), dialect)
