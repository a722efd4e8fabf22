"""The rows of a query as files: CSV, NDJSON, Parquet or Arrow, in bounded memory, resumable, with a manifest."""

from mesbatch.export.run import Summary, export
from mesbatch.export.verify import verify

__all__ = ["Summary", "export", "verify"]
