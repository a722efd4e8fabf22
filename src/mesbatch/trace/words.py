"""Words of an answer: those of the trace's contract, and plain ones for every other dashboard."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Names of the members of an answer, which are all that differs between the trace and an ordinary dashboard.

    *one* and *many* are the words for a named query: ``domain_start`` or ``query_start``, ``failed_domains`` or
    ``failed_queries``. *key_count* is the member with the number of keys, *key_limit* the code of a refusal for it, and
    *partial* the code of a result that lacks rows. With *stage* the JSON objects name that stage, and a profile.

    >>> TRACE_WORDS.failed, PLAIN_WORDS.failed
    ('failed_domains', 'failed_queries')
    """

    one: str
    many: str
    key_count: str
    key_limit: str
    partial: str
    stage: str | None

    @property
    def failed(self) -> str:
        return f"failed_{self.many}"

    @property
    def opening(self) -> bytes:
        """The beginning of the JSON object of all results."""
        return b'{"results":{' if self.stage is None else b'{"stage":"%b","results":{' % self.stage.encode()


TRACE_WORDS = Words("domain", "domains", "cid_count", "CID_LIMIT_EXCEEDED", "EVENTS_PARTIAL_FAILURE", "events")
PLAIN_WORDS = Words("query", "queries", "key_count", "KEY_LIMIT_EXCEEDED", "PARTIAL_FAILURE", None)
