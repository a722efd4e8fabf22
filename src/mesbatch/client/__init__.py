"""Clients that follow a job, over HTTP or in its store: every row once, or an error that names the missing part."""

from mesbatch.client.http import JobClient
from mesbatch.client.stream import JobStream, Records, follow_store

__all__ = ["JobClient", "JobStream", "Records", "follow_store"]
