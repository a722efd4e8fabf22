"""The lines of a trace's stream, for traces that are read now and for those that a job stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mesbatch.codec.column_rules import write_decimal
from mesbatch.codec.rows import Shape
from mesbatch.problem import problem_of
from mesbatch.trace.words import TRACE_WORDS, Words

VERSION = 1  # of the stream; a line may get more members without a new one

_encoder = msgspec.json.Encoder(decimal_format=write_decimal)


def meta(
    job_id: str | None, profile: str | None, domains: Sequence[str], key_count: int | None, shape: Shape,
    words: Words = TRACE_WORDS,
) -> bytes:  # fmt: skip
    of_trace = {} if words.stage is None else {"profile": profile}
    members = {words.many: domains, "version": VERSION, words.key_count: key_count, "shape": shape}
    return _line("meta", job_id=job_id, **of_trace, **members)


def domain_start(
    domain: str, total: int | None, columns: Sequence[Mapping[str, Any]], words: Words = TRACE_WORDS
) -> bytes:
    return _line(f"{words.one}_start", **{words.one: domain}, total=total, columns=columns)


def records(domain: str, batch: int, count: int, shape: Shape, rows: bytes, words: Words = TRACE_WORDS) -> bytes:
    """Write a ``records`` line with *rows*, a JSON array, as they are.

    >>> records("holds", 0, 1, "objects", b'[{"ID":1}]')
    b'{"type":"records","domain":"holds","batch":0,"count":1,"data":[{"ID":1}]}\\n'
    """
    head, tail = around_records(domain, batch, count, shape, words)
    return b"%b%b%b" % (head, rows, tail)


def around_records(
    domain: str, batch: int, count: int, shape: Shape, words: Words = TRACE_WORDS
) -> tuple[bytes, bytes]:
    """Write what stands before and after the rows in a ``records`` line."""
    member = b"data" if shape == "objects" else b"rows"
    members = (words.one.encode(), _encoder.encode(domain), batch, count, member)
    return b'{"type":"records","%b":%b,"batch":%d,"count":%d,"%b":' % members, b"}\n"


def domain_end(domain: str, count: int, status: str, checksum: str, words: Words = TRACE_WORDS) -> bytes:
    return _line(f"{words.one}_end", **{words.one: domain}, count=count, status=status, checksum=checksum)


def aggregation(data: Any) -> bytes:
    """Write an ``aggregation`` line; *data* may be a `msgspec.Raw`, which is JSON already."""
    return _line("aggregation", data=data)


def warning(failed_domains: Sequence[str], failed_keys: Sequence[Any], words: Words = TRACE_WORDS) -> bytes:
    """Write a ``warning`` line; *failed_keys* are the ranges that are missing, by the word of the trace."""
    ranges = failed_keys if words.one == "domain" else [_in_words(one, words) for one in failed_keys]
    return _line("warning", code=words.partial, **{words.failed: failed_domains}, failed_keys=ranges)


def progress(elapsed_seconds: float, rows: int, told: Mapping[str, Any], words: Words = TRACE_WORDS) -> bytes:
    """Write a ``progress`` line: the *rows* that were sent, and the members that the job *told*, which win."""
    return _line("progress", **{"elapsed_seconds": elapsed_seconds, "rows": rows, **progress_in(told, words)})


def progress_in(told: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Give the members of a job's progress in *words*."""
    return {words.many if name == "domains" else name: value for name, value in told.items()}


def complete(domains: Mapping[str, tuple[int, str]], elapsed_seconds: float, words: Words = TRACE_WORDS) -> bytes:
    """Write the last line of a whole result: rows and checksum of each of *domains*."""
    return _line(
        "complete",
        total_records=sum(rows for rows, _ in domains.values()),
        **{words.many: {name: {"rows": rows, "checksum": checksum} for name, (rows, checksum) in domains.items()}},
        elapsed_seconds=round(elapsed_seconds, 3),
    )


def full_result(data: bytes) -> bytes:
    """Write a result of the first implementation's oldest layout: *data*, a JSON object, as it is."""
    return _line("full_result", data=msgspec.Raw(data.replace(b"\n", b" ")))  # JSON has no line break within a text


def error(failure: Exception) -> bytes:
    """Write the last line of a stream that failed; it never has any SQL."""
    problem = problem_of(failure)
    return _line("error", message=problem.detail, problem=problem.members())


def _in_words(keys: Any, words: Words) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(keys)
    return {words.one if name == "domain" else name: value for name, value in members.items()}


def _line(kind: str, **members: Any) -> bytes:
    return _encoder.encode({"type": kind, **members}) + b"\n"
