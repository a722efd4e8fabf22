"""Answers from the stored result of a job, also while the job writes it."""

from __future__ import annotations

from mesbatch.adapters.http.answers import Answer
from mesbatch.adapters.http.live import SILENCE_SECONDS, attachment
from mesbatch.adapters.http.request import ARROW, CSV, JSON, NDJSON, HttpRequest
from mesbatch.adapters.http.streams import stored_answer
from mesbatch.errors import InvalidPage, JobError
from mesbatch.sink.csv import CsvStyle
from mesbatch.sink.stream import ByteStream
from mesbatch.store import ResultReader, Store
from mesbatch.store.account import ResultManifest
from mesbatch.store.result_json import result_json
from mesbatch.store.stored_lines import Steps, stored_lines, stored_steps
from mesbatch.trace.words import TRACE_WORDS, Words


def page_answer(
    request: HttpRequest, result: ResultReader, domain: str, offset: int, limit: int, words: Words = TRACE_WORDS
) -> Answer:
    """Answer with rows of *result* as the JSON object; see `mesbatch.adapters.flask.page`."""
    body = result_json(result, [domain] if domain else None, offset=offset, limit=limit, words=words)
    return stored_answer(request, body, JSON, result.manifest, [domain, offset, limit])


def table_answer(
    request: HttpRequest, mimetype: str, result: ResultReader, domain: str, offset: int, limit: int, style: CsvStyle,
    words: Words = TRACE_WORDS,
) -> Answer:  # fmt: skip
    """Answer with rows of one *domain* of *result* as CSV or an Arrow stream, converted chunk by chunk.

    Raises:
        InvalidPage: no such domain, or none was named and there are several; the domain is not whole.
    """
    manifest = result.manifest
    names = list(manifest.domains)
    if not domain and len(names) != 1:
        raise InvalidPage(f"a table is one {words.one}: ask with {words.one}= for one of {', '.join(names)}")
    name = domain or names[0]
    if name in manifest.failed_domains:
        raise InvalidPage(f"the {words.one} {name!r} is not whole, and a table has no place to say so; ask for JSON")
    if mimetype == CSV:
        from mesbatch.store.result_csv import result_csv

        body = result_csv(result, name, offset=offset, limit=limit, style=style)
    else:
        from mesbatch.store.result_arrow import result_arrow

        body = result_arrow(result, name, offset=offset, limit=limit)
    part = [name, offset, limit, [style.bom, style.neutral, style.end] if mimetype == CSV else None]
    answer = stored_answer(request, body, mimetype, manifest, part, whole=True)
    if answer.status != 304:
        answer.headers["Content-Disposition"] = attachment(f"{name}.{'csv' if mimetype == CSV else 'arrows'}")
    return answer


def lines_answer(
    request: HttpRequest, store: Store, job_id: str, first: int, mimetype: str = NDJSON, *, lean: bool = False,
    words: Words = TRACE_WORDS,
) -> Answer:  # fmt: skip
    """Answer with the NDJSON stream of a job, as bytes or in the *lean* steps of `stored_steps`."""
    body: ByteStream | Steps = (
        stored_steps(store, job_id, from_=first, progress=SILENCE_SECONDS, words=words)
        if lean
        else stored_lines(store, job_id, from_=first, progress=SILENCE_SECONDS, words=words)
    )
    return stored_answer(request, body, mimetype, manifest_of(store, job_id), [first])


def manifest_of(store: Store, job_id: str) -> ResultManifest | None:
    """Look for the manifest of a result that is whole and still there; without it there is nothing to compare."""
    try:
        return ResultReader(store, job_id).manifest
    except JobError:
        return None


TABLES = (CSV, ARROW)
