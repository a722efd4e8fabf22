"""All errors that mesbatch raises itself, as one tree: a branch a concern, each error with `retryable`."""

from __future__ import annotations

from typing import ClassVar, Self


class MesbatchError(Exception):
    """The base of every error that mesbatch raises itself.

    *retryable* says that the same call, made again later and unchanged, may succeed. *for_client* is what a client is
    told instead of the message, where that names a host or quotes a driver.
    """

    retryable: ClassVar[bool] = False
    for_client: str | None = None

    def hidden(self, words: str | None = None) -> Self:
        """Let a client be told *words*, or the meaning of the class, and not the message."""
        self.for_client = words or (type(self).__doc__ or "").partition("\n")[0].rstrip(".")
        return self


# -- source: connections and the database behind them ----------------------------------------------


class SourceError(MesbatchError):
    """The database, or the way to it, could not give what was asked for."""


class UnknownSource(SourceError, TypeError):
    """*con* is nothing that rows can be read from."""


class LoginRefused(SourceError):
    """The database does not let this user in, or there is no such database."""


class MissingDriver(SourceError, ImportError):
    """The driver of a URL is not installed."""


class ConnectionClosed(SourceError):
    """The connection that the caller passed is closed."""


class ConnectionLost(SourceError):
    """The database, or the way to it, went away."""

    retryable = True


class DatabaseTimeout(SourceError, TimeoutError):
    """The database did not answer within *timeout*."""

    retryable = True


class DatabaseBusy(SourceError):
    """The database, or the pool in front of it, has no connection or lock to give now."""

    retryable = True


class SnapshotTooOld(SourceError):
    """The database can no longer show the data as it was when the read began; read it again."""

    retryable = True


class ReadInterrupted(SourceError):
    """The read ended early after rows had been delivered; the message says which, and what is missing."""

    retryable = True


# -- statement and keys: what the caller asked for --------------------------------------------------


class QueryError(MesbatchError):
    """The statement or its keys cannot be read as they are."""


class StatementError(QueryError, ValueError):
    """The SQL is not one statement that returns rows, or its ``:keys`` is missing, doubled or misplaced."""


class NotSplittable(StatementError):
    """Cutting this statement by key would change its meaning, or nobody can tell that it would not."""


class TooManyKeys(StatementError):
    """A statement holds more keys than its database takes; `strategy` "array" and "temporary-table" take any number."""


class KeyColumnError(QueryError, ValueError):
    """The result has no column of the key's name, or more than one."""


class InvalidKey(QueryError, ValueError):
    """A key that no row can have: blank, None, too long, of another type, or with a NUL in it."""


class KeyMismatch(QueryError):
    """The database gave a row whose key was not asked for, or not in the order that it promised."""


# -- values: what the rows turned out to be ---------------------------------------------------------


class DataError(MesbatchError):
    """The rows hold something that cannot be given as it is."""


class ColumnNameError(DataError, ValueError):
    """Two columns share one name, so that a row cannot be an object."""


class SchemaChanged(DataError):
    """The columns of a later batch are not those of the first."""


class KeysetBroken(DataError):
    """Rows that do not ascend by the columns of their keyset, of which the caller swore it, or that have NULL there."""


class UnencodableValue(DataError, TypeError):
    """A value that has no place in the output; the message names its column and row, and a way to read it.

    *row* has the values of its row where they are known, and *goes_on* says that reading can go on after it.
    """

    row: tuple[object, ...] | None = None
    goes_on: bool = False


class InvalidText(UnencodableValue):
    """A text of the database that is no valid UTF-8."""


# -- budget: what may be held -----------------------------------------------------------------------


class BudgetError(MesbatchError):
    """Rows or groups do not fit into what may be held of them, in memory or on disk."""


class RowTooLarge(BudgetError):
    """One row alone is larger than everything the reader may hold."""


class UnboundedDriver(BudgetError, UserWarning):
    """A warning: a driver held far more of a result in memory than the reader may, before it gave the first row."""


class SpillError(BudgetError, OSError):
    """Groups could not be moved to disk: the directory is full, unwritable or not ours to trust."""


class GroupsClosed(BudgetError, ValueError):
    """Groups were used after they had been closed."""


# -- admission: whether to read at all --------------------------------------------------------------


class AdmissionError(MesbatchError):
    """A rule, a limit or a permit stands against the request."""


class PolicyError(AdmissionError, ValueError):
    """A table of rules has a gap, a rule that never decides, or a limit that is none; the message names the rule."""


class UnknownProfile(AdmissionError, ValueError):
    """A cost names a profile that the policy has no rules for."""


class InvalidLimit(AdmissionError, ValueError):
    """A number that cannot be a limit, a cost or a load: negative, no integer, or above what it is part of."""


class PermitTooLarge(AdmissionError, ValueError):
    """More bytes were asked for than the limiter has in all: waiting would be useless."""


