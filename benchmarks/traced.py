"""A case once more, under memray: what it allocates, with none of what the process keeps for later."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import memray

from benchmarks import inside


def run(**work: Any) -> int:
    """The peak of what `benchmarks.inside.run` allocates, in bytes, Python's own allocators included."""
    with TemporaryDirectory() as directory:
        record = Path(directory) / "allocations"
        with memray.Tracker(record, trace_python_allocators=True):
            inside.run(**work)
        return int(memray.FileReader(record).metadata.peak_memory)
