"""Answers that are written while the rows are read, in a thread that belongs to the read alone."""

from __future__ import annotations

from mesbatch.adapters.asgi.answers import AsgiAnswer
from mesbatch.adapters.http.body import Form, ReadBody, ThreadBody
from mesbatch.adapters.http.live import Live, arrow_form, csv_form, json_form, live_answer, live_body, ndjson_form
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.admission import Admitted, Permit
from mesbatch.codec.rows import Shape
from mesbatch.errors import UnknownSource


def stream_ndjson(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    profile: str | None = None,
    shape: Shape = "objects",
    domain: str = "rows",
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> AsgiAnswer:
    """Send *read* as the NDJSON stream of `mesbatch.trace.ndjson`, while it is read.

    A `BatchReader` becomes a trace of the one domain *domain*. The answer takes over *read* and *permit*: it closes the
    one and gives back the other when it ends, fails, or loses its client, also if nobody calls it within 5 s. All steps
    of the read, and its end, run in one thread; a client that leaves is noticed at once, and its statement interrupted.
    A failure within the first 2 s, before the first batch, is answered with a `problem`; a later one is the last line,
    ``error``. While the database is silent, a ``progress`` line is sent every 2 s. Holds two lines, besides the memory
    of *read*.

    Args:
        read: A `BatchReader` or a `TraceReader`; the answer closes it.
        permit: The permit that the answer gives back at its end.
        profile: The profile in the ``meta`` line.
        shape: ``objects`` or ``arrays``, for the rows.
        domain: The name of the domain of a `BatchReader`.
        dialect: The style of the answer.
        limits: The limits of the request.

    Raises:
        UnknownSource: *read* is on a connection that you opened, which must stay in its thread.
    """
    return _answer(read, permit, domain, ndjson_form(profile, shape, dialect), dialect, limits)


def stream_json(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    domain: str = "rows",
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> AsgiAnswer:
    """Send *read* as the classic JSON object of `mesbatch.trace.json`, while it is read.

    Works like `stream_ndjson`, with two differences: a failure after the first batch breaks the body off, so that no
    client can parse it, and a blank is sent instead of ``progress``. Domains must not alternate: ``domains_at_once=1``.

    Args:
        read: A `BatchReader` or a `TraceReader`; the answer closes it.
        permit: The permit that the answer gives back at its end.
        domain: The name of the domain of a `BatchReader`.
        dialect: The style of the answer.
        limits: The limits of the request.
    """
    return _answer(read, permit, domain, json_form(dialect), dialect, limits)


def stream_csv(
    read: Live,
    *,
    name: str = "rows.csv",
    permit: Permit | Admitted | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> AsgiAnswer:
    """Send *read* as CSV (RFC 4180, UTF-8, a header), which a browser saves as *name*, while it is read.

    Works like `stream_json`, but nothing is sent while the database is silent. A client of HTTP/1.0 could not see that
    a body was broken off: for it the answer goes to disk first, at most 1 GiB, and is sent with its length. The style
    is that of *dialect*, see `mesbatch.sink.csv`.

    Args:
        read: A `BatchReader` or a `TraceReader`; the answer closes it.
        name: The name under which a browser saves the file.
        permit: The permit that the answer gives back at its end.
        dialect: The style of the answer.
        limits: The limits of the request.
    """
    return _answer(read, permit, "rows", csv_form(dialect), dialect, limits, name)


def stream_arrow(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> AsgiAnswer:
    """Send *read* as an Arrow IPC stream, while it is read; broken off as `stream_csv`.

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
    return _answer(read, permit, "rows", arrow_form(), dialect, limits)


def check_movable(body: ReadBody) -> None:
    """Close *body*, and raise, where its read must stay in the thread that opened its connection.

    Raises:
        UnknownSource: it must.
    """
    if not isinstance(body, ThreadBody):
        body.close()
        raise UnknownSource(
            "a read on a connection that you opened stays in its thread, and an event loop has none to wait in: "
            "pass a URL, an engine, a pool or a function that connects, or use aiter_batches"
        )


def _answer(
    read: Live, permit: Permit | Admitted | None, domain: str, form: Form, dialect: Dialect, limits: Limits,
    name: str | None = None,
) -> AsgiAnswer:  # fmt: skip
    body = live_body(read, permit, domain, form, limits)
    check_movable(body)
    return AsgiAnswer(
        lambda request: live_answer(body, request, permit, name=name), dialect=dialect, limits=limits, body=body
    )