class LimiterBusy(AdmissionError):
    """No permit within the time that the caller would wait, or the queue is full; *retry_after* is in seconds."""

    retryable = True

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermitReleased(AdmissionError):
    """A permit was given back a second time, or used after it had been given back."""


class PermitLost(AdmissionError):
    """The lease of a permit ran out while it was held: somebody else may have it now, so stop reading."""

    retryable = True


class LimiterUnavailable(AdmissionError):
    """The limiter's server or file does not answer; nobody is let through meanwhile."""

    retryable = True


# -- store: bytes that outlive a process ------------------------------------------------------------


class StoreError(MesbatchError):
    """The store refuses: it cannot be reached, is full or not to be trusted, or lacks what was written to it."""


class StoreUnavailable(StoreError, OSError):
    """The store did not answer, or could not do what was asked."""

    retryable = True


class ResultStoreFull(StoreError, OSError):
    """The store has no room for more of this result."""

    retryable = True


class StoreRefused(StoreError, PermissionError):
    """A place that cannot be used: a directory that others could change, or a client that cannot keep jobs."""


class ChunkLost(StoreError):
    """A chunk that was published is no longer there."""


class CorruptChunk(StoreError):
    """Bytes on disk are not the bytes that were written."""


# -- jobs: results made by other processes ----------------------------------------------------------


class JobError(MesbatchError):
    """A job, or what was asked of its result, is not as the caller or the worker thought."""


class JobNotFound(JobError, LookupError):
    """There is no such job: never, no longer, or not for this caller."""


class InvalidJobId(JobNotFound):
    """A text that cannot be the id of a job; nothing was looked up with it."""


class InvalidJob(JobError, ValueError):
    """A job that no worker could do: not allowed, arguments that do not fit, no JSON; nothing was touched."""


class InvalidDomain(JobError, ValueError):
    """The name of a domain that cannot become part of a store's own names."""


class InvalidPage(JobError, ValueError):
    """A page that no result can have: a negative or too large offset, a negative limit, an unknown domain."""


class NotIndexed(JobError, ValueError):
    """The rows of a domain cannot be looked up by key: it is not whole, or does not lie in the order of keys."""


class NoWorker(JobError):
    """No worker listens on the queue: the job would wait for nobody."""

    retryable = True


class JobNotComplete(JobError):
    """The job has no whole result yet, or ended without one."""

    retryable = True


class JobFailed(JobError):
    """The job whose result was being followed ended without one."""


class NotResumable(JobError):
    """A worker stopped within rows that one statement gave for all keys: submit the job anew."""

    retryable = True


class StatusConflict(JobError):
    """The job is in another status than this change starts from; an ended job stays as it ended."""


class LeaseHeld(JobError):
    """Another worker holds the job's lease, and is alive."""

    retryable = True


class LeaseLost(JobError):
    """A newer worker holds the job, or the store no longer knows it: nothing was published."""


class ResultExpired(JobError, LookupError):
    """The job had a result, and its time is over."""


class ResultChanged(JobError):
    """A retry gave other rows than those that this stream had sent already: begin again at the start."""

    retryable = True


# -- export: results as files -----------------------------------------------------------------------


class ExportError(MesbatchError):
    """An export cannot begin, go on or end; the message says what is whole of it."""


class InvalidExport(ExportError, ValueError):
    """Options of an export that do not go together, or an output that cannot be; nothing was touched."""


class OutputExists(ExportError):
    """Something lies where the output is to be."""


# -- client: both ends of a request -----------------------------------------------------------------


class ClientError(MesbatchError):
    """A request, its client or its server did not do what the other end expected."""


class RequestRefused(ClientError):
    """A server did not do what a client asked for; *status* is that of HTTP, None when there was no answer."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class InvalidRequest(ClientError, ValueError):
    """A request whose body or parameters are not what the route takes; nothing was touched."""


class BodyTooLarge(InvalidRequest):
    """A request's body has more bytes than the route takes; it was not parsed."""


class NotAcceptable(InvalidRequest):
    """None of the media types that the client accepts can be served."""


class UnsupportedMediaType(InvalidRequest):
    """A request that changes something does not say that its body is JSON; browsers let other sites send such ones."""


class NoPrincipal(ClientError):
    """The application named nobody on whose behalf a request is made."""


class ClientTooSlow(ClientError, TimeoutError):
    """The client did not take the answer within the time that a response may last."""


class AnswerTooLarge(ClientError):
    """An answer that must go to disk before it is sent has more bytes than may lie there."""


class ResponseIsStreamed(ClientError, RuntimeError):
    """The bytes of a response were asked for before it was sent, while they are made only as it is sent."""


# -- settings ---------------------------------------------------------------------------------------


class InvalidSetting(MesbatchError, ValueError):
    """A variable of the environment that no setting can be; the message names it, and never a secret."""
