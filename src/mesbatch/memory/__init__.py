"""Memory of this process and of the control groups around it."""

from mesbatch.memory.process import Memory, MemoryReader, RssMark, peak_rss, read_memory, release, rss

__all__ = ["Memory", "MemoryReader", "RssMark", "peak_rss", "read_memory", "release", "rss"]
