"""Follow a job from Python, over HTTP or in its store: every row once, or an error that says what is missing."""

from mesbatch.client.http import JobClient
from mesbatch.client.stream import JobStream, Records, follow_store

__all__ = ["JobClient", "JobStream", "Records", "follow_store"]
