"""Problems that clients see: status and code, decided for every class of the tree of errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mesbatch.errors import (
    ConnectionLost,
    InvalidRequest,
    MesbatchError,
    StatementError,
    StoreError,
    StoreUnavailable,
)
from mesbatch.problem import problem_of

# A class that is missing here fails the first test: decide its status and code, and then add it.
DECIDED = {
    "SourceError": (500, "SOURCE_ERROR"),
    "UnknownSource": (500, "UNKNOWN_SOURCE"),
    "LoginRefused": (500, "LOGIN_REFUSED"),
    "MissingDriver": (500, "MISSING_DRIVER"),
    "ConnectionClosed": (500, "CONNECTION_CLOSED"),
    "ConnectionLost": (503, "CONNECTION_LOST"),
    "DatabaseTimeout": (504, "DATABASE_TIMEOUT"),
    "DatabaseBusy": (503, "DATABASE_BUSY"),
    "SnapshotTooOld": (500, "SNAPSHOT_TOO_OLD"),
    "ReadInterrupted": (500, "READ_INTERRUPTED"),
    "QueryError": (500, "QUERY_ERROR"),
    "StatementError": (500, "STATEMENT_ERROR"),
    "NotSplittable": (500, "NOT_SPLITTABLE"),
    "TooManyKeys": (500, "TOO_MANY_KEYS"),
    "KeyColumnError": (500, "KEY_COLUMN_ERROR"),
    "InvalidKey": (400, "INVALID_PARAMS"),
    "KeyMismatch": (500, "KEY_MISMATCH"),
    "KeysetBroken": (500, "KEYSET_BROKEN"),
    "DataError": (500, "DATA_ERROR"),
    "ColumnNameError": (500, "COLUMN_NAME_ERROR"),
    "SchemaChanged": (500, "SCHEMA_CHANGED"),
    "UnencodableValue": (500, "UNENCODABLE_VALUE"),
    "InvalidText": (500, "INVALID_TEXT"),
    "BudgetError": (500, "BUDGET_ERROR"),
    "RowTooLarge": (500, "ROW_TOO_LARGE"),
    "UnboundedDriver": (500, "UNBOUNDED_DRIVER"),
    "SpillError": (500, "SPILL_ERROR"),
    "GroupsClosed": (500, "GROUPS_CLOSED"),
    "AdmissionError": (500, "ADMISSION_ERROR"),
    "PolicyError": (500, "POLICY_ERROR"),
    "UnknownProfile": (400, "INVALID_PROFILE"),
    "InvalidLimit": (500, "INVALID_LIMIT"),
    "PermitTooLarge": (413, "ANSWER_TOO_LARGE"),
    "LimiterBusy": (503, "BUSY"),
    "PermitReleased": (500, "PERMIT_RELEASED"),
    "PermitLost": (500, "PERMIT_LOST"),
    "LimiterUnavailable": (503, "LIMITER_UNAVAILABLE"),
    "StoreError": (500, "STORE_ERROR"),
    "StoreUnavailable": (503, "STORE_UNAVAILABLE"),
    "ResultStoreFull": (503, "RESULT_STORE_FULL"),
    "StoreRefused": (500, "STORE_REFUSED"),
    "ChunkLost": (500, "CHUNK_LOST"),
    "CorruptChunk": (500, "CORRUPT_CHUNK"),
    "JobError": (500, "JOB_ERROR"),
    "JobNotFound": (404, "JOB_NOT_FOUND"),
    "InvalidJobId": (404, "JOB_NOT_FOUND"),
    "InvalidJob": (500, "INVALID_JOB"),
    "NotIndexed": (500, "NOT_INDEXED"),
    "InvalidDomain": (400, "INVALID_PARAMS"),
    "InvalidPage": (400, "INVALID_PARAMS"),
    "NoWorker": (503, "BUSY"),
    "JobNotComplete": (409, "JOB_NOT_COMPLETE"),
    "JobFailed": (500, "JOB_FAILED"),
    "NotResumable": (500, "NOT_RESUMABLE"),
    "StatusConflict": (500, "STATUS_CONFLICT"),
    "LeaseHeld": (500, "LEASE_HELD"),
    "LeaseLost": (500, "LEASE_LOST"),
    "ResultExpired": (404, "JOB_RESULT_EXPIRED"),
    "ResultChanged": (500, "RESULT_CHANGED"),
    "ExportError": (500, "EXPORT_ERROR"),
    "InvalidExport": (500, "INVALID_EXPORT"),
    "OutputExists": (500, "OUTPUT_EXISTS"),
    "ClientError": (500, "CLIENT_ERROR"),
    "RequestRefused": (500, "REQUEST_REFUSED"),
    "InvalidRequest": (400, "INVALID_PARAMS"),
    "BodyTooLarge": (413, "BODY_TOO_LARGE"),
    "AnswerTooLarge": (413, "ANSWER_TOO_LARGE"),
    "NotAcceptable": (406, "NOT_ACCEPTABLE"),
    "UnsupportedMediaType": (415, "UNSUPPORTED_MEDIA_TYPE"),
    "NoPrincipal": (401, "NO_PRINCIPAL"),
    "ClientTooSlow": (500, "CLIENT_TOO_SLOW"),
    "ResponseIsStreamed": (500, "RESPONSE_IS_STREAMED"),
    "InvalidSetting": (500, "INVALID_SETTING"),
}


def below(base: type[MesbatchError]) -> Iterator[type[MesbatchError]]:
    """Give every class of `mesbatch.errors` below *base*."""
    for kind in base.__subclasses__():
        if kind.__module__ == "mesbatch.errors":
            yield kind
            yield from below(kind)


ALL = list(below(MesbatchError))


def made(kind: type[MesbatchError]) -> MesbatchError:
    """Make an error of *kind*, also where its constructor wants more than a text."""
    error = kind.__new__(kind, "a text")
    error.args = ("a text",)
    return error


def test_every_error_of_the_tree_has_a_problem_that_somebody_decided():
    assert {kind.__name__: (problem_of(made(kind)).status, problem_of(made(kind)).code) for kind in ALL} == DECIDED


@pytest.mark.parametrize("kind", ALL)
def test_a_client_is_told_to_come_back_only_where_that_can_help(kind):
    problem = problem_of(made(kind))
    assert (problem.retry_after is not None) == (problem.status == 503)
    assert kind.retryable or problem.status != 503


def test_an_error_that_the_table_does_not_list_has_the_problem_of_its_branch():
    class TooManyDomains(InvalidRequest):
        pass

    class StoreMoving(StoreError):
        retryable = True

    class StoreGone(StoreError):
        pass

    found = {kind.__name__: problem_of(kind("why")) for kind in (TooManyDomains, StoreMoving, StoreGone)}
    assert {name: (problem.status, problem.code, problem.retry_after) for name, problem in found.items()} == {
        "TooManyDomains": (400, "INVALID_PARAMS", None),
        "StoreMoving": (503, "STORE_MOVING", 5.0),
        "StoreGone": (500, "STORE_GONE", None),
    }


def test_words_that_may_quote_a_statement_are_not_repeated():
    assert problem_of(StatementError("select secret")).detail == "the read failed: StatementError"
    assert problem_of(StoreUnavailable("the store is away\nselect secret")).detail == "the store is away"


def test_words_that_name_a_host_are_not_repeated():
    error = ConnectionLost("postgresql://10.0.0.7/mes: server closed the connection").hidden()
    assert problem_of(error).detail == "The database, or the way to it, went away"
