"""What can go wrong, one class each; every message shows the value beside its limit."""

from __future__ import annotations


class MesbatchError(Exception):
    """The base of every error that mesbatch raises itself."""


# -- what the caller asked for, found before a row is read ----------------------------------------


class UnknownSource(MesbatchError, TypeError):
    """*con* is nothing that rows can be read from."""


class StatementError(MesbatchError, ValueError):
    """The SQL is not one statement that returns rows, or its ``:keys`` is missing, doubled or misplaced."""


class NotSplittable(StatementError):
    """Cutting this statement by key would change its meaning, or nobody can tell that it would not."""


class KeyColumnError(MesbatchError, ValueError):
    """The result has no column of the key's name, or more than one."""


class InvalidKey(MesbatchError, ValueError):
    """A key that no row can have: blank, None, too long, of another type, or with a NUL in it."""


class ColumnNameError(MesbatchError, ValueError):
    """Two columns share one name, so that a row cannot be an object."""


# -- whether to read at all ------------------------------------------------------------------------


class PolicyError(MesbatchError, ValueError):
    """A table of rules has a gap, a rule that never decides, or a limit that is none; the message names the rule."""


class UnknownProfile(MesbatchError, ValueError):
    """A cost names a profile that the policy has no rules for."""


class InvalidLimit(MesbatchError, ValueError):
    """A number that cannot be a limit, a cost or a load: negative, no integer, or above what it is part of."""


class PermitTooLarge(MesbatchError, ValueError):
    """More bytes were asked for than the limiter has in all: waiting would be useless."""


class LimiterBusy(MesbatchError):
    """No permit within the time that the caller would wait, or the line is full; *retry_after* is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermitReleased(MesbatchError):
    """A permit was given back a second time, or used after it had been given back."""


class PermitLost(MesbatchError):
    """The lease of a permit ran out while it was held: somebody else may have it now, so stop reading."""


class LimiterUnavailable(MesbatchError):
    """What the limiter keeps its permits in does not answer; nobody is let through meanwhile."""


# -- what the rows turned out to be ----------------------------------------------------------------


class RowTooLarge(MesbatchError):
    """One row alone is larger than everything the reader may hold."""


class KeyMismatch(MesbatchError):
    """The database gave a row whose key was not asked for, or not in the order that it promised."""


class SchemaChanged(MesbatchError):
    """The columns of a later batch are not those of the first."""


class UnencodableValue(MesbatchError, TypeError):
    """A value that has no place in the output; the message names its column and row."""


# -- what happened on the way ----------------------------------------------------------------------


class ReadInterrupted(MesbatchError):
    """The read ended early after rows had been delivered; the message says which, and what is missing."""


class ConnectionClosed(MesbatchError):
    """The connection that the caller passed is closed."""


class ConnectionLost(MesbatchError):
    """The database, or the way to it, went away."""


class DatabaseTimeout(MesbatchError, TimeoutError):
    """The database did not answer within *timeout*."""


class DatabaseBusy(MesbatchError):
    """The database, or the pool in front of it, has no connection or lock to give now."""


class SnapshotTooOld(MesbatchError):
    """The database can no longer show the data as it was when the read began; read it again."""


# -- what lies on disk -----------------------------------------------------------------------------


class SpillError(MesbatchError, OSError):
    """Groups could not be moved to disk: the directory is full, unwritable or not ours to trust."""


class GroupsClosed(MesbatchError, ValueError):
    """Groups were used after they had been closed."""


class CorruptChunk(MesbatchError):
    """Bytes on disk are not the bytes that were written."""


# -- what a job leaves behind ----------------------------------------------------------------------


class JobNotFound(MesbatchError, LookupError):
    """There is no such job: never, no longer, or not for this caller."""


class InvalidJobId(JobNotFound):
    """A text that cannot be the id of a job; nothing was looked up with it."""


class JobNotComplete(MesbatchError):
    """The job has no whole result yet, or ended without one."""


class JobFailed(MesbatchError):
    """The job whose result was being followed ended without one."""


class StatusConflict(MesbatchError):
    """The job is in another status than this change starts from; an ended job stays as it ended."""


class LeaseHeld(MesbatchError):
    """Another worker holds the job's lease, and is alive."""


class LeaseLost(MesbatchError):
    """A newer worker holds the job, or the store no longer knows it: nothing was published."""


class ResultExpired(MesbatchError, LookupError):
    """The job had a result, and its time is over."""


class InvalidDomain(MesbatchError, ValueError):
    """The name of a domain that cannot become part of a store's own names."""


class InvalidPage(MesbatchError, ValueError):
    """A page that no result can have: a negative or too large offset, a negative limit, an unknown domain."""


class ChunkLost(MesbatchError):
    """A chunk that was published is no longer there."""


class ResultChanged(MesbatchError):
    """A retry gave other rows than those that this stream had sent already: begin again at the start."""


class ResultStoreFull(MesbatchError, OSError):
    """The store has no room for more of this result."""


class StoreUnavailable(MesbatchError, OSError):
    """The store did not answer, or could not do what was asked."""


class StoreRefused(MesbatchError, PermissionError):
    """A directory that is not ours alone: others could change what is read back from it."""


# -- what a job is to do ---------------------------------------------------------------------------


class InvalidJob(MesbatchError, ValueError):
    """A job that no worker could do: not allowed, arguments that do not fit, no JSON; nothing was touched."""


class NoWorker(MesbatchError):
    """No worker listens on the queue: the job would wait for nobody."""


class RequestRefused(MesbatchError):
    """A server did not do what a client asked for; *status* is that of HTTP, None when there was no answer."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


# -- what a request got wrong ----------------------------------------------------------------------


class InvalidRequest(MesbatchError, ValueError):
    """A request whose body or parameters are not what the route takes; nothing was touched."""


class BodyTooLarge(InvalidRequest):
    """A request's body has more bytes than the route takes; it was not parsed."""


class NotAcceptable(InvalidRequest):
    """None of the media types that the client accepts can be served."""


class NoPrincipal(MesbatchError):
    """The application named nobody on whose behalf a request is made."""


class ClientTooSlow(MesbatchError, TimeoutError):
    """The client did not take the answer within the time that a response may last."""


class InvalidSetting(MesbatchError, ValueError):
    """A variable of the environment that no setting can be; the message names it, and never a secret."""
