"""Events of a read in the log."""

from __future__ import annotations

import logging

from mesbatch.events import BatchRead, Event, FetchOverBudget, PartFailed, PartRead, PartRetried
from mesbatch.hooks.named import NamedHook
from mesbatch.units import format_bytes


def log_events(logger: logging.Logger | None = None) -> NamedHook:
    """Make a hook that writes to *logger*, or to ``mesbatch.read``: for `Trace.read`, or ``on_event`` of any reader.

    Batches and parts are DEBUG, retries and batches over the budget WARNING, and keys that are given up ERROR. Only the
    first line of an error is written, because drivers quote the statement below it.

    Args:
        logger: The logger to write to, by default ``mesbatch.read``.

    >>> from mesbatch import read_sql_iter
    >>> import sqlite3
    >>> reader = read_sql_iter("select 1", sqlite3.connect(":memory:"), on_event=log_events().called("ones"))
    >>> [batch.rows for batch in reader]
    [[(1,)]]
    """
    found = logger or logging.getLogger("mesbatch.read")

    def log(name: str, event: Event) -> None:
        match event:
            case BatchRead(rows, nbytes):
                found.debug("%s: a batch of %d rows, %s", name, rows, format_bytes(nbytes))
            case PartRead(first, last, keys):
                found.debug("%s: all rows of %d keys from %r to %r", name, keys, first, last)
            case FetchOverBudget(rows, nbytes, max_bytes):
                held, allowed = format_bytes(nbytes), format_bytes(max_bytes)
                found.warning("%s: a batch of %d rows holds %s, max_bytes is %s", name, rows, held, allowed)
            case PartRetried(first, last, attempt, error):
                found.warning("%s: keys %r to %r failed, try %d: %s", name, first, last, attempt, _words(error))
            case PartFailed(first, last, keys, error):
                found.error("%s: %d keys from %r to %r given up: %s", name, keys, first, last, _words(error))

    return NamedHook(log)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
