"""Several named queries over one list of keys, and the lines and JSON of their clients."""

from mesbatch.trace.read import Query, Trace, TraceReader

__all__ = ["Query", "Trace", "TraceReader"]
