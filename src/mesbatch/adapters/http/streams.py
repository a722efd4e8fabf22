"""Headers of streamed answers, and the media types that they have."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from mesbatch.adapters.http.answers import Answer
from mesbatch.adapters.http.encoding import Encoding, choose_encoding
from mesbatch.adapters.http.request import CSV, HttpRequest
from mesbatch.sink.stream import ByteStream
from mesbatch.store.account import ResultManifest
from mesbatch.store.stored_lines import Steps

PARAMETERS = {CSV: "; charset=utf-8; header=present"}


def stream_headers(request: HttpRequest, mimetype: str) -> tuple[dict[str, str], Encoding | None]:
    """Make the headers of a stream that no proxy collects, and choose its compression.

    There is no Content-Length: after the first byte only the end of the body tells whether it is whole.
    """
    encoding = choose_encoding(request.headers.get("accept-encoding", ""))
    headers = {"Content-Type": mimetype + PARAMETERS.get(mimetype, "")}
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    headers |= {"Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return headers, encoding


def stored_answer(
    request: HttpRequest,
    body: ByteStream | Steps,
    mimetype: str,
    manifest: ResultManifest | None,
    part: Sequence[object],
    *,
    whole: bool = False,
) -> Answer:
    """Answer with *body* and, where it will be the same the next time, its ETag; or with 304 for a client that has it.

    *part* is what of the result was asked for.
    """
    headers, encoding = stream_headers(request, mimetype)
    if manifest is None:
        return Answer(200, headers, body, encoding, whole)
    accounts = {name: (domain.rows, domain.checksum) for name, domain in manifest.domains.items()}
    told = [accounts, manifest.aggregation, manifest.failed_domains, manifest.shape, mimetype, part]
    tag = f'"{zlib.crc32(msgspec.json.encode(told)):08x}"'
    headers |= {"Cache-Control": "private, no-cache", "ETag": f"W/{tag}"}  # weak: also for its compressed forms
    if _has(request.headers.get("if-none-match", ""), tag):
        body.close()
        return Answer(304, {name: headers[name] for name in ("ETag", "Vary", "Cache-Control")})
    return Answer(200, headers, body, encoding, whole)


def _has(known: str, tag: str) -> bool:
    """Tell whether ``If-None-Match`` names *tag*, in the weak comparison."""
    return known.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in known.split(",")}
