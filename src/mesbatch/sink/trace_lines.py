"""The former place of `mesbatch.trace.ndjson`, for code that imports from here."""

from mesbatch.trace.ndjson import TraceRead, trace_lines

__all__ = ["TraceRead", "trace_lines"]
