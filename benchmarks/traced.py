"""A case once more, under memray: its own allocations, without memory that the process keeps for later."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import memray

from benchmarks import inside


def run(**work: Any) -> int:
    """Measure the peak of the allocations of `benchmarks.inside.run`, in bytes, Python's own allocators included."""
    with TemporaryDirectory() as directory:
        record = Path(directory) / "allocations"
        with memray.Tracker(record, trace_python_allocators=True):
            inside.run(**work)
        return int(memray.FileReader(record).metadata.peak_memory)
