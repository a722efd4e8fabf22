"""Several named queries over one list of keys, and their results as a stream of lines or as JSON."""

from mesbatch.trace.read import Query, Trace, TraceReader

__all__ = ["Query", "Trace", "TraceReader"]
