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


# -- what is written ---------------------------------------------------------------------------------


class ExportError(MesbatchError):
    """An export cannot begin, go on or end; the message says what is whole of it."""


class OutputExists(ExportError):
    """Something lies where the output is to be."""


# -- what lies on disk -----------------------------------------------------------------------------


class SpillError(MesbatchError, OSError):
    """Groups could not be moved to disk: the directory is full, unwritable or not ours to trust."""


class GroupsClosed(MesbatchError, ValueError):
    """Groups were used after they had been closed."""


class CorruptChunk(MesbatchError):
    """Bytes on disk are not the bytes that were written."""
